// SPDX-License-Identifier: MIT
import DMADebugCore
import DMASimulator
import Glibc
import TestSupport
import Testing

/// Simulate, record, replay: the same bytes.
@Suite struct RecordingTests {
  private static let kernels = ["6.12", "7.3"]

  private func compare(_ scenario: Scenario, eventLimit: UInt64 = .max) throws {
    let run = SimulatedRun(scenario, eventLimit: eventLimit)
    let replayed = try run.replayed()
    let name: Comment =
      "\(scenario.name) \(scenario.machine.generation.version) \(scenario.machine.seed)"
    #expect(replayed.outcome.files == run.outcome.files, name)
    #expect(replayed.outcome.log == run.outcome.log, name)
    #expect(replayed.outcome.mistakes == run.outcome.mistakes, name)
    #expect(replayed.snapshots == run.snapshots, name)
    #expect(run.snapshots.count >= 3, name)
    #expect(run.verdict.problems == [], name)
  }

  private func scenario(_ name: String, _ kernel: String) throws -> Scenario {
    var scenario = try #require(try ScenarioLibrary.scenario(name))
    scenario.machine.generation = try #require(KernelGeneration(version: kernel))
    return scenario
  }

  @Test(arguments: ScenarioLibrary.all.map(\.name), kernels)
  func everyScenario(_ name: String, _ kernel: String) throws {
    var scenario = try scenario(name, kernel)
    scenario.machine.hasStacks = true
    try compare(scenario, eventLimit: 6000)
  }

  @Test(arguments: 1...200)
  func everySeed(_ seed: Int) throws {
    // Each seed runs another workload, all with mistakes, on both kernels.
    let names = ScenarioLibrary.all.map(\.name)
    let busy = try names.filter { try ScenarioLibrary.scenario($0)?.workloads.isEmpty == false }
    for kernel in Self.kernels {
      var scenario = try scenario(busy[seed % busy.count], kernel)
      scenario.machine.seed = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15
      scenario.faults = Fault.allCases.map { FaultPlan($0, perMillion: 5000) }
      try compare(scenario, eventLimit: 2500)
    }
  }

  /// All of it, which takes minutes: asked for by the environment.
  @Test(.enabled(if: getenv("DMATOP_ALL_SEEDS") != nil), arguments: ScenarioLibrary.all.map(\.name))
  func everyScenarioWithEverySeed(_ name: String) throws {
    for kernel in Self.kernels {
      for seed in 1...200 as ClosedRange<UInt64> {
        var scenario = try scenario(name, kernel)
        scenario.machine.seed = seed
        try compare(scenario, eventLimit: 5000)
      }
    }
  }

  @Test func theSameSeedGivesTheSameBytes() throws {
    let scenario = try scenario("faulty-desktop", "7.3")
    let first = SimulatedRun(scenario, eventLimit: 5000)
    let second = SimulatedRun(scenario, eventLimit: 5000)
    #expect(first.recording == second.recording)
    var other = scenario
    other.machine.seed = 2
    #expect(SimulatedRun(other, eventLimit: 5000).recording != first.recording)
  }
}
