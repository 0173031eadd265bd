// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAExport
import DMASimulator
import DMATrace
import Dispatch
import Glibc

/// A recording being written, by a thread of its own: the simulation goes on meanwhile.
final class TraceRecorder: @unchecked Sendable {
  // Only the queue's thread touches the writer, the file and the failure until finish() has
  // waited for it; that is why the class may be shared.
  private static let flushSize = 1 << 18
  /// Batches that may wait: memory stays bounded when the disk is slower than the simulation.
  private static let waitingBatches = 16

  private let file: OutputFile
  /// Time passes as for real: whoever reads along gets events when they happen.
  private let isLive: Bool
  private let queue = DispatchQueue(label: "dmatop.recorder")
  private let room = DispatchSemaphore(value: waitingBatches)
  private var writer: FtraceWriter
  private var problem: (any Error)?

  init(path: String, writesStacks: Bool, isLive: Bool, _ simulation: Simulation) throws {
    self.isLive = isLive
    file = try OutputFile(path)
    writer = FtraceWriter(writesStacks: writesStacks)
    let options = simulation.machine.options
    writer.writeHeader(release: options.generation.version, cpus: options.cpus)
  }

  /// Takes events; waits when too many are under way.
  func write(_ batch: EventBatch, _ names: TraceNames) {
    room.wait()
    queue.async { [self] in
      defer { room.signal() }
      guard problem == nil else { return }
      writer.write(batch, names: names)
      if isLive || writer.count >= Self.flushSize { flush() }
    }
  }

  /// Waits until everything is written, and puts the file in its place.
  ///
  /// - Returns: How many bytes it was.
  func finish() throws -> UInt64 {
    queue.sync { if problem == nil { flush() } }
    if let problem { throw problem }
    try file.commit()
    return file.count
  }

  private func flush() {
    do {
      try file.write(writer.bytes)
      if isLive { try file.flushStream() }
    } catch {
      problem = error
    }
    writer.removeAll()
  }
}
