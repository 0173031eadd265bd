// SPDX-License-Identifier: MIT
import DMADebugCore

/// Whether what was found is what should have been: every mistake, and nothing else.
public struct Verdict: Sendable {
  /// What a report is compared by; reports of one call, kind and device are one.
  struct Key: Hashable {
    var event: UInt64
    var kind: Report.Kind
    var device: DeviceID
  }

  private var seen: Set<Key> = []
  /// Reports in their order, folded.
  private var reports: [Key] = []
  /// Sentences about what is missing or too much; empty when all is right.
  public private(set) var problems: [String] = []

  public init() {}

  /// Takes in what the engine reports; what is no mistake is passed over.
  public mutating func add(_ report: Report) {
    guard report.kind.isError || report.kind == .exceededOverlap else { return }
    let key = Key(event: report.eventNumber, kind: report.kind, device: report.device)
    if seen.insert(key).inserted { reports.append(key) }
  }

  /// How many mistakes were reported.
  public var reportCount: Int { reports.count }

  /// Compares with what the simulation says it did wrong and what the scenario expects.
  public mutating func judge(_ simulation: Simulation) {
    problems = []
    let machine = simulation.machine
    let faults = simulation.injector?.injected ?? []
    var rest = attribute(reports, faults, machine)
    rest = leaks(rest, faults, machine)
    var observations = machine.observations
    judgeObservations(&observations, faults)
    expectations(simulation, &rest, &observations)
    for key in rest.prefix(20) {
      problems.append(
        "not expected: \(key.kind.name) \(name(key.device, machine)) in event \(key.event)"
      )
    }
    for observation in observations.prefix(20) {
      let device = observation.device.map { " " + $0 } ?? ""
      problems.append("not expected: \(observation.kind.rawValue)\(device)")
    }
    problems += simulation.brokenAssertions.map { "does not hold: \($0)" }
    if let failure = simulation.failure { problems.append(failure.description) }
  }

  private func name(_ device: DeviceID, _ machine: Machine) -> String {
    machine.names.devices.string(device.rawValue)
  }

  /// Takes away what belongs to injected faults, and says what is missing of it.
  private mutating func attribute(
    _ reports: [Key],
    _ faults: [InjectedFault],
    _ machine: Machine
  ) -> [Key] {
    var rest: [Key] = []
    var found = [Set<Report.Kind>](repeating: [], count: faults.count)
    var position = 0
    for key in reports.sorted(by: { $0.event < $1.event }) {
      while position < faults.count, faults[position].events.upperBound <= key.event {
        position += 1
      }
      if position < faults.count, faults[position].events.contains(key.event),
        faults[position].reports.contains(key.kind)
      {
        found[position].insert(key.kind)
      } else {
        rest.append(key)
      }
    }
    for (fault, found) in zip(faults, found) {
      for kind in fault.reports.subtracting(found).sorted(by: { $0.rawValue < $1.rawValue }) {
        problems.append("missed: \(kind.name) of \(fault.fault.name) on \(fault.device)")
      }
    }
    return rest
  }

  /// Takes away the leaks that faults left, and says which were missed.
  private mutating func leaks(
    _ reports: [Key],
    _ faults: [InjectedFault],
    _ machine: Machine
  ) -> [Key] {
    var leaking: Set<String> = []
    for fault in faults where fault.leaksMapping { leaking.insert(fault.device) }
    var found: Set<String> = []
    let rest = reports.filter { key in
      guard key.kind == .pendingAtUnbind, leaking.contains(name(key.device, machine)) else {
        return true
      }
      found.insert(name(key.device, machine))
      return false
    }
    for device in machine.devices
    where device.options.bus == "pci" && leaking.contains(device.options.name)
      && !found.contains(device.options.name)
    {
      problems.append("missed: leak-at-unbind of \(device.options.name)")
    }
    return rest
  }

  private mutating func judgeObservations(
    _ observations: inout [Observation],
    _ faults: [InjectedFault]
  ) {
    var found = [Bool](repeating: false, count: faults.count)
    let hasLeaks = faults.contains { $0.leaksResources }
    observations.removeAll { observation in
      // What leaks runs out in the end.
      if hasLeaks, observation.kind.isExhaustion { return true }
      if let number = observation.fault, number < faults.count {
        let isExpected = faults[number].observations.contains(observation.kind)
        if isExpected { found[number] = true }
        return isExpected
      }
      return hasLeaks && observation.kind.isLeak
    }
    for (fault, found) in zip(faults, found) where !found && !fault.observations.isEmpty {
      let names = fault.observations.map(\.rawValue).sorted().joined(separator: " or ")
      problems.append("missed: \(names) of \(fault.fault.name) on \(fault.device)")
    }
  }

  /// Takes away what the scenario expects.
  private mutating func expectations(
    _ simulation: Simulation,
    _ reports: inout [Key],
    _ observations: inout [Observation]
  ) {
    let machine = simulation.machine
    for expectation in simulation.scenario.expectations
    where expectation.applies(to: machine.options.generation) {
      var found = 0
      func isMeant(_ device: String?) -> Bool {
        expectation.device == nil || expectation.device == device
      }
      let most = expectation.count ?? .max
      switch expectation.subject {
      case .report(let kind):
        reports.removeAll { key in
          guard found < most, key.kind == kind, isMeant(name(key.device, machine)) else {
            return false
          }
          found += 1
          return true
        }
      case .observation(let kind):
        observations.removeAll { observation in
          guard found < most, observation.kind == kind, isMeant(observation.device) else {
            return false
          }
          found += 1
          return true
        }
      }
      if let count = expectation.count ?? (found == 0 ? 1 : nil), found != count {
        problems.append(
          "\(simulation.scenario.name):\(expectation.line): expected \(expectation.subject.name)"
            + " \(count) times, found \(found)"
        )
      }
    }
  }
}

extension Scenario.Expectation {
  /// Whether this kernel reports it.
  func applies(to generation: KernelGeneration) -> Bool {
    if let from, !generation.isAtLeast(from) { return false }
    if let until, generation.isAtLeast(until) { return false }
    return true
  }
}
