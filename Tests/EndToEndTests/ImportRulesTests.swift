// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// Imports go one way; see docs/ARCHITECTURE.md.
@Suite struct ImportRulesTests {
  private static let allowed: [String: Set<String>] = [
    "DMADebugCore": [],
    "DMATrace": ["DMADebugCore", "Glibc", "Synchronization", "CSQLite", "CZlib", "CZstd"],
    "DMASimulator": ["DMADebugCore"],
    "DMAReplay": ["DMADebugCore", "DMATrace", "DMASimulator", "Glibc"],
    "DMALint": [
      "DMADebugCore", "DMATrace", "DMAReplay", "Glibc", "TOMLKit", "FoundationEssentials",
    ],
    "DMAExport": [
      "DMADebugCore", "DMATrace", "DMAReplay", "DMALint", "Glibc", "Synchronization",
    ],
    "TerminalKit": ["CTerminal", "Glibc"],
    "DMAMonitor": [
      "DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint", "DMAExport",
      "TerminalKit", "Glibc", "Synchronization", "TOMLKit",
    ],
    "dmatop": [
      "DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint", "DMAExport",
      "DMAMonitor", "TerminalKit", "ArgumentParser", "CRevision", "Dispatch", "Glibc",
      "Synchronization",
    ],
  ]

  /// Every Swift file of a directory, deep.
  private static func files(_ directory: String) -> [String] {
    Fixtures.list(directory).flatMap { name -> [String] in
      let path = directory + "/" + name
      if name.hasSuffix(".swift") { return [path] }
      return name.contains(".") ? [] : files(path)
    }
  }

  private static func imports(_ file: String) -> [String] {
    Fixtures.lines(file).compactMap { line in
      let words = line.split(separator: " ")
      guard let position = words.firstIndex(of: "import"), position <= 1, words.count > position + 1
      else { return nil }
      return String(words[position + 1].prefix { $0 != "." })
    }
  }

  @Test func everyTargetImportsOnlyWhatItMay() {
    let sources = Fixtures.root + "/Sources"
    let targets = Fixtures.list(sources).filter {
      // Only module maps, or C.
      !["CRevision", "CTerminal", "CSQLite", "CZlib", "CZstd"].contains($0)
    }
    #expect(Set(targets) == Set(Self.allowed.keys))
    for target in targets {
      let files = Self.files(sources + "/" + target)
      #expect(!files.isEmpty)
      for file in files {
        for name in Self.imports(file) {
          #expect(
            Self.allowed[target]?.contains(name) == true,
            "\(file) must not import \(name)"
          )
        }
      }
    }
  }

  /// TOMLKit: one file of the linter's settings, one of the monitor's.
  @Test(arguments: [
    ("CTerminal", 1), ("CSQLite", 1), ("CZlib", 1), ("CZstd", 1), ("TOMLKit", 2),
    ("FoundationEssentials", 1),
  ])
  func fewFilesImport(_ module: String, _ count: Int) {
    let files = Self.files(Fixtures.root + "/Sources").filter {
      Self.imports($0).contains(module)
    }
    #expect(files.count == count)
  }

  /// Swift and C files and scripts say it in their first line, which `scripts/license-lines` writes.
  @Test func everySourceFileSaysItsLicense() throws {
    let check = try Program.shell("scripts/license-lines --check")
    let missing = check.output.split(separator: "\n")
    #expect(missing.isEmpty, "run scripts/license-lines: \(missing)")
    #expect(Fixtures.lines(Fixtures.root + "/LICENSE").first == "MIT License")
  }
}
