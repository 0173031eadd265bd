// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace
import TestSupport
import Testing

/// What a trace cannot show is counted, not reported.
@Suite struct EvidenceTests {
  private static let map =
    "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs="
  private static let unmap =
    "dma_unmap_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=64 attrs="
  private static let sync =
    "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=1000 size=64"

  private static func hit(_ caller: String) -> String {
    #"dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device="0000:00:03.0""#
      + " dma_addr=0x1000 caller=\(caller)"
  }

  @Test func anUnmapOfWhatWasMappedBeforeIsUndecided() throws {
    let replay = try TraceText.replay([Self.unmap, Self.sync])
    #expect(replay.messages().isEmpty)
    #expect(replay.engine.undecided.unknownFrees == 1)
    #expect(replay.engine.undecided.unknownSyncs == 1)
    #expect(replay.engine.errorCount == 0)
  }

  @Test func aProbeOfTheDriverOrAClaimDecides() throws {
    let probed = try TraceText.replay([TraceText.probe, Self.unmap, Self.sync])
    #expect(probed.messages().count == 2)
    let claimed = try TraceText.replay([Self.unmap, Self.sync]) { $0.isComplete = true }
    #expect(claimed.messages().count == 2)
  }

  @Test func theKernelsOwnHookHitProvesAWrongUnmap() throws {
    let lines = [
      Self.map, Self.hit("debug_dma_map_page+0x4f/0x100"), Self.hit("driver+0x1/0x2 [m]"),
      Self.unmap, Self.unmap, Self.hit("check_unmap+0x55f/0x910"),
    ]
    let replay = try TraceText.replay(lines)
    #expect(
      replay.messages() == [
        "device driver tries to free DMA memory it has not allocated"
          + " [device address=0x0000000000001000] [size=64 bytes]"
      ]
    )
    #expect(replay.engine.undecided.total == 0)
    // Without the hit the second unmap may be of a mapping made before.
    let late = try TraceText.replay(Array(lines.dropLast()))
    #expect(late.messages().isEmpty)
    #expect(late.engine.undecided.unknownFrees == 1)
  }

  @Test func withoutTheHookAMissingCheckIsUndecided() throws {
    let replay = try TraceText.replay([TraceText.probe, Self.map, Self.unmap])
    #expect(replay.messages().isEmpty)
    #expect(replay.engine.undecided.unseenChecks == 1)
    let live = try TraceText.replay([TraceText.probe, Self.map])
    let dump = String(decoding: live.engine.read(.dump, names: live.names), as: UTF8.self)
    #expect(dump.hasSuffix("dma map error check unknown\n"))
    #expect(live.messages().isEmpty)
  }

  @Test func withTheHookItIsAMistake() throws {
    let replay = try TraceText.replay([
      TraceText.probe, Self.map, Self.hit("debug_dma_map_page+0x4f/0x100"), Self.unmap,
    ])
    #expect(
      replay.messages() == [
        "device driver failed to check map error[device address=0x0000000000001000]"
          + " [size=64 bytes] [mapped as single]"
      ]
    )
  }

  @Test func aHookWithoutCallerShowsTheKernelsHitFirst() throws {
    let hit =
      #"dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device="0000:00:03.0" dma_addr=0x1000"#
    let unchecked = try TraceText.replay([TraceText.probe, Self.map, hit, Self.unmap])
    #expect(unchecked.messages().count == 1)
    let checked = try TraceText.replay([TraceText.probe, Self.map, hit, hit, Self.unmap])
    #expect(checked.messages().isEmpty)
    // A hit after an unmap of something unknown is the kernel's own, and proof.
    let proved = try TraceText.replay([Self.map, hit, hit, Self.unmap, Self.unmap, hit])
    #expect(proved.messages().count == 1)
  }

  @Test func lostEventsMakeWhatFollowsUndecided() throws {
    let other = Self.unmap.replacing("size=64", with: "size=32")
    let replay = try TraceText.replay([
      TraceText.probe, Self.map, Self.hit("debug_dma_map_page+0x4f/0x100"),
      Self.hit("driver+0x1/0x2 [m]"),
    ])
    #expect(replay.messages().isEmpty)
    var text = String(
      decoding: TraceText.kernel([
        TraceText.probe, Self.map, Self.hit("debug_dma_map_page+0x4f/0x100"),
        Self.hit("driver+0x1/0x2 [m]"), other, Self.unmap,
      ]),
      as: UTF8.self
    )
    // The map may have been undone and done again where the tracer lost events.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let position = lines.count - 3
    text =
      (lines[..<position] + ["CPU:0 [LOST 7 EVENTS]"] + lines[position...]).joined(separator: "\n")
    let lossy = try FinishedReplay(Array(text.utf8), ReplayOptions())
    #expect(lossy.messages().isEmpty)
    #expect(lossy.engine.undecided.afterLoss == 1)
    #expect(lossy.engine.undecided.unknownFrees == 1)
    #expect(lossy.summary.lostEvents == 7)
  }

  @Test func anUnmapOfATruncatedListIsNoMistake() throws {
    let replay = try TraceText.replay([
      TraceText.probe,
      "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=2/5 ents=2/5 [TRUNCATED]"
        + " dma_addrs={0x1000,0x3000} sizes={0x1000,0x1000} phys_addrs={0x1000,0x3000} attrs=",
      "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE"
        + " phys_addrs={0x1000,0x3000,0x5000,0x7000,0x9000} attrs=",
    ])
    #expect(replay.messages().isEmpty)
    #expect(replay.engine.poolCounters.free == 65536)
    #expect(replay.engine.poolCounters.minimumFree == 65531)
  }

  @Test func anUnknownPhysicalAddressIsAQuestionMark() throws {
    let alloc =
      "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=2000 size=4096"
      + " virt_addr=00000000419004fe flags=GFP_KERNEL attrs="
    let replay = try TraceText.replay([alloc])
    let dump = String(decoding: replay.engine.read(.dump, names: replay.names), as: UTF8.self)
    #expect(dump.contains(" P=? D=2000 L=1000 cln=? "))
    // The device turns out to be mapped directly: then the DMA address is the physical one.
    let known = try TraceText.replay([alloc, Self.map])
    let later = String(decoding: known.engine.read(.dump, names: known.names), as: UTF8.self)
    #expect(later.contains(" P=0x0000000000002000 D=2000 "))
  }

  @Test func unbindingOnAnOrdinaryKernelWaitsForManagedMemory() throws {
    let alloc =
      "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=2000 size=4096"
      + " virt_addr=ffff888000002000 flags=GFP_KERNEL attrs="
    let free =
      "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=2000 size=4096"
      + " virt_addr=ffff888000002000 attrs="
    let unbind = #"unbind: (device_unbind_cleanup+0x0/0x80) device="0000:00:03.0""#
    let clean = try TraceText.replay([TraceText.probe, alloc, unbind, free, Self.map])
    #expect(clean.messages().isEmpty)
    let leaky = try TraceText.replay([TraceText.probe, alloc, Self.map, unbind, free])
    #expect(leaky.messages().count == 1)
  }

  @Test("a list that claims four billion segments does not hold up the rest")
  func absurdList() throws {
    let replay = try TraceText.replay([
      TraceText.probe,
      "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/4294967295 [TRUNCATED]"
        + " dma_addrs={0x1000} sizes={0x1000} phys_addrs={0x1000} attrs=",
    ])
    #expect(replay.engine.liveCount == 1)
    // What is listed, and no more than 65536 beyond it.
    #expect(replay.engine.poolCounters.total <= 2 * 65536 + 1024)
  }
}
