// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// View 6 on a virtual screen.
@Suite struct BufferViewTests {
  private static let capture =
    Fixtures.root + "/fixtures/kernel/linux-7.3/dmabuf-bugs/trace.txt"

  private static func run(
    _ steps: [VirtualScreen.Step],
    at moment: Moment = .snapshot("1"),
    path: String = capture,
    width: Int = 140,
    effects: Monitor.Effects = Monitor.Effects()
  ) throws -> MonitorKeysTests.Outcome {
    try MonitorKeysTests.run(steps, path: path, at: moment, width: width, effects: effects)
  }

  /// The texts of the first column.
  private static func tree(_ outcome: MonitorKeysTests.Outcome) -> [String] {
    var state = outcome.state
    let list = state.list()
    return (0..<list.count).map { list.text($0, 0) }
  }

  @Test func theTreeOpens() throws {
    let closed = try Self.run([.type("6")])
    #expect(Self.tree(closed) == ["system", "buffer 1", "buffer 2"])
    #expect(closed.picture.contains("6 Buffers"))
    let open = try Self.run([.type("6"), .key(.down), .key(.enter)])
    #expect(
      Self.tree(open) == [
        "system", "buffer 1", "0000:00:03.0", "0x91f0000", "dbuf-290", "dbuf-290", "buffer 2",
      ]
    )
    #expect(
      open.picture.contains("exported by dbuf-290 at 3.100452, line 84; 65536 bytes of system")
    )
    // F5 shows the buffers without their tree.
    let plain = try Self.run([.type("6"), .key(.function(5))])
    #expect(Self.tree(plain) == ["buffer 1", "buffer 2"])
  }

  @Test func zLeadsFromAMappingToItsBufferAndBack() throws {
    let there = try Self.run([
      .type("1"), .key(.function(4)), .type("buffer=1"), .key(.enter), .type("z"),
    ])
    #expect(there.state.view == .buffers)
    var state = there.state
    let list = state.list()
    #expect(list.text(state.place.selection, 0) == "0x91f0000")
    let back = try Self.run([
      .type("1"), .key(.function(4)), .type("buffer=1"), .key(.enter), .type("zz"),
    ])
    #expect(back.state.view == .mappings)
    var mappings = back.state
    let rows = mappings.mappingList()
    #expect(rows.mapping(mappings.place.selection)?.dmaAddress == 0x91f_0000)
    // From a buffer and an attachment to all their mappings.
    let buffer = try Self.run([.type("6"), .key(.down), .type("z")])
    #expect(buffer.state.view == .mappings && buffer.state.place.filterText == "buffer=1")
    let attachment = try Self.run([.type("6"), .key(.down), .key(.enter), .key(.down), .type("z")])
    #expect(attachment.state.place.filterText == "buffer=1 device=0000:00:03.0")
    // A mapping of no buffer leads to the moment of its map, as ever.
    let other = try Self.run([.type("1z")])
    #expect(other.state.view == .mappings)
    #expect(other.state.timeline.event < 81)
  }

  @Test func filtersSortsAndSearches() throws {
    let filtered = try Self.run([
      .type("6"), .key(.function(5)), .key(.function(4)), .type("bytes>100k"), .key(.enter),
    ])
    #expect(Self.tree(filtered) == ["buffer 2"])
    let byDevice = try Self.run([
      .type("6"), .key(.function(5)), .key(.function(4)), .type("device:05.0"), .key(.enter),
    ])
    #expect(Self.tree(byDevice) == ["buffer 2"])
    let sorted = try Self.run([.type("6:sort -bytes"), .key(.enter)])
    #expect(Self.tree(sorted) == ["system", "buffer 2", "buffer 1"])
    let found = try Self.run([.type("6/buffer 2"), .key(.enter)])
    var state = found.state
    let list = state.list()
    #expect(list.text(state.place.selection, 0) == "buffer 2")
    #expect(
      try Self.run([.type("6"), .key(.function(4)), .type("nothing=1"), .key(.enter)]).state.message
        != nil
    )
  }

  @Test func whatSeemsForgottenIsMarked() throws {
    // Buffer 2 was put and its device never detached; the trace's first snapshot is before.
    let before = try Self.run([.type("6"), .key(.function(5)), .type("x")])
    #expect(Self.tree(before).isEmpty)
    let after = try Self.run([.type("6"), .key(.function(5)), .type("x")], at: .end)
    #expect(Self.tree(after) == ["buffer 2"])
    #expect(
      after.picture.contains("its last known reference was put, and something still holds it")
    )
  }

  @Test func showsTheMomentItIsAt() throws {
    // Before the export, and with one buffer only.
    let none = try Self.run([.type("6b#70"), .key(.enter)])
    #expect(Self.tree(none).isEmpty)
    #expect(none.picture.contains("no buffer exists yet: the dma_buf events come later"))
    let one = try Self.run([.type("6b#73"), .key(.enter)])
    #expect(Self.tree(one) == ["system", "buffer 1"])
    let back = try Self.run([.type("6b#73"), .key(.enter), .type("b#81"), .key(.enter)])
    #expect(Self.tree(back) == ["system", "buffer 1", "buffer 2"])
  }

  @Test func fieldsHaveTheNamesOfTheDump() throws {
    for filter in [
      "size>100k", "bytes>100k", "device:05.0", "devices:05.0", "ino=2", "buffer=2",
      "fds=1 ino>1", "gets=1 size>100k", "attachments=1 ino>1", "attached=1 ino>1",
    ] {
      let view = try Self.run([
        .type("6"), .key(.function(5)), .key(.function(4)), .type(filter), .key(.enter),
      ])
      let words = filter.split(separator: " ").map(String.init)
      let dump = try Program.run(
        ["dump", "--buffers", "--at", "snapshot:1", "--fields", "ino", "--filter"]
          + [words.joined(separator: " "), Self.capture]
      )
      #expect(dump.status == 0, "\(filter): \(dump.errors)")
      let inodes = dump.output.split(separator: "\n").dropFirst().map {
        "buffer " + $0.drop { $0 == " " }
      }
      #expect(Self.tree(view) == inodes, "\(filter)")
      #expect(view.state.message == nil, "\(filter)")
    }
    let sorted = try Self.run([.type("6:sort -size"), .key(.enter)])
    #expect(Self.tree(sorted) == ["system", "buffer 2", "buffer 1"])
  }

  @Test func zStaysWhereNothingIsMapped() throws {
    let outcome = try Self.run([
      .type("6"), .key(.function(5)), .key(.function(4)), .type("ino=2"), .key(.enter), .type("z"),
    ])
    #expect(outcome.state.view == .buffers)
    #expect(outcome.state.message == "buffer 2 is not mapped")
  }

  @Test func showsFences() throws {
    let lines = [
      "dma_buf_export: exp_name=system size=4096 ino=1",
      "dma_fence_init: driver=gpu timeline=ring context=3 seqno=1",
      "dma_resv_add_fence: (dma_resv_add_fence+0x0/0x1) ino=1 context=3 seqno=1 usage=1 "
        + "driver=gpu timeline=ring",
      "dma_map_phys: nvme dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
    ]
    let path = Fixtures.temporary("fences.txt", TraceText.kernel(lines))
    let outcome = try Self.run([.type("6"), .key(.down)], at: .end, path: path)
    #expect(outcome.picture.contains("write fence 3:1 of gpu ring: pending"))
    #expect(outcome.picture.contains("fences: 1 pending, 0 signaled on 1 timeline"))
    #expect(outcome.picture.contains(" PENDING "))
    // The fences have no rows of their own: they are found at their buffer.
    let found = try Self.run([.type("6/ring"), .key(.enter)], at: .end, path: path)
    #expect(found.state.place.selection == 1)
    let other = try Self.run([.type("6/blitter"), .key(.enter)], at: .end, path: path)
    #expect(other.state.message == "'blitter' is not here")
    let filtered = try Self.run(
      [.type("6"), .key(.function(5)), .key(.function(4)), .type("ring"), .key(.enter)],
      at: .end,
      path: path
    )
    #expect(Self.tree(filtered) == ["buffer 1"])
  }

  @Test func aPinnedAttachmentSaysSo() throws {
    let lines = [
      "dma_buf_export: exp_name=system size=4096 ino=1",
      "dma_buf_dynamic_attach: exp_name=system size=4096 ino=1 attachment:ff00000000000001"
        + " is_dynamic=1 dev_name=gpu",
      "dma_buf_pin: (dma_buf_pin+0x0/0x1) ino=1 attachment=0xff00000000000001 device=\"gpu\"",
      "dma_buf_map_attachment: (dma_buf_map_attachment+0x0/0x1) ino=1"
        + " attachment=0xff00000000000001 device=\"gpu\" dir=1",
      "dma_map_phys: nvme dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs=",
    ]
    let path = Fixtures.temporary("pinned.txt", TraceText.kernel(lines))
    let outcome = try Self.run(
      [.type("6"), .key(.down), .key(.enter)],
      at: .end,
      path: path,
      width: 80
    )
    #expect(outcome.picture.contains("pinned mapped"))
  }

  @Test func rowsAreExported() throws {
    nonisolated(unsafe) var texts: [String] = []
    var effects = Monitor.Effects()
    effects.export = { (list, rows, _, _) throws(CommandError) in
      texts = rows.map { list.line($0) }
      return rows.count
    }
    _ = try Self.run(
      [.type("6"), .key(.function(5)), .type(":export x.csv"), .key(.enter)],
      effects: effects
    )
    #expect(texts.count == 2)
    #expect(texts.first?.hasPrefix("buffer 1 64.0 KiB live") == true)
  }

  /// The list of files shows tabs as blanks, and where bufinfo is.
  @Test func bufinfoIsAmongTheFiles() throws {
    let outcome = try Self.run([.type("5"), .key(.end)])
    #expect(outcome.picture.contains("dma_buf/bufinfo"))
    #expect(outcome.picture.contains("00065536        ?       ?       ?       system"))
  }
}
