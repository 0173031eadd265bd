// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAExport
import DMAReplay
import DMASimulator
import DMATrace

/// What is simulated: a scenario and what was changed about it.
struct SimulationOptions {
  var seed: UInt64?
  var duration: UInt64?
  var events: UInt64 = .max
  var kernel: KernelGeneration?
  var faults: [FaultPlan] = []
  var cpus: Int?
  /// Options of all workloads, by their names.
  var workload: [(key: String, value: String)] = []
  var hasStacks = false

  init() {}

  /// Sets an option by its name, as `--NAME VALUE` and `sim:…,NAME=VALUE` have it.
  ///
  /// - Returns: what is wrong, `nil` when nothing is.
  mutating func set(_ key: String, _ value: String) -> String? {
    switch key {
    case "seed":
      guard let number = UInt64(value) else { return "seed wants a number" }
      seed = number
    case "duration":
      guard let time = Scenario.duration(value) else { return "duration wants a time: 100ms, 2s" }
      duration = time
    case "events":
      guard let number = UInt64(value), number > 0 else { return "events wants a number" }
      events = number
    case "kernel":
      guard let generation = KernelGeneration(version: value) else {
        return "kernel wants a version from 6.12 on"
      }
      kernel = generation
    case "fault":
      guard let plans = FaultPlan.parse(value) else {
        return "'\(String(escaping: value.utf8))' is no fault; 'dmatop sim --list-faults' has them"
      }
      faults += plans
    case "cpus":
      guard let number = Int(value), (1...256).contains(number) else {
        return "cpus wants 1 to 256"
      }
      cpus = number
    case "rate", "depth", "size", "mode":
      var probe = WorkloadOptions(.nic, device: "")
      if let problem = probe.set(key, value) { return problem }
      workload.append((key, value))
    default:
      return "'\(String(escaping: key.utf8))' is none of seed, duration, events, kernel, fault,"
        + " cpus, rate, depth, size, mode"
    }
    return nil
  }

  /// The scenario of a name or in a file, changed.
  func scenario(_ name: String) throws -> Scenario {
    var scenario: Scenario
    if let known = try ScenarioLibrary.scenario(name) {
      scenario = known
    } else if Self.isFile(name) {
      let bytes = try FileBytes.read(name, limit: 1 << 20)
      scenario = try Scenario(
        text: String(decoding: bytes, as: UTF8.self),
        name: String(escaping: name.utf8)
      )
    } else {
      throw CommandError(
        "there is no scenario '\(String(escaping: name.utf8))'; 'dmatop sim --list' has them"
      )
    }
    if let seed { scenario.machine.seed = seed }
    if let duration {
      scenario.duration = duration
    } else if events != .max {
      scenario.duration = .max / 2
    }
    if let kernel { scenario.machine.generation = kernel }
    if let cpus { scenario.machine.cpus = cpus }
    for index in scenario.workloads.indices {
      for (key, value) in workload { _ = scenario.workloads[index].set(key, value) }
    }
    scenario.faults += faults
    scenario.machine.hasStacks = hasStacks
    return scenario
  }

  /// Whether the name of a scenario is that of a file.
  static func isFile(_ name: String) -> Bool {
    !ScenarioLibrary.all.contains { $0.name == name } && (name.contains("/") || name.contains("."))
  }

  /// The file that `sim:FILE,KEY=VALUE…` reads; `nil` for other paths.
  static func scenarioFile(path: String) -> String? {
    guard path.hasPrefix("sim:") else { return nil }
    return String(path.dropFirst(4).prefix { $0 != "," })
  }

  /// A simulation as `sim:NAME,KEY=VALUE…` names it; `nil` when the path does not.
  static func simulation(path: String) throws -> Simulation? {
    guard path.hasPrefix("sim:") else { return nil }
    let parts = path.dropFirst(4).split(separator: ",", omittingEmptySubsequences: false)
    var options = SimulationOptions()
    options.hasStacks = true
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else {
        throw CommandError("'\(String(escaping: part.utf8))' is no KEY=VALUE")
      }
      if let problem = options.set(String(pair[0]), String(pair[1])) { throw CommandError(problem) }
    }
    let scenario = try options.scenario(parts.first.map { String($0) } ?? "")
    return Simulation(scenario, eventLimit: options.events)
  }
}
