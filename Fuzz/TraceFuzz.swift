import DMADebugCore
import DMALint
import DMAReplay
import DMASimulator
import DMATrace
import Glibc

/// Reads the input as a capture.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  // Each target has its own seeds; what does not look like them any more teaches nothing.
  switch target {
  case "dat":
    if bytes.starts(with: [0x17, 0x08, 0x44]) { replay(bytes) }
  case "perf":
    if bytes.starts(with: "PERFILE2".utf8) || bytes.starts(with: "2ELIFREP".utf8) { replay(bytes) }
  case "packed": replay(bytes)
  case "log", "dump": readLogAndDump(bytes)
  default:
    simulate(bytes)
    readLogAndDump(bytes)
    replay(bytes)
  }
  return 0
}

/// Which reader is tried: dat, perf, packed, log, dump; all of the text readers without it.
private let target = getenv("DMATOP_FUZZ_TARGET").map { String(cString: $0) } ?? ""

/// Replays the input in both judges and renders all that comes of it.
private func replay(_ bytes: [UInt8]) {
  var options = ReplayOptions()
  // A few inputs of each kind: small pools, the whole story claimed, the other generation.
  let choice = bytes.last ?? 0
  options.isComplete = choice & 1 != 0
  options.dmaAlignment = choice & 32 != 0 ? 64 : 1
  options.entries = choice & 2 != 0 ? 32 : 65536
  options.allErrors = 1
  if choice & 4 != 0 { options.generation = .linux73 }
  // The first half as the dump to begin with.
  if choice & 8 != 0 {
    options.startDump = try? MappingDump(bytes: Array(bytes.prefix(bytes.count / 2)), name: "dump")
  }
  guard let reader = try? CaptureInput.open(bytes, name: "input"),
    var replay = try? Replay(reader: reader, options: options)
  else { return }
  var configuration = LintConfiguration()
  configuration.leakMinimum = 2
  let log = choice & 16 != 0 ? logJoin(bytes) : nil
  var session = LintSession(
    &replay,
    captures: ["input"],
    configuration,
    log: log,
    drawsCharts: true
  )
  var statistics = Statistics()
  var text = TextBuffer()
  let generation = replay.engine.configuration.generation
  _ = try? replay.run(to: .end) { replay, event in
    var heard: (changes: [MappingChange], reports: [Report]) = ([], [])
    session.observe(&replay, event) { heard = ($0, $1) }
    for report in heard.reports { KernelMessage.append(report, replay.names, generation, to: &text) }
    for field in EventField.allCases {
      _ = field.value(
        of: event,
        number: replay.engine.eventCount,
        in: replay.batch,
        replay.names
      )
    }
    statistics.observe(event, changes: heard.changes, reports: heard.reports)
    if text.bytes.count > 1 << 16 { text.removeAll() }
  }
  let results = session.finish(&replay)
  let found = results.traces + (results.log.map { [$0] } ?? [])
  for format in ReportFormat.allCases { _ = format.render(found, ReportContext()) }
  for file in VirtualFile.allCases { _ = replay.engine.read(file, names: replay.names) }
  let context = MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
  for mapping in replay.engine.liveMappings().prefix(100) {
    for field in MappingField.allCases { _ = field.value(of: mapping, in: context) }
  }
}

/// The second half of the input as the kernel log of the same run.
private func logJoin(_ bytes: [UInt8]) -> LogJoin? {
  var reader = LogReader(bytes: Array(bytes.suffix(bytes.count / 2)), name: "log")
  return try? LogJoin(&reader, path: "log")
}

/// Reads the input as a kernel log and as a dump, whatever it is, lints and compares.
private func readLogAndDump(_ bytes: [UInt8]) {
  _ = try? Capture(bytes: bytes, name: "input")
  var reader = LogReader(bytes: bytes, name: "input")
  if let result = try? LintResult.linted(&reader, name: "input") {
    for format in ReportFormat.allCases { _ = format.render([result], ReportContext()) }
  }
  guard let dump = try? MappingDump(bytes: bytes, name: "input") else { return }
  _ = LintResult.linted(dump, name: "input")
  var engine = DMADebug(Configuration(generation: dump.generation ?? .linux612))
  var names = TraceNames()
  engine.adopt(dump.entries(interning: &names))
  let snapshot = MappingSnapshot(engine, names)
  _ = StateDifference(from: snapshot, to: snapshot, isOneTrace: false)
}

/// Reads the input as a scenario and runs it for a while.
private func simulate(_ bytes: [UInt8]) {
  guard bytes.count < 4096,
    var scenario = try? Scenario(text: String(decoding: bytes, as: UTF8.self), name: "input")
  else { return }
  scenario.machine.lowMemory = 64 << 20
  scenario.machine.highMemory = 4 << 20
  let simulation = Simulation(scenario, eventLimit: 500, statementLimit: 500)
  var batch = EventBatch()
  var writer = FtraceWriter()
  while simulation.read(into: &batch) {
    writer.write(batch, names: simulation.machine.names)
    writer.removeAll()
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
