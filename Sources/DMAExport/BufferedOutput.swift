// SPDX-License-Identifier: MIT
import DMADebugCore
import Glibc
import Synchronization

/// Buffered output to standard output, to which nothing but results is written, or to a file.
///
/// With ``StandardOutput``, ``StandardError`` and ``OutputFile`` this is all through which bytes
/// leave the program, and each of them escapes what could do harm on a terminal: nobody who writes
/// has to think of it.
package struct BufferedOutput: ~Copyable {
  package enum Content {
    /// Text for people, and what escapes by its own rules, such as JSON.
    case text
    /// Lines that end with CR LF.
    case csv
    /// Bytes that somebody asked for. On a terminal they are escaped all the same.
    case bytes
  }

  private static let flushSize = 1 << 16
  private var buffer = TextBuffer()
  private let descriptor: Int32
  private let content: Content
  /// What went wrong with a file; nobody gets to know it otherwise.
  private(set) var problem: Int32 = 0

  /// - Parameter descriptor: stays open.
  package init(to descriptor: Int32 = STDOUT_FILENO, _ content: Content = .text) {
    self.descriptor = descriptor
    self.content = content == .bytes && isatty(descriptor) == 1 ? .csv : content
  }

  deinit {
    _ = Descriptor.write(buffer.bytes, to: descriptor)
  }

  package mutating func write(_ body: (inout TextBuffer) -> Void) {
    let start = buffer.bytes.count
    body(&buffer)
    switch content {
    case .text: buffer.escapeControls(from: start)
    case .csv: buffer.escapeControls(from: start, keeping: .carriageReturnNewline)
    case .bytes: break
    }
    if buffer.bytes.count >= Self.flushSize { flush() }
  }

  package mutating func write(_ text: String) {
    write { $0.append(string: text) }
  }

  package mutating func write(bytes: [UInt8]) {
    write { $0.append(bytes) }
  }

  /// Text for people.
  ///
  /// - Parameter isColored: with its styles.
  package mutating func write(_ text: StyledText, isColored: Bool) {
    guard isColored else { return write(bytes: text.text.bytes) }
    text.append(to: &buffer)
    if buffer.bytes.count >= Self.flushSize { flush() }
  }

  package mutating func flush() {
    let code = Descriptor.write(buffer.bytes, to: descriptor)
    if problem == 0 { problem = code }
    buffer.removeAll()
  }
}

/// Standard input, output and error.
package enum StandardDescriptors {
  /// Opens standard descriptors that are closed, lest a file gets their number. Using them fails as
  /// before.
  package static func reserve() {
    for (number, mode) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
    ] where fcntl(number, F_GETFD) < 0 {
      _ = open("/dev/null", mode)
    }
  }
}

/// What is printed at once.
package enum StandardOutput {
  package static func write(_ text: String) {
    var output = BufferedOutput()
    output.write(text)
  }
}

/// What is said to people on standard error.
package enum StandardError {
  private static let writers = Atomic<Int>(0)

  /// Whether something is being written, so that SIGPIPE may be about it.
  package static var isWriting: Bool { writers.load(ordering: .relaxed) > 0 }

  /// Writes a line, or several.
  package static func write(_ text: String) {
    write(text + "\n", before: "")
  }

  package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Shows a line that the next one replaces; for a terminal.
  package static func show(status: String) {
    write(String(status.map { $0.isNewline ? " " : $0 }), before: clearance)
  }

  package static func clearStatus() {
    write("", before: clearance)
  }

  private static let clearance: StaticString = "\r\u{1b}[K"

  private static func write(_ text: String, before opening: StaticString) {
    var buffer = TextBuffer()
    buffer.append(opening)
    let start = buffer.bytes.count
    buffer.append(string: text)
    buffer.escapeControls(from: start)
    writers.add(1, ordering: .relaxed)
    _ = Descriptor.write(buffer.bytes, to: STDERR_FILENO)
    writers.subtract(1, ordering: .relaxed)
  }
}

/// Bytes as they are. For the sinks of this file only.
private enum Descriptor {
  /// Writes all bytes. When nobody reads standard output any more SIGPIPE ends the program, or, if
  /// that is ignored, status 2.
  ///
  /// - Returns: what went wrong, 0 when nothing did.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let written = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if written < 0 {
          if errno == EINTR { continue }
          if descriptor == STDOUT_FILENO { fail(errno) }
          return errno
        }
        done += written
      }
      return 0
    }
  }

  /// Results that nobody gets are no results.
  private static func fail(_ code: Int32) -> Never {
    StandardError.write("dmatop: standard output: \(String(cString: strerror(code)))")
    Glibc.exit(2)
  }
}
