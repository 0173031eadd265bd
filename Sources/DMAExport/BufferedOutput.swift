import DMADebugCore
import Glibc

/// Buffered output to standard output, to which nothing but results is written, or to a file.
package struct BufferedOutput: ~Copyable {
  private static let flushSize = 1 << 16
  private var buffer = TextBuffer()
  private let descriptor: Int32

  /// - Parameter descriptor: stays open.
  package init(to descriptor: Int32 = STDOUT_FILENO) {
    self.descriptor = descriptor
  }

  deinit {
    Self.write(buffer.bytes, to: descriptor)
  }

  package mutating func write(_ body: (inout TextBuffer) -> Void) {
    body(&buffer)
    if buffer.bytes.count >= Self.flushSize { flush() }
  }

  package mutating func write(_ text: String) {
    write { $0.append(string: text) }
  }

  package mutating func write(bytes: [UInt8]) {
    write { $0.append(bytes) }
  }

  package mutating func flush() {
    Self.write(buffer.bytes, to: descriptor)
    buffer.removeAll()
  }

  /// Writes all bytes; gives up silently when nobody reads any more.
  package static func write(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let written = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if written < 0 {
          if errno == EINTR { continue }
          if descriptor == STDOUT_FILENO, errno != EPIPE { fail(errno) }
          return
        }
        done += written
      }
    }
  }
}

extension BufferedOutput {
  /// Results that nobody gets are no results.
  private static func fail(_ code: Int32) -> Never {
    StandardError.write("dmatop: standard output: \(String(cString: strerror(code)))")
    Glibc.exit(2)
  }
}

/// What is said to people on standard error.
package enum StandardError {
  package static func write(_ text: String) {
    BufferedOutput.write(Array((text + "\n").utf8), to: STDERR_FILENO)
  }

  package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}
