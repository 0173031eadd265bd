// SPDX-License-Identifier: MIT
import DMADebugCore
import DMALint
import DMAReplay
import DMATrace
import TerminalKit

@testable import DMAExport
@testable import DMAMonitor

/// Reads the input as a capture and hands it to one of those that take captures.
///
/// Which one follows from the input, so that each run is short; the fuzzer tries them all.
func runCapture(_ bytes: [UInt8]) {
  var choices = Choices(bytes)
  let options = options(&choices, bytes)
  guard let reader = try? Capture.openTrace(bytes, name: "input") else { return }
  run(reader, options, &choices)
}

/// The same for a dump, which is the state to begin with.
func runDump(_ bytes: [UInt8]) {
  var choices = Choices(bytes)
  guard let dump = try? MappingDump(bytes: bytes, name: "input") else { return }
  var options = options(&choices, [])
  options.startDump = dump
  run(DumpReader(dump), options, &choices)
}

/// A few inputs of each kind: small pools, the whole story claimed, another generation, a dump.
private func options(_ choices: inout Choices, _ bytes: [UInt8]) -> ReplayOptions {
  var options = ReplayOptions()
  options.isComplete = choices.next(2) == 0
  options.entries = choices.next(4) == 0 ? 32 : 65536
  options.allErrors = choices.next(4) == 0 ? 0 : 1
  options.dmaAlignment = choices.next(2) == 0 ? 1 : 64
  switch choices.next(4) {
  case 0: options.generation = .linux73
  case 1: options.generation = .linux612
  default: break
  }
  if choices.next(8) == 0 {
    options.startDump = try? MappingDump(bytes: Array(bytes.prefix(bytes.count / 2)), name: "dump")
  } else if choices.next(4) == 0 {
    options.startDump = try? MappingDump(bytes: knownDump, name: "dump")
  }
  return options
}

/// Mappings that inputs made from the kernel's captures may free.
private let knownDump = Array(
  """
  dmax_edu 0000:00:03.0 single idx 12288 P=0x0000000006000000 D=6000000 L=1000 cln=0x0000000000180000 \
  DMA_BIDIRECTIONAL dma map error check not applicable
  dmax_edu 0000:00:03.0 coherent idx 12289 P=0x0000000006002000 D=6002000 L=2000 cln=0x0000000000180080 \
  DMA_BIDIRECTIONAL dma map error check not applicable

  """.utf8
)

private func run(_ reader: any TraceReader, _ options: ReplayOptions, _ choices: inout Choices) {
  switch choices.next(8) {
  case 0: look(reader, options)
  case 1, 2: lint(reader, options)
  case 3: writeEvents(reader)
  case 4: exportPerfetto(reader, options)
  case 5: exportSQL(reader, options)
  default: show(reader, options, &choices)
  }
}

// MARK: Those that take captures

/// Statistics, reports, fields of events and mappings, virtual files.
private func look(_ reader: any TraceReader, _ options: ReplayOptions) {
  guard var replay = try? Replay(reader: reader, options: options) else { return }
  replay.collect([.reports, .changes])
  var statistics = Statistics()
  var text = TextBuffer()
  let generation = replay.engine.configuration.generation
  _ = try? replay.run(to: .end) { replay, event in
    for report in replay.output.reports {
      KernelMessage.append(report, replay.names, generation, to: &text)
    }
    for field in EventField.allCases {
      _ = field.value(
        of: event,
        number: replay.engine.eventCount,
        in: replay.batch,
        replay.names
      )
    }
    statistics.observe(event, replay.output)
    if text.bytes.count > 1 << 16 { text.removeAll() }
  }
  statistics.observe(replay.output)
  for file in VirtualFile.allCases { _ = replay.engine.read(file, names: replay.names) }
  let context = MappingContext(engine: replay.engine, names: replay.names, now: replay.time)
  for mapping in replay.engine.liveMappings().prefix(100) {
    for field in MappingField.allCases { _ = field.value(of: mapping, in: context) }
  }
  let snapshot = MappingSnapshot(replay.engine, replay.names)
  _ = StateDifference(from: snapshot, to: snapshot, isOneTrace: true)
}

/// The linter as the command runs it, with its checks and every report.
private func lint(_ reader: any TraceReader, _ options: ReplayOptions) {
  guard var replay = try? Replay(reader: reader, options: options) else { return }
  var configuration = LintConfiguration()
  configuration.leakMinimum = 2
  var session = LintSession(
    &replay,
    captures: ["input"],
    configuration,
    drawsCharts: true
  )
  _ = try? replay.run(to: .end) { replay, event in session.observe(&replay, event) }
  replay.finish()
  let results = session.finish(&replay).traces
  for format in ReportFormat.allCases { _ = format.render(results, ReportContext()) }
  _ = Baseline(results)
}

/// The formats of events: text, trace.dat, JSON lines, CSV.
private func writeEvents(_ first: any TraceReader) {
  var reader = first
  var text = FtraceWriter(writesStacks: true)
  guard var file = try? TraceDatWriter() else { return }
  var encoders = [
    EventRowEncoder(.json, fields: EventField.allCases),
    EventRowEncoder(.csv, fields: EventField.standard),
  ]
  var rows = TextBuffer()
  var batch = EventBatch()
  var number: UInt64 = 0
  while (try? reader.read(into: &batch)) == true {
    text.write(batch, names: reader.names)
    text.removeAll()
    try? file.write(batch, names: reader.names)
    for event in batch.events {
      number += 1
      for index in encoders.indices {
        encoders[index].append(event, number, batch, reader.names, to: &rows)
      }
    }
    rows.removeAll()
  }
  try? file.finish(
    names: reader.names,
    release: reader.summary.kernelRelease,
    clock: reader.summary.clock,
    version: "fuzz"
  ) { _ in }
}

private func exportPerfetto(_ reader: any TraceReader, _ options: ReplayOptions) {
  guard var replay = try? Replay(reader: reader, options: options) else { return }
  var export = PerfettoExport(&replay)
  _ = try? replay.run(to: .end) { replay, event in export.observe(replay, event) }
  export.finish(replay)
}

private func exportSQL(_ reader: any TraceReader, _ options: ReplayOptions) {
  guard var replay = try? Replay(reader: reader, options: options) else { return }
  do {
    var export = try SQLExport(
      path: ":memory:",
      &replay,
      source: "input",
      lint: LintConfiguration()
    )
    while let isEvent = try? replay.step(to: .end), isEvent {
      try export.observe(&replay, replay.lastEvent)
    }
    try export.finish(&replay)
  } catch {
    // There is neither a disk to fill nor anybody else: the exporter contradicts itself.
    fatalError("\(error)")
  }
}

// MARK: The monitor

private let sizes = [(1, 1), (7, 3), (20, 5), (40, 12), (80, 24), (200, 60)]

/// Every view in some size, and what comes of a few keys.
private func show(
  _ reader: any TraceReader,
  _ options: ReplayOptions,
  _ choices: inout Choices
) {
  guard
    let timeline = try? Timeline(reader, options: options, budget: 1 << 20, spacing: 64)
  else { return }
  var state = MonitorState(path: "input", moment: .end, timeline: timeline)
  while !state.isDone { state.advance(limit: .max) }
  let glyphs: Glyphs = choices.next(4) == 0 ? .ascii : .unicode
  for view in MonitorState.View.allCases {
    state.view = view
    draw(&state, glyphs, sizes[choices.next(sizes.count)])
  }
  state.view = MonitorState.View.allCases[choices.next(MonitorState.View.allCases.count)]
  let (width, height) = sizes[choices.next(sizes.count)]
  let screen = VirtualScreen(
    width: width,
    height: height,
    steps: (0..<16).flatMap { _ in steps(&choices) },
    glyphs: glyphs
  )
  var monitor = Monitor(state, glyphs: glyphs, effects: Monitor.Effects())
  monitor.run(on: screen)
  for frame in screen.frames { check(frame) }
}

private func steps(_ choices: inout Choices) -> [VirtualScreen.Step] {
  switch choices.next(8) {
  case 0:
    let keys: [Key] = [
      .enter, .escape, .down, .up, .end, .home, .pageDown, .tab, .function(5), .function(6),
    ]
    return [.key(keys[choices.next(keys.count)])]
  case 1:
    let (width, height) = sizes[choices.next(sizes.count)]
    return [.resize(Size(width: width, height: height))]
  case 2:
    let lines = ["\\size>4k", "\\nothing", ":goto 50%", ":sort -size", "ABD", "/0", "xI*", "b-1ms"]
    return [.type(lines[choices.next(lines.count)]), .key(.enter)]
  case 3: return [.key(.enter)]
  default:
    let actions = MonitorAction.allCases.filter { $0 != .quit }
    let keys = KeyMap().keys(actions[choices.next(actions.count)])
    return [keys.first.map { .key($0) } ?? .timeout]
  }
}

/// Draws a frame and looks at it.
func draw(_ state: inout MonitorState, _ glyphs: Glyphs, _ size: (width: Int, height: Int)) {
  let view = MonitorView(glyphs: glyphs, theme: state.settings.theme)
  check(view.frame(&state, width: size.width, height: size.height))
}

/// What is drawn must not be obeyed by a terminal.
private func check(_ frame: CellBuffer) {
  for y in 0..<frame.height {
    for cell in frame.row(y) {
      for scalar in cell.text.unicodeScalars {
        precondition(
          scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value),
          "a control character on the screen"
        )
      }
    }
  }
}
