// SPDX-License-Identifier: MIT
import Glibc

/// What is fuzzed: each target has its own seeds, and what does not look like them teaches nothing.
private enum Target: String {
  case text, dat, perf, packed, log, dump, devices, settings, filter, scenario

  func run(_ bytes: [UInt8]) {
    switch self {
    case .text:
      readLogAndDump(bytes)
      runCapture(bytes)
    case .dat:
      if bytes.starts(with: [0x17, 0x08, 0x44]) { runCapture(bytes) }
    case .perf:
      if bytes.starts(with: "PERFILE2".utf8) || bytes.starts(with: "2ELIFREP".utf8) {
        runCapture(bytes)
      }
    case .packed: runCapture(bytes)
    case .log: readLogAndDump(bytes)
    case .dump:
      readLogAndDump(bytes)
      runDump(bytes)
    case .devices: readDevices(bytes)
    case .settings: readSettings(bytes)
    case .filter: runFilter(bytes)
    case .scenario: runScenario(bytes)
    }
  }
}

private let target: Target = {
  let name = getenv("DMATOP_FUZZ_TARGET").map { String(cString: $0) } ?? "text"
  guard let target = Target(rawValue: name) else { fatalError("there is no target \(name)") }
  return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  target.run(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}

/// Numbers that follow from an input alone, so that what is found can be repeated.
struct Choices {
  private var state: UInt64

  init(_ bytes: [UInt8]) {
    // FNV-1a.
    state = bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } | 1
  }

  /// The next number below `limit`.
  mutating func next(_ limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int((state >> 11) % UInt64(limit))
  }
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ target: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

/// The package manager points `main` of a program here, where the fuzzer's own would be.
@_cdecl("dmatop_fuzz_main")
public func fuzzMain(
  _ count: CInt,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
  var count = count
  var arguments = arguments
  return runFuzzer(&count, &arguments) { fuzzOneInput($0, $1) }
}
