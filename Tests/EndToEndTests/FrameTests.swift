// SPDX-License-Identifier: MIT
import Glibc
import TestSupport
import Testing

/// Pictures of every view, held against those in fixtures/golden/monitor: letters and looks, in
/// UTF-8 with colours and in ASCII without.
///
/// After a change that is meant, DMATOP_GOLDEN=update writes them anew; look at the difference.
@Suite struct FrameTests {
  private static let directory = Fixtures.root + "/fixtures/golden/monitor"
  private static let views = [
    "mappings", "errors", "events", "devices", "files", "buffers", "map", "stats",
  ]
  private static let captures: [(name: String, path: String, moment: String)] = [
    ("nvme", "fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt", "event:300"),
    ("sg", "fixtures/kernel/linux-6.12/bug-sg-count/trace.txt", "end"),
  ]

  @Test(arguments: views)
  func everyViewLooksAsItDid(_ view: String) throws {
    let shared = (
      name: "dmabuf", path: "fixtures/kernel/linux-7.3/dmabuf-bugs/trace.txt", moment: "end"
    )
    // Only one view has more of it than of the others.
    for capture in Self.captures + (view == "buffers" ? [shared] : []) {
      for size in ["40x10", "80x24", "200x60"] {
        for isASCII in [false, true] {
          let file = "\(capture.name)-\(view)-\(size)\(isASCII ? "-ascii" : "").txt"
          let result = try Program.run(
            [
              "replay", "--view", view, "--snapshot-screen", size, "--at", capture.moment,
              capture.path,
              "--snapshot-styles",
            ] + (isASCII ? ["--ascii", "--theme", "mono"] : []),
            environment: ["LC_ALL": "C.UTF-8"]
          )
          #expect(result.status == 0)
          if getenv("DMATOP_GOLDEN") != nil {
            let path = Self.directory + "/" + file
            let handle = try #require(fopen(path, "w"))
            fputs(result.output, handle)
            fclose(handle)
          }
          #expect(result.output == Fixtures.text(Self.directory + "/" + file), "\(file)")
          let parts = size.split(separator: "x").compactMap { Int($0) }
          let lines = result.output.split(separator: "\n").filter { $0.hasPrefix("|") }
          #expect(lines.count == parts[1])
          #expect(lines.allSatisfy { $0.count <= parts[0] + 1 })
          if isASCII { #expect(result.output.utf8.allSatisfy { $0 < 0x80 }) }
        }
      }
    }
  }

  @Test func theTableOfKeysIsUpToDate() throws {
    let table = try Program.run(["replay", "--keys-table"])
    #expect(table.output == Fixtures.text(Fixtures.root + "/docs/KEYS.md"))
    #expect(table.output.split(separator: "\n").count > 40)
  }

  @Test func theManPageIsUpToDate() throws {
    let page = try Program.run(["replay", "--man-page"])
    #expect(page.output == Fixtures.text(Fixtures.root + "/docs/dmatop.1"))
    #expect(page.output.contains(".SH MONITOR"))
    let check = try Program.shell(
      "command -v groff >/dev/null || exit 0; groff -man -ww -z docs/dmatop.1"
    )
    #expect(check.status == 0 && check.errors.isEmpty, "\(check.errors)")
    for shell in ["bash", "zsh", "fish"] {
      let script = try Program.run(["--generate-completion-script", shell])
      #expect(script.status == 0)
      #expect(script.output.contains("snapshot-screen"))
    }
    #expect(try Program.shell("dmatop --generate-completion-script bash | bash -n").status == 0)
  }

  /// Whatever a trace calls its devices, drivers and tasks, nothing leaves its cell.
  @Test(arguments: views)
  func hostileNamesStayInTheirCells(_ view: String) throws {
    let names = [
      "\u{1b}[2J\u{1b}[31mred", "日本語デバイス", "e\u{301}e\u{301}\u{200b}\u{202e}x",
      String(repeating: "n", count: 4096),
    ]
    var lines: [String] = []
    for (index, name) in names.enumerated() {
      let device = name.filter { $0 != " " }
      lines.append("driver_probe: (really_probe+0x0/0x2a0) device=\"\(device)\" driver=\"\(name)\"")
      let address = String(index + 1) + "000"
      lines.append(
        "dma_map_phys: \(device) dir=TO_DEVICE dma_addr=\(address) size=64 phys_addr=\(address) attrs="
      )
      lines.append("dma_unmap_phys: \(device) dir=TO_DEVICE dma_addr=\(address)5 size=64 attrs=")
      lines.append("tracing_mark_write: \(name)")
    }
    let path = Fixtures.temporary("hostile-\(view).txt", TraceText.kernel(lines))
    for size in ["20x5", "80x24", "300x100"] {
      let result = try Program.run(
        ["replay", "--view", view, "--snapshot-screen", size, path],
        environment: ["LC_ALL": "C.UTF-8"]
      )
      #expect(result.status == 0)
      let isClean = result.output.unicodeScalars.allSatisfy {
        $0 == "\n" || $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) && $0.value != 0x202e
      }
      #expect(isClean, "\(size)")
    }
  }
}
