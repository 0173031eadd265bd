// swift-tools-version: 6.1
// SPDX-License-Identifier: MIT
import Foundation
import PackageDescription

// The fuzzer's entry point links only with the fuzzer's runtime: scripts/fuzz asks for it.
let wantsFuzzer = ProcessInfo.processInfo.environment["DMATOP_FUZZ"] != nil

// The engine checks its own rules in debug builds, so in tests, and in the fuzzers.
let internalChecks: SwiftSetting =
  wantsFuzzer
  ? .define("DMATOP_INTERNAL_CHECKS")
  : .define("DMATOP_INTERNAL_CHECKS", .when(configuration: .debug))

// The Makefile states the commit; without it `dmatop --version` says that it is unknown.
let revision = (ProcessInfo.processInfo.environment["DMATOP_REVISION"] ?? "unknown")
  .filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }

let package = Package(
  name: "dmatop",
  products: [
    .executable(name: "dmatop", targets: ["dmatop"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
  ],
  targets: [
    // The machine: events in, state and reports out. Standard library only.
    .target(name: "DMADebugCore", swiftSettings: [internalChecks]),
    // The library of SQLite.
    .systemLibrary(
      name: "CSQLite",
      pkgConfig: "sqlite3",
      providers: [.apt(["libsqlite3-dev"])]
    ),
    // Compression of captures; only module maps.
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    // Bytes to events, and events to files.
    .target(name: "DMATrace", dependencies: ["DMADebugCore", "CSQLite", "CZlib", "CZstd"]),
    // A machine that runs: memory, caches, IOMMU, the whole DMA-API, drivers and their mistakes.
    .target(name: "DMASimulator", dependencies: ["DMADebugCore"]),
    // One way to walk through a source of events.
    .target(name: "DMAReplay", dependencies: ["DMADebugCore", "DMATrace", "DMASimulator"]),
    // Rules and findings.
    .target(
      name: "DMALint",
      dependencies: [
        "DMADebugCore", "DMATrace", "DMAReplay", .product(name: "TOMLKit", package: "TOMLKit"),
      ]
    ),
    // Events, mappings and findings to files of other tools.
    .target(
      name: "DMAExport",
      dependencies: ["DMADebugCore", "DMATrace", "DMAReplay", "DMALint"]
    ),
    // The C shim over ncursesw.
    .target(name: "CTerminal", linkerSettings: [.linkedLibrary("ncursesw")]),
    // Cells, keys, widths; knows nothing of DMA.
    .target(name: "TerminalKit", dependencies: ["CTerminal"]),
    // The interactive monitor: keys in, cells out.
    .target(
      name: "DMAMonitor",
      dependencies: [
        "DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint", "DMAExport",
        "TerminalKit", .product(name: "TOMLKit", package: "TOMLKit"),
      ]
    ),
    // The commit that was built.
    .target(
      name: "CRevision",
      cSettings: [.define("DMATOP_REVISION", to: "\"\(revision)\"")]
    ),
    // The command line.
    .executableTarget(
      name: "dmatop",
      dependencies: [
        "DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint", "DMAExport",
        "DMAMonitor", "TerminalKit", "CRevision",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]
    ),
    .executableTarget(
      name: "dmatop-bench",
      dependencies: ["DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint"],
      path: "Benchmarks"
    ),

    .target(
      name: "TestSupport",
      dependencies: ["DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay"],
      path: "Tests/TestSupport"
    ),
    .testTarget(
      name: "DMADebugCoreTests",
      dependencies: ["DMADebugCore", "TestSupport"],
      swiftSettings: [internalChecks]
    ),
    .testTarget(
      name: "DMATraceTests",
      dependencies: ["DMATrace", "TestSupport", "CZlib", "CZstd"]
    ),
    .testTarget(name: "DMASimulatorTests", dependencies: ["DMASimulator", "TestSupport"]),
    .testTarget(name: "DMAReplayTests", dependencies: ["DMAReplay", "TestSupport"]),
    .testTarget(name: "DMALintTests", dependencies: ["DMALint", "DMAReplay", "TestSupport"]),
    // A program for the terminal tests to start, press keys in, and kill.
    .executableTarget(
      name: "TerminalDemo",
      dependencies: ["TerminalKit"],
      path: "Tests/TerminalDemo"
    ),
    .testTarget(name: "TerminalKitTests", dependencies: ["TerminalKit", "TerminalDemo"]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["dmatop", "TestSupport", "DMAReplay", "DMALint", "DMAExport", "DMAMonitor"]
    ),
  ]
    + (wantsFuzzer
      ? [
        .executableTarget(
          name: "dmatop-fuzz",
          dependencies: [
            "DMADebugCore", "DMATrace", "DMASimulator", "DMAReplay", "DMALint", "DMAExport",
            "DMAMonitor", "TerminalKit",
          ],
          path: "Fuzz"
        )
      ] : []),
  swiftLanguageModes: [.v6]
)
