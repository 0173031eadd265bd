// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// What is in examples/ works, as far as one machine can tell.
@Suite struct ExampleTests {
  @Test func theKselftestPrintsKTAP() throws {
    let bad = try Program.shell(
      "examples/kselftest-dma.sh --trace fixtures/kernel/linux-7.3/bug-unmap-size/trace.txt"
    )
    #expect(bad.status == 1)
    #expect(bad.output.hasPrefix("KTAP version 1\n1..1\n"))
    #expect(bad.output.contains("not ok 3 DMA003 free-size\n"))
    let good = try Program.shell(
      "examples/kselftest-dma.sh --trace fixtures/kernel/linux-7.3/clean-streaming/trace.txt"
    )
    #expect(good.status == 0)
    let none = try Program.shell("TRACEFS=/nowhere examples/kselftest-dma.sh true")
    #expect(none.status == 4)
    #expect(none.output.contains("# SKIP"))
    // A tracer that is only files.
    let traced = try Program.shell(
      """
      d=$(mktemp -d); mkdir -p $d/events/dma; touch $d/trace $d/events/dma/enable
      TRACEFS=$d examples/kselftest-dma.sh cp fixtures/kernel/linux-7.3/bug-unmap-size/trace.txt $d/trace
      echo status $?; rm -rf $d
      """
    )
    #expect(traced.output.contains("not ok 3 DMA003 free-size"))
    #expect(traced.output.hasSuffix("status 1\n"))
  }

  @Test func anEmulatedBootIsLinted() throws {
    // An emulator that writes a capture where the machine would.
    let emulator = Fixtures.temporary(
      "qemu",
      Array(
        """
        #!/bin/sh
        for word; do case $word in file:*/trace.txt) cp "$CAPTURE" "${word#file:}";;
        file:*) echo booting >"${word#file:}";; esac; done

        """.utf8
      )
    )
    let run =
      "chmod +x \(emulator); QEMU=\(emulator) LINT=-q examples/boot-and-lint.sh bzImage initrd"
    let bad = try Program.shell(
      "export CAPTURE=fixtures/kernel/linux-7.3/bug-double-unmap/trace.txt; \(run)"
    )
    #expect(bad.status == 1)
    #expect(bad.output.hasPrefix("bzImage:"))
    #expect(bad.output.contains("DMA002"))
    let good = try Program.shell(
      "export CAPTURE=fixtures/kernel/linux-7.3/clean-streaming/trace.txt; \(run)"
    )
    #expect(good.status == 0)
    let dead = try Program.shell("export CAPTURE=/nowhere; \(run)")
    #expect(dead.status == 2)
    #expect(dead.errors.contains("the machine wrote no trace"))
  }

  /// The commands of the workflows, run as they stand.
  @Test(arguments: ["github-actions.yml", "gitlab-ci.yml"])
  func theWorkflowsLint(_ name: String) throws {
    let lines = Fixtures.lines("\(Fixtures.root)/examples/\(name)")
    let command = try #require(lines.first { $0.contains("dmatop lint") })
    let words = command.drop { $0 == " " || $0 == "-" }
    let result = try Program.shell(
      """
      d=$(mktemp -d); mkdir $d/traces
      cp fixtures/kernel/linux-7.3/bug-unmap-size/trace.txt $d/traces/a.txt
      cp fixtures/kernel/linux-7.3/clean-sg/trace.txt $d/traces/b.txt
      cd $d; \(words); echo status $?; ls $d; rm -rf $d
      """
    )
    #expect(result.output.contains("status 1\n"))
    let files =
      name.hasPrefix("github")
      ? ["dmatop.sarif", "dmatop.md"] : ["gl-code-quality.json", "dmatop.xml"]
    for file in files {
      #expect(result.output.contains(file))
      #expect(lines.count { $0.contains(file) } >= 2)
    }
  }
}
