// SPDX-License-Identifier: MIT
import DMADebugCore

/// A scenario that runs: the machine, who works on it, and how far it has come.
///
/// The same scenario with the same options makes the same events, byte for byte.
public final class Simulation {
  /// Where it stands.
  private enum Phase {
    case boot
    case calls
    case work
    case finished
  }

  public let scenario: Scenario
  public let machine: Machine
  public let injector: FaultInjector?
  private var interpreter: CallInterpreter
  private var workloads: [(workload: any Workload, device: Device, next: UInt64)] = []
  private var phase = Phase.boot
  /// Simulated nanoseconds at which the workloads end.
  private let end: UInt64
  /// Events after which the workloads end.
  private let eventLimit: UInt64
  /// Why the calls could not be carried out to their end.
  public private(set) var failure: ScenarioError?
  /// Assertions that did not hold.
  public var brokenAssertions: [String] { interpreter.broken }

  /// - Parameters:
  ///   - eventLimit: the workloads end after so many events; they end with their last step.
  ///   - statementLimit: calls written by hand that are carried out at most.
  public init(
    _ scenario: Scenario,
    eventLimit: UInt64 = .max,
    statementLimit: Int = CallInterpreter.maximumStatements
  ) {
    self.scenario = scenario
    self.eventLimit = eventLimit
    machine = Machine(scenario.machine)
    var labels: [(String, Device)] = []
    for device in scenario.devices {
      labels.append((device.label, machine.addDevice(device.options)))
    }
    injector =
      scenario.faults.isEmpty
      ? nil : FaultInjector(machine, scenario.faults, seed: scenario.machine.seed)
    interpreter = CallInterpreter(
      machine,
      name: scenario.name,
      devices: labels,
      limit: statementLimit
    )
    for options in scenario.workloads {
      guard let device = machine.devices.first(where: { $0.options.name == options.device }) else {
        continue
      }
      workloads.append((Driver.make(machine, device, options, injector), device, 0))
    }
    end = machine.now + scenario.duration
  }

  /// Whether everything was done.
  public var isFinished: Bool {
    if case .finished = phase { return true }
    return false
  }

  /// Simulated nanoseconds until now, and in all; events may end it before.
  public var progress: (now: UInt64, end: UInt64) { (machine.now, end) }

  /// Runs until there are some events or everything is done.
  ///
  /// - Parameters:
  ///   - batch: is emptied and takes the events.
  ///   - limit: simulated time at which to stop for now.
  /// - Returns: `false` when everything was done before.
  public func read(into batch: inout EventBatch, until limit: UInt64 = .max) -> Bool {
    if isFinished {
      batch.removeAll()
      return false
    }
    while machine.batch.events.count < 512, !isFinished, step(until: limit) {}
    machine.takeEvents(&batch)
    return true
  }

  /// - Returns: Whether to go on; `false` when the time has not come.
  private func step(until limit: UInt64) -> Bool {
    switch phase {
    case .boot:
      boot()
      phase = scenario.hasCalls ? .calls : .work
    case .calls:
      runCalls()
      phase = .work
    case .work:
      guard let index = nextWorkload(), failure == nil else {
        shutDown()
        phase = .finished
        return true
      }
      let due = workloads[index].next
      if machine.eventCount >= eventLimit || due >= end {
        shutDown()
        phase = .finished
        return true
      }
      if due > limit { return false }
      machine.takeInterrupts(until: due)
      if due > machine.now { machine.now = due / 1000 * 1000 }
      let wait = workloads[index].workload.run()
      // A workload that cannot keep up goes on at once.
      workloads[index].next = max(due &+ wait, due + 1000)
    case .finished: return false
    }
    return true
  }

  private func nextWorkload() -> Int? {
    guard var best = workloads.indices.first else { return nil }
    for index in workloads.indices where workloads[index].next < workloads[best].next {
      best = index
    }
    return best
  }

  private func boot() {
    machine.marker("dma-api: write all_errors 1")
    machine.switchTask("swapper/0", pid: 1, cpu: 0)
    for (index, device) in machine.devices.enumerated() where scenario.devices[index].isBound {
      let work = workloads.firstIndex { $0.device === device }
      machine.site = nil
      machine.switchTask("kworker/u8:0", pid: 10, cpu: 0)
      machine.driverBind(device) {
        guard let work else { return machine.setMasks(device) }
        workloads[work].workload.start()
        workloads[work].next = machine.now + UInt64(work) * 7000
      }
    }
    if !scenario.hasCalls { machine.marker("dma-api: snapshot start") }
  }

  private func runCalls() {
    machine.switchTask("scenario", pid: 1000, cpu: 0)
    machine.site = machine.makeSite("run_calls", module: "scenario")
    do {
      try interpreter.run(scenario.calls)
    } catch {
      failure = error
    }
    machine.marker("dma-api: snapshot calls")
  }

  /// Processes end, then the drivers leave, the last one first.
  private func shutDown() {
    machine.marker("dma-api: snapshot work")
    for (workload, _, _) in workloads { workload.finish() }
    machine.site = nil
    machine.switchTask("systemd-shutdow", pid: 1, cpu: 0)
    for device in machine.devices.reversed() where device.isBound {
      let work = workloads.first { $0.device === device }?.workload
      machine.site = nil
      machine.driverUnbind(device) { work?.stop() }
    }
    machine.lookForLeaks()
    machine.marker("dma-api: snapshot end")
  }
}
