import DMADebugCore
import DMASimulator
import TestSupport
import Testing

/// Bytes arrive when drivers do right, on every back end, and do not when they make the mistakes
/// that corrupt.
@Suite struct IntegrityTests {
  struct Place: Sendable, CustomTestStringConvertible {
    var backend: DeviceOptions.Backend
    var isCoherent = true
    var addressBits = 64
    var isConfidential = false

    var testDescription: String {
      "\(backend.rawValue) \(isCoherent ? "coherent" : "non-coherent") \(addressBits)"
    }

    static let all: [Place] = [
      Place(backend: .direct), Place(backend: .direct, isCoherent: false),
      Place(backend: .direct, addressBits: 32),
      Place(backend: .direct, isCoherent: false, addressBits: 32),
      Place(backend: .swiotlb), Place(backend: .swiotlb, isCoherent: false),
      Place(backend: .swiotlb, isConfidential: true), Place(backend: .iommu),
      Place(backend: .iommu, isCoherent: false), Place(backend: .iommu, addressBits: 32),
      Place(backend: .ops), Place(backend: .ops, isCoherent: false),
    ]

    func scenario(_ kind: WorkloadOptions.Kind, _ mode: WorkloadOptions.Mode = .map) -> Scenario {
      var scenario = Scenario(name: "\(testDescription) \(kind.rawValue) \(mode.rawValue)")
      scenario.machine.isCoherent = isCoherent
      scenario.machine.isConfidential = isConfidential
      scenario.duration = 60_000_000_000
      var device = DeviceOptions(name: "0000:01:00.0", driver: "example")
      device.backend = backend
      device.isCoherent = isCoherent
      device.addressBits = addressBits
      scenario.devices = [Scenario.NamedDevice(label: "dev0", options: device)]
      // A second device for the mistakes that need one.
      let other = DeviceOptions(name: "0000:02:00.0", driver: "other")
      scenario.devices.append(Scenario.NamedDevice(label: "dev1", options: other))
      var workload = WorkloadOptions(kind, device: device.name)
      workload.mode = mode
      scenario.workloads = [workload]
      return scenario
    }
  }

  private static let kinds: [(WorkloadOptions.Kind, WorkloadOptions.Mode)] =
    WorkloadOptions.Kind.allCases.filter { $0 != .nic }.map { ($0, .map) }
    + WorkloadOptions.Mode.allCases.map { (.nic, $0) }

  @Test(arguments: Place.all)
  func rightUseNeverSeesWrongBytes(_ place: Place) {
    for (kind, mode) in Self.kinds {
      let run = SimulatedRun(place.scenario(kind, mode), eventLimit: kind == .audio ? 200 : 3000)
      let name: Comment = "\(run.simulation.scenario.name)"
      #expect(run.simulation.machine.observations.isEmpty, name)
      #expect(run.outcome.mistakes.isEmpty, name)
      #expect(run.simulation.machine.eventCount >= 200, name)
    }
  }

  @Test(arguments: Place.all)
  func everyMistakeHasItsEffect(_ place: Place) {
    var seen = Set<Fault>()
    for fault in Fault.allCases {
      var scenario = place.scenario(.nic)
      scenario.faults = [FaultPlan(fault)]
      let run = SimulatedRun(scenario, eventLimit: 600)
      let injected = run.simulation.injector?.injected ?? []
      #expect(run.verdict.problems == [], "\(scenario.name) \(fault.name)")
      if injected.isEmpty { continue }
      seen.insert(fault)
      #expect(injected.count == 1)
      if fault.corruptsData { #expect(!run.simulation.machine.observations.isEmpty) }
    }
    #expect(seen.count > 25)
  }

  @Test func everyMistakeIsMadeSomewhere() {
    var made = Set<Fault>()
    for place in Place.all {
      var scenario = place.scenario(.nic)
      scenario.faults = Fault.allCases.map { FaultPlan($0) }
      let run = SimulatedRun(scenario, eventLimit: 6000)
      made.formUnion(run.simulation.injector?.injected.map(\.fault) ?? [])
      #expect(run.verdict.problems == [], "\(scenario.name)")
    }
    #expect(made == Set(Fault.allCases))
  }

  /// The verdict itself can fail: what was done is not what is said to have been done.
  @Test func aMistakeThatNobodyAnnouncedIsNoticed() throws {
    let text = """
      device dev0 driver=example
      calls
        dma_unmap_single(dev0, 0x1000, 64, DMA_TO_DEVICE)
      end
      """
    let silent = SimulatedRun(try Scenario(text: text, name: "silent"))
    #expect(silent.verdict.problems == ["not expected: free-not-allocated 0000:01:00.0 in event 7"])
    let wrong = SimulatedRun(try Scenario(text: text + "\nexpect free-size dev0", name: "wrong"))
    #expect(wrong.verdict.problems.count == 2)
    let right = SimulatedRun(
      try Scenario(text: text + "\nexpect free-not-allocated dev0", name: "right")
    )
    #expect(right.verdict.problems == [])
    let broken = SimulatedRun(
      try Scenario(text: "device d\ncalls\nassert 1 == 2\nend", name: "broken")
    )
    #expect(broken.verdict.problems == ["does not hold: broken:3: assert 1 == 2"])
  }
}
