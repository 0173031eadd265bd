// SPDX-License-Identifier: MIT
import DMADebugCore
import DMASimulator
import DMATrace
import Glibc

/// A simulation as a source of events, like a capture that is being made.
public final class SimulationReader: TraceReader {
  public let simulation: Simulation
  /// Simulated time in a second of real time; `nil` for as fast as it goes.
  private let speed: Double?
  private var begun: (real: UInt64, simulated: UInt64)?
  private var counts = TraceSummary()
  private let watch = InputEnd.Watch()

  /// - Parameter speed: Simulated seconds in a second, above 0; `nil` for as fast as it goes.
  public init(_ simulation: Simulation, speed: Double? = nil) {
    self.simulation = simulation
    self.speed = speed
    counts.dialect = "simulation"
    counts.kernelRelease = simulation.machine.options.generation.version
    counts.sawMapErrorHook = true
    counts.sawStacks = simulation.machine.options.hasStacks
  }

  public var names: TraceNames {
    get { simulation.machine.names }
    set { simulation.machine.names = newValue }
  }

  public var summary: TraceSummary { counts }

  public var progress: (read: UInt64, total: UInt64?) { (0, nil) }

  public var liveDescriptor: Int32? { nil }

  public var pace: Int? { speed != nil && !simulation.isFinished ? 20 : nil }

  public func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    guard !watch.ends(), simulation.read(into: &batch, until: limit()) else {
      batch.removeAll()
      return false
    }
    counts.events += UInt64(batch.events.count)
    for event in batch.events where event.kind.isCall {
      counts.dmaEvents += 1
    }
    return true
  }

  /// How far simulated time may go now.
  private func limit() -> UInt64 {
    guard let speed else { return .max }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    guard let begun else {
      self.begun = (now, simulation.progress.now)
      return simulation.progress.now
    }
    let passed = Double(now - begun.real) * speed
    return begun.simulated + UInt64(min(passed, 1e18))
  }
}
