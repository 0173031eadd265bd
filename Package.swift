// swift-tools-version: 6.1
import Foundation
import PackageDescription

// The fuzzer's entry point links only with the fuzzer's runtime: scripts/fuzz asks for it.
let wantsFuzzer = ProcessInfo.processInfo.environment["DMATOP_FUZZ"] != nil

// The engine checks its own rules in debug builds, so in tests, and in the fuzzers.
let internalChecks: SwiftSetting =
  wantsFuzzer
  ? .define("DMATOP_INTERNAL_CHECKS")
  : .define("DMATOP_INTERNAL_CHECKS", .when(configuration: .debug))

let package = Package(
  name: "dmatop",
  products: [
    .executable(name: "dmatop", targets: ["dmatop"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
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
    .target(name: "DMATimeline", dependencies: ["DMADebugCore", "DMATrace", "DMASimulator"]),
    // Rules and findings.
    .target(
      name: "DMALint",
      dependencies: [
        "DMADebugCore", "DMATrace", .product(name: "TOMLKit", package: "TOMLKit"),
      ]
    ),
    // The C shim over ncursesw.
    .target(name: "CTerminal", linkerSettings: [.linkedLibrary("ncursesw")]),
    // Cells, keys, widths; knows nothing of DMA.
    .target(name: "TerminalKit", dependencies: ["CTerminal"]),
    .executableTarget(
      name: "dmatop",
      dependencies: [
        "DMADebugCore", "DMATrace", "DMASimulator", "DMATimeline", "DMALint", "TerminalKit",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "TOMLKit", package: "TOMLKit"),
      ]
    ),
    .executableTarget(
      name: "dmatop-bench",
      dependencies: ["DMADebugCore", "DMATrace", "DMASimulator", "DMATimeline", "DMALint"],
      path: "Benchmarks"
    ),

    .target(
      name: "TestSupport",
      dependencies: ["DMADebugCore", "DMATrace", "DMASimulator", "DMATimeline"],
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
    .testTarget(name: "DMATimelineTests", dependencies: ["DMATimeline", "TestSupport"]),
    .testTarget(name: "DMALintTests", dependencies: ["DMALint", "DMATimeline", "TestSupport"]),
    // A program for the terminal tests to start, press keys in, and kill.
    .executableTarget(
      name: "TerminalDemo",
      dependencies: ["TerminalKit"],
      path: "Tests/TerminalDemo"
    ),
    .testTarget(name: "TerminalKitTests", dependencies: ["TerminalKit", "TerminalDemo"]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["dmatop", "TestSupport", "DMATimeline", "DMALint"]
    ),
  ]
    + (wantsFuzzer
      ? [
        .executableTarget(
          name: "dmatop-fuzz",
          dependencies: ["DMADebugCore", "DMATrace", "DMASimulator", "DMATimeline", "DMALint"],
          path: "Fuzz"
        )
      ] : []),
  swiftLanguageModes: [.v6]
)
