// SPDX-License-Identifier: MIT
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
      if [.camera, .gpu, .dmaengine].contains(kind) {
        // Those that take part are like the first one.
        for (number, label) in ["dev2", "dev3"].enumerated() {
          var partner = device
          partner.name = "0000:0\(3 + number):00.0"
          partner.driver = "partner\(number)"
          scenario.devices.append(Scenario.NamedDevice(label: label, options: partner))
        }
        (workload.encoder, workload.display) = ("0000:03:00.0", "0000:04:00.0")
        workload.controller = "0000:03:00.0"
      }
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
      var scenario = place.scenario(Self.kind(fault))
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

  /// A driver that can make a mistake.
  private static func kind(_ fault: Fault) -> WorkloadOptions.Kind {
    switch fault {
    case .leakedAttachment, .detachWhileMapped, .unmapAttachmentTwice, .unbalancedVmap,
      .unbalancedKmap, .unbalancedPin, .leakedBuffer, .unendedCPUAccess, .cpuAccessOutside,
      .accessBeforeFence, .useAfterPut, .ignoredMove, .fenceNeverSignaled, .fenceDeadlock,
      .leakedRange, .unsyncedRange, .useAfterUnlink:
      .camera
    case .releaseInFlight, .unmapInFlight, .neverIssued: .dmaengine
    default: .nic
    }
  }

  @Test func everyMistakeIsMadeSomewhere() {
    var made = Set<Fault>()
    for place in Place.all {
      for kind in [WorkloadOptions.Kind.nic, .camera, .gpu, .dmaengine] {
        var scenario = place.scenario(kind)
        scenario.faults = Fault.allCases.map { FaultPlan($0) }
        let run = SimulatedRun(scenario, eventLimit: 6000)
        made.formUnion(run.simulation.injector?.injected.map(\.fault) ?? [])
        #expect(run.verdict.problems == [], "\(scenario.name)")
      }
    }
    #expect(made == Set(Fault.allCases), "\(Set(Fault.allCases).subtracting(made))")
  }

  /// Devices of different back ends share buffers: what one writes the others read.
  @Test(arguments: [true, false])
  func sharedBuffersAreRightBetweenAllBackEnds(_ isCoherent: Bool) {
    let backends = DeviceOptions.Backend.allCases
    for kind in [WorkloadOptions.Kind.camera, .gpu] {
      for producer in backends {
        for consumer in backends {
          var scenario = Place(backend: producer, isCoherent: isCoherent).scenario(kind)
          scenario.devices[2].options.backend = consumer
          scenario.devices[3].options.backend = consumer
          // The consumer may see the caches although the producer does not.
          scenario.devices[3].options.isCoherent = true
          let run = SimulatedRun(scenario, eventLimit: 2000)
          let name: Comment = "\(kind) \(producer) \(consumer) \(isCoherent)"
          #expect(run.simulation.machine.observations.isEmpty, name)
          #expect(run.outcome.mistakes.isEmpty, name)
          #expect(
            run.simulation.machine.calls[APIFunction.dmaBufExport.rawValue] > 0
              || run.simulation.machine.calls[APIFunction.dmaHeapBufferAlloc.rawValue] > 0,
            name
          )
        }
      }
    }
  }

  /// Stale bytes appear when a mistake says so, and only then.
  @Test(arguments: Place.all)
  func staleBytesOfSharedBuffersHaveACause(_ place: Place) {
    for fault in [Fault.cpuAccessOutside, .unendedCPUAccess, .accessBeforeFence, .ignoredMove] {
      var scenario = place.scenario(.camera)
      scenario.faults = [FaultPlan(fault, perMillion: 100_000)]
      let run = SimulatedRun(scenario, eventLimit: 3000)
      let injected = run.simulation.injector?.injected ?? []
      let observed = run.simulation.machine.observations
      #expect(run.verdict.problems == [], "\(scenario.name) \(fault.name)")
      for observation in observed { #expect(observation.fault != nil, "\(fault.name)") }
      for made in injected {
        let kinds = Set(observed.filter { $0.fault == made.number }.map(\.kind))
        #expect(kinds.isEmpty == made.observations.isEmpty, "\(scenario.name) \(fault.name)")
      }
    }
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
