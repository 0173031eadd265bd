// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

/// Checks for the kind of memory, decided where a marker tells the layout.
@Suite struct MemoryAreaTests {
  private static let layout =
    "tracing_mark_write: dma-api: layout direct=ff11000000000000-ff51000000000000"
    + " vmalloc=ffa0000000000000-ffd2000000000000 text=ff11000001000000-ff11000001200000"
    + " rodata=ff11000001200000-ff11000001300000 stacks=ff11000001400000-ff11000001500000"
    + " ram=0-10000000 ram=100000000-110000000"

  private func messages(_ lines: [String], kernel: String = "7.3", layout: Bool = true) throws
    -> [String]
  {
    let replay = try TraceText.replay(
      [TraceText.probe] + (layout ? [Self.layout] : []) + lines
    ) { options in
      options.generation = KernelGeneration(version: kernel)
    }
    return replay.messages()
  }

  private static func map(_ address: String, size: Int = 64, attrs: String = "") -> String {
    "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=\(address) size=\(size)"
      + " phys_addr=\(address) attrs=\(attrs)"
  }

  @Test func stackAndImage() throws {
    let lines = [Self.map("1400040"), Self.map("1200000"), Self.map("fffff0", size: 32)]
    #expect(
      try messages(lines) == [
        "device driver maps memory from stack [addr=ff11000001400040]",
        "device driver maps memory from kernel text or rodata [addr=ff11000001200000] [len=64]",
        "device driver maps memory from kernel text or rodata [addr=ff11000000fffff0] [len=32]",
      ]
    )
    // Nothing is invented without the marker, and nothing beside the ranges.
    #expect(try messages(lines, layout: false).isEmpty)
    #expect(try messages([Self.map("1300000"), Self.map("fffff0", size: 16)]).isEmpty)
  }

  @Test func listsAreLookedAtEntryByEntry() throws {
    let list =
      "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=2/2 ents=2/2 dma_addrs={0x1400000,0x2000000}"
      + " sizes={0x40,0x40} phys_addrs={0x1400000,0x2000000} attrs="
    #expect(
      try messages([list]) == ["device driver maps memory from stack [addr=ff11000001400000]"]
    )
  }

  @Test func resources() throws {
    let ram = Self.map("100000000", attrs: "MMIO")
    #expect(try messages([ram]) == ["dma_map_resource called for RAM address 0x0000000100000000"])
    #expect(try messages([Self.map("fe000000", attrs: "MMIO")]).isEmpty)
    #expect(try messages([ram], kernel: "7.1").isEmpty)
  }

  @Test func pointersThatAreNoMemory() throws {
    let probe = { (address: String) in
      "dma_map_single: (debug_dma_map_single+0x4/0x90) device=\"0000:00:03.0\" addr=\(address) size=32"
    }
    #expect(
      try messages([
        probe("0xffd4000000000000"), probe("0xffa0000000001000"), probe("0xff11000000200000"),
      ]) == [
        "device driver maps memory from invalid area [addr=ffd4000000000000] [len=32]",
        "device driver maps memory from invalid area [addr=ffa0000000001000] [len=32]",
        "device driver maps memory from vmalloc area [addr=ffa0000000001000] [len=32]",
      ]
    )
    #expect(try messages([probe("0xffd4000000000000")], layout: false).isEmpty)
  }

  @Test func physicalAddressesOfCoherentMemoryAreKnown() throws {
    let replay = try TraceText.replay([
      Self.layout,
      "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=fffff000 size=4096"
        + " virt_addr=ff11000002000000 flags=GFP_KERNEL attrs=",
      // Neither in the direct map nor in vmalloc space: memory of the device, no entry.
      "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=80000000 size=4096"
        + " virt_addr=ffd4000000000000 flags=GFP_KERNEL attrs=",
    ])
    #expect(
      replay.engine.liveMappings().map { replay.engine.physicalAddress(of: $0) } == [0x200_0000]
    )
  }

  @Test func deviceMarkersAreLinesOfADeviceTable() throws {
    let lines = [
      "tracing_mark_write: dma-api: device usb 0000:00:03.0 - max_seg=4096 boundary=0xffff",
      "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x2000000}"
        + " sizes={0x2000} phys_addrs={0x2000000} attrs=",
    ]
    #expect(
      try messages(lines) == [
        "mapping sg segment longer than device claims to support [len=8192] [max=4096]"
      ]
    )
  }

  @Test(arguments: [
    "dma-api: layout", "dma-api: layout direct", "dma-api: layout direct=5",
    "dma-api: layout direct=9-1",
    "dma-api: layout direct=zz-ff text==- ram=1-2-3 alignment=x", "dma-api: device",
    "dma-api: device x",
    "dma-api: device pci 0000:00:03.0 - max_seg=many",
  ])
  func brokenMarkersSayNothing(_ text: String) throws {
    #expect(
      try messages(["tracing_mark_write: \(text)", Self.map("1400040")], layout: false).isEmpty
    )
  }
}
