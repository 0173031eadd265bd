// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMASimulator
import DMATrace
import TerminalKit

@testable import DMAMonitor

/// Reads the input as a kernel log and as a dump, whatever it is, lints and compares.
func readLogAndDump(_ bytes: [UInt8]) {
  _ = try? Capture.open(bytes, name: "input")
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

/// Reads the input as a table of devices, and replays with it.
func readDevices(_ bytes: [UInt8]) {
  guard let table = try? DeviceTable(bytes: bytes, name: "input") else { return }
  var options = ReplayOptions()
  options.devices = table
  guard var replay = try? Replay(reader: sample(), options: options) else { return }
  var session = LintSession(&replay, captures: ["input"], LintConfiguration())
  _ = try? replay.run(to: .end) { replay, event in session.observe(&replay, event) }
  _ = session.finish(&replay)
}

/// Reads the input as settings of the linter and of the monitor, and as a baseline.
func readSettings(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  var configuration = LintConfiguration()
  try? configuration.read(text, name: "input")
  var reader = SettingsReader()
  try? reader.read(text, name: "input")
  _ = reader.description
  _ = try? Baseline(bytes, name: "input")
}

/// Filters every view of a monitor by the input.
func runFilter(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  guard let timeline = try? Timeline(sample(), options: ReplayOptions()) else { return }
  var state = MonitorState(path: "input", moment: .end, timeline: timeline)
  while !state.isDone { state.advance(limit: .max) }
  for view in MonitorState.View.allCases {
    state.view = view
    _ = state.setFilter(text)
    draw(&state, .unicode, (80, 24))
  }
}

/// A short trace with something of everything.
private func sample() throws -> any TraceReader {
  try Capture.openTrace(sampleTrace, name: "sample")
}

private let sampleTrace: [UInt8] = {
  guard var scenario = try? ScenarioLibrary.scenario("desktop") else {
    fatalError("there is no desktop")
  }
  scenario.faults += FaultPlan.parse("all@10%") ?? []
  let simulation = Simulation(scenario, eventLimit: 400)
  var batch = EventBatch()
  var writer = FtraceWriter(writesStacks: true, isSimulation: true)
  writer.writeHeader(release: nil, cpus: nil)
  var bytes: [UInt8] = []
  while simulation.read(into: &batch) {
    writer.write(batch, names: simulation.machine.names)
    bytes += writer.bytes
    writer.removeAll()
  }
  return bytes + writer.bytes
}()

/// Reads the input as a scenario and runs it for a while.
func runScenario(_ bytes: [UInt8]) {
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
