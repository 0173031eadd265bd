import DMADebugCore
import Glibc

/// Buffered standard output. Nothing but results is written to it.
struct StandardOutput: ~Copyable {
  private static let flushSize = 1 << 16
  private var buffer = TextBuffer()

  init() {}

  deinit {
    Self.write(buffer.bytes, to: STDOUT_FILENO)
  }

  mutating func write(_ body: (inout TextBuffer) -> Void) {
    body(&buffer)
    if buffer.bytes.count >= Self.flushSize { flush() }
  }

  mutating func write(_ text: String) {
    write { $0.append(string: text) }
  }

  mutating func write(bytes: [UInt8]) {
    write { $0.append(bytes) }
  }

  mutating func flush() {
    Self.write(buffer.bytes, to: STDOUT_FILENO)
    buffer.removeAll()
  }

  /// Writes all bytes; gives up silently when nobody reads any more.
  static func write(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let written = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if written < 0 {
          if errno == EINTR { continue }
          return
        }
        done += written
      }
    }
  }
}

/// What is said to people on standard error.
enum StandardError {
  static func write(_ text: String) {
    StandardOutput.write(Array((text + "\n").utf8), to: STDERR_FILENO)
  }

  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
