import DMADebugCore
import DMALint
import DMASimulator
import DMATimeline
import DMATrace

/// Reads the input as a trace, replays it in both judges and renders all that comes of it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  simulate(bytes)
  readLogAndDump(bytes)
  var options = ReplayOptions()
  // A few inputs of each kind: small pools, the whole story claimed, the other generation.
  let choice = bytes.last ?? 0
  options.isComplete = choice & 1 != 0
  options.entries = choice & 2 != 0 ? 32 : 65536
  options.allErrors = 1
  if choice & 4 != 0 { options.generation = .linux73 }
  // The first half as the dump to begin with.
  if choice & 8 != 0 {
    options.startDump = try? MappingDump(bytes: Array(bytes.prefix(size / 2)), name: "dump")
  }
  guard
    var replay = try? Replay(
      reader: TextTraceReader(bytes: bytes, name: "input"),
      options: options
    )
  else { return 0 }
  replay.collectChanges()
  var statistics = Statistics()
  var collector = FindingCollector(path: "input")
  var text = TextBuffer()
  let generation = replay.engine.configuration.generation
  _ = try? replay.run(to: .end) { replay, event in
    var reports: [Report] = []
    replay.takeReports(&reports)
    for report in reports {
      KernelMessage.append(report, replay.names, generation, to: &text)
      collector.add(report, replay.names, generation)
    }
    for field in EventField.allCases {
      _ = field.value(
        of: event,
        number: replay.engine.eventCount,
        in: replay.batch,
        replay.names
      )
    }
    statistics.observe(event, &replay)
    if text.bytes.count > 1 << 16 { text.removeAll() }
  }
  for file in VirtualFile.allCases { _ = replay.engine.read(file, names: replay.names) }
  let context = MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
  for mapping in replay.engine.liveMappings().prefix(100) {
    for field in MappingField.allCases { _ = field.value(of: mapping, in: context) }
  }
  return 0
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
