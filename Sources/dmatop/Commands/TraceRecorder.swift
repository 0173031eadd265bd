import DMADebugCore
import DMAExport
import DMASimulator
import DMATrace
import Dispatch
import Glibc

/// A recording being written, by a thread of its own: the simulation goes on meanwhile.
final class TraceRecorder: @unchecked Sendable {
  // Only the queue's thread touches the writer, the counts and the failure until finish() has
  // waited for it; that is why the class may be shared.
  private static let flushSize = 1 << 18
  /// Batches that may wait: memory stays bounded when the disk is slower than the simulation.
  private static let waitingBatches = 16

  private let path: String
  private let descriptor: Int32
  private let queue = DispatchQueue(label: "dmatop.recorder")
  private let room = DispatchSemaphore(value: waitingBatches)
  private var writer: FtraceWriter
  private var written: UInt64 = 0
  private var problem: Int32 = 0

  init(path: String, writesStacks: Bool, _ simulation: Simulation) throws {
    self.path = path
    if path == "-" {
      descriptor = STDOUT_FILENO
    } else {
      descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    }
    writer = FtraceWriter(writesStacks: writesStacks)
    guard descriptor >= 0 else {
      throw CommandError("\(displayName(path)): \(String(cString: strerror(errno)))")
    }
    let options = simulation.machine.options
    writer.writeHeader(release: options.generation.version, cpus: options.cpus)
  }

  /// Takes events; waits when too many are under way.
  func write(_ batch: EventBatch, _ names: TraceNames) {
    room.wait()
    queue.async { [self] in
      defer { room.signal() }
      guard problem == 0 else { return }
      writer.write(batch, names: names)
      if writer.count >= Self.flushSize { flush() }
    }
  }

  /// Waits until everything is written.
  ///
  /// - Returns: How many bytes it was.
  func finish() throws -> UInt64 {
    queue.sync {
      if problem == 0 { flush() }
      if descriptor != STDOUT_FILENO, close(descriptor) != 0, problem == 0 { problem = errno }
    }
    guard problem == 0 else {
      throw CommandError("\(displayName(path)): \(String(cString: strerror(problem)))")
    }
    return written
  }

  private func flush() {
    var done = 0
    while done < writer.count {
      let count = Glibc.write(descriptor, writer.bytes.baseAddress! + done, writer.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        problem = errno
        return
      }
      done += count
    }
    written += UInt64(done)
    writer.removeAll()
  }
}
