// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAMonitor
import DMAReplay
import DMASimulator
import DMATrace
import Glibc

/// `dmatop sim`
struct SimCommand: FileCommand {
  static let configuration = CommandConfiguration(
    commandName: "sim",
    abstract: "Run a simulated machine: devices that use the DMA-API, rightly and wrongly.",
    discussion: """
      In a terminal the monitor shows it; without one, or with --headless or
      --record, it runs as fast as it can and says what it did. Exit status 1:
      something else was found than the scenario expects.

      Examples:
        dmatop sim nic --duration 100ms
        dmatop sim nvme --fault unmap-size@0.01 --record trace.txt
        dmatop sim --print usb >my.scenario && dmatop sim my.scenario
        dmatop lint sim:nic,fault=double-unmap@once
      """
  )

  @Argument(help: "A scenario of --list, or a file; docs/SCENARIOS.md tells what may be in it.")
  var scenario = "desktop"

  @Flag(help: "List the scenarios.")
  var list = false

  @Flag(help: "List the mistakes that drivers can be told to make.")
  var listFaults = false

  @Option(help: ArgumentHelp("Tell what a scenario does.", valueName: "name"))
  var describe: String?

  @Option(help: ArgumentHelp("Print the text of a scenario.", valueName: "name"))
  var print: String?

  @Flag(help: ArgumentHelp("Print the table of API functions in docs/API.md.", visibility: .hidden))
  var apiTable = false

  @Option(
    help: ArgumentHelp("Write the events as ftrace text; - for standard output.", valueName: "file")
  )
  var record: String?

  @Flag(help: "Write call stacks too.")
  var stacks = false

  @Flag(help: "Do not open the monitor.")
  var headless = false

  @Flag(help: "Let simulated time pass as real time does. The monitor always does.")
  var livePace = false

  @Option(help: ArgumentHelp("Simulated seconds in a second.", valueName: "factor"))
  var speed = 1.0

  @Option(help: ArgumentHelp("The same seed gives the same events.", valueName: "n"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("Simulated time: 100ms, 2s.", valueName: "time"))
  var duration: String?

  @Option(help: ArgumentHelp("End after so many events.", valueName: "n"))
  var events: UInt64?

  @Option(
    help: ArgumentHelp(
      "A mistake and how often: unmap-size@0.001, all@once. May be repeated.",
      valueName: "name[@rate]"
    )
  )
  var fault: [String] = []

  @Option(help: ArgumentHelp("Operations in a second, of each workload.", valueName: "n"))
  var rate: String?

  @Option(help: ArgumentHelp("Operations in flight, of each workload.", valueName: "n"))
  var depth: String?

  @Option(help: ArgumentHelp("Bytes of an operation, of each workload.", valueName: "bytes"))
  var size: String?

  @Option(help: "Buffers of network cards: map, recycle, xdp or jumbo.")
  var mode: String?

  @Option(help: ArgumentHelp("CPUs of the machine.", valueName: "n"))
  var cpus: String?

  @Option(help: "What is said at the end: text or json.")
  var format = Format.text

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
  }

  @OptionGroup var replay: ReplayArguments
  @OptionGroup var historyBudget: HistoryArguments

  func files() -> RunFiles {
    var files = RunFiles(reading: replay.files)
    for name in [scenario, describe].compactMap({ $0 }) where SimulationOptions.isFile(name) {
      files.read(name)
    }
    files.write(record)
    return files
  }

  func run() throws {
    if list { return listScenarios() }
    if listFaults { return listFaultNames() }
    if apiTable { return StandardOutput.write(APITable.markdown()) }
    if let describe { return try tell(describe) }
    if let print { return try show(print) }
    var options = SimulationOptions()
    options.hasStacks = stacks
    try set(&options)
    let isMonitor = record == nil && !headless && isatty(STDOUT_FILENO) == 1
    if isMonitor {
      options.hasStacks = true
      try openMonitor(options)
    } else {
      try runHeadless(options)
    }
  }

  /// Takes over the options of the command line.
  private func set(_ options: inout SimulationOptions) throws {
    func take(_ key: String, _ value: String?) throws {
      guard let value else { return }
      if let problem = options.set(key, value) { throw ValidationError("--\(key): \(problem)") }
    }
    try take("seed", seed.map { String($0) })
    try take("duration", duration)
    try take("events", events.map { String($0) })
    for fault in fault { try take("fault", fault) }
    try take("rate", rate)
    try take("depth", depth)
    try take("size", size)
    try take("mode", mode)
    try take("cpus", cpus)
    if case .generation(let generation) = replay.kernel { options.kernel = generation }
    guard speed > 0, speed.isFinite else { throw ValidationError("--speed wants more than 0.") }
  }

  private func openMonitor(_ options: SimulationOptions) throws {
    EndSignals.remove()
    var options = options
    // A monitor that ends after a moment is of no use: it runs until somebody quits.
    if duration == nil, events == nil { options.duration = 86_400_000_000_000 }
    let simulation = Simulation(try options.scenario(scenario), eventLimit: options.events)
    var settings = SettingsReader()
    try settings.readUsers()
    historyBudget.apply(to: &settings)
    let timeline = try Timeline(
      SimulationReader(simulation, speed: speed),
      options: replay.options(),
      budget: settings.settings.historyBytes
    )
    var state = MonitorState(path: "sim:\(scenario)", moment: .end, timeline: timeline)
    state.settings = settings.settings
    for warning in settings.warnings { state.say(warning) }
    try MonitorLauncher(ascii: false, noColor: false) { _, _ in }.runMonitor(state, session: nil)
  }

  // MARK: Headless

  private func runHeadless(_ options: SimulationOptions) throws {
    let simulation = Simulation(try options.scenario(scenario), eventLimit: options.events)
    let replayOptions = try replay.options()
    var run = SimulationRun(simulation, options: replayOptions)
    var reader: SimulationReader?
    if livePace { reader = SimulationReader(simulation, speed: speed) }
    let recorder = try record.map { path in
      try TraceRecorder(path: path, writesStacks: stacks, isLive: livePace, simulation)
    }
    try run.run(reader: reader) { batch, names in recorder?.write(batch, names) }
    let bytes = try recorder?.finish()
    let report: String
    switch format {
    case .text:
      let path = record.flatMap { $0 == "-" ? nil : $0 }
      report = run.summary(recorded: path, bytes: bytes ?? 0, verbose: replay.verbose)
    case .json: report = run.json()
    }
    if record == "-" { StandardError.write(report) } else { StandardOutput.write(report + "\n") }
    for warning in run.unmade(options.faults) { StandardError.write(warning) }
    if !run.verdict.problems.isEmpty { throw ExitCode(1) }
  }

  // MARK: Telling

  private func listScenarios() {
    var output = BufferedOutput()
    let width = ScenarioLibrary.all.map(\.name.count).max() ?? 0
    for (name, _) in ScenarioLibrary.all {
      guard let scenario = try? ScenarioLibrary.scenario(name) else { continue }
      output.write(
        name + String(repeating: " ", count: width + 2 - name.count) + scenario.title + "\n"
      )
    }
  }

  private func listFaultNames() {
    var output = BufferedOutput()
    let width = Fault.allCases.map(\.name.count).max() ?? 0
    for fault in Fault.allCases {
      let padding = String(repeating: " ", count: width + 2 - fault.name.count)
      output.write(fault.name + padding + fault.summary + "\n")
    }
  }

  private func show(_ name: String) throws {
    guard let entry = ScenarioLibrary.all.first(where: { $0.name == name }) else {
      throw CommandError(
        "there is no scenario '\(String(escaping: name.utf8))'; 'dmatop sim --list' has them"
      )
    }
    StandardOutput.write(entry.text + "\n")
  }

  private func tell(_ name: String) throws {
    let scenario = try SimulationOptions().scenario(name)
    var output = BufferedOutput()
    output.write("\(scenario.name): \(scenario.title)\n")
    if !scenario.about.isEmpty {
      output.write("\n")
      for line in scenario.about { output.write(line + "\n") }
    }
    output.write("\ndevices\n")
    for device in scenario.devices {
      let options = device.options
      var text = "  \(device.label)  \(options.bus) \(options.name), driver \(options.driver)"
      text += ", \(Self.words(options.backend)), \(options.addressBits) address lines"
      if !options.isCoherent { text += ", does not see the CPU's caches" }
      output.write(text + "\n")
    }
    if !scenario.workloads.isEmpty {
      output.write("workloads, for \(FieldValue.duration(scenario.duration))\n")
      for workload in scenario.workloads {
        let label = scenario.devices.first { $0.options.name == workload.device }?.label ?? ""
        var text = "  \(workload.kind.rawValue) on \(label): \(workload.rate) a second"
        text += ", \(workload.depth) in flight"
        if workload.kind == .nic { text += ", mode \(workload.mode.rawValue)" }
        for (role, name) in [
          ("encoder", workload.encoder), ("display", workload.display),
          ("controller", workload.controller),
        ] {
          guard let name else { continue }
          let partner = scenario.devices.first { $0.options.name == name }?.label ?? name
          text += ", \(role) \(partner)"
        }
        output.write(text + "\n")
      }
    }
    if scenario.hasCalls { output.write("calls written by hand: see --print \(name)\n") }
    if !scenario.faults.isEmpty {
      output.write("mistakes\n")
      for plan in scenario.faults {
        let rate = plan.perMillion.map { "\(Double($0) / 10_000) % of maps" } ?? "once"
        output.write("  \(plan.fault.name), \(rate): \(plan.fault.summary)\n")
      }
    }
    if scenario.expectations.isEmpty {
      output.write(scenario.faults.isEmpty ? "expected: nothing\n" : "")
    } else {
      output.write("expected\n")
      for expectation in scenario.expectations {
        var text = "  " + expectation.subject.name
        if let device = expectation.device { text += " of \(device)" }
        text += expectation.count.map { $0 == 1 ? "" : ", \($0) times" } ?? ", once or more"
        if let from = expectation.from { text += ", from \(from) on" }
        if let until = expectation.until { text += ", before \(until)" }
        output.write(text + "\n")
      }
    }
  }

  private static func words(_ backend: DeviceOptions.Backend) -> String {
    switch backend {
    case .direct: "mapped directly"
    case .swiotlb: "always bounced"
    case .iommu: "behind an IOMMU"
    case .ops: "dma_map_ops of its own"
    }
  }
}
