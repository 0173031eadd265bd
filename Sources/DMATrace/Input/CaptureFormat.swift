// SPDX-License-Identifier: MIT
import DMADebugCore

/// What an input is, found out from its beginning.
public enum CaptureFormat: Sendable, Equatable {
  /// A `trace.dat` of trace-cmd.
  case traceDat
  /// A `perf.data`.
  case perfData
  /// The text of ftrace, or nothing that anybody knows: the reader of texts says what it is.
  case text
  /// A kernel log: of `dmesg`, `journalctl`, a syslog daemon, a serial console.
  case log
  /// A saved `dma-api/dump`.
  case dump

  /// How many lines are looked at.
  private static let maximumLines = 400
  /// How many bytes are looked at.
  private static let maximumBytes = 64 << 10
  /// How many bytes tell the binary formats apart.
  static let magicLength = 16

  /// Looks at the beginning of an input: the more of it, up to 64 KiB, the better.
  public static func detect(_ head: UnsafeBufferPointer<UInt8>) -> CaptureFormat {
    if let binary = detectBinary(head.prefix(magicLength)) { return binary }
    // Words are loaded beyond the end of a line: give it room.
    var bytes = Array(head.prefix(maximumBytes))
    let count = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: ByteSource.padding))
    return bytes.withUnsafeBufferPointer { all in
      guard let start = all.baseAddress else { return .text }
      return detectText(Cursor(start, start + count))
    }
  }

  /// A binary format, by the first bytes; `nil` for everything else.
  static func detectBinary(_ head: some Sequence<UInt8>) -> CaptureFormat? {
    if head.starts(with: [0x17, 0x08, 0x44] + Array("tracing".utf8)) { return .traceDat }
    if head.starts(with: "PERFILE2".utf8) || head.starts(with: "2ELIFREP".utf8) {
      return .perfData
    }
    return nil
  }

  private static func detectText(_ all: Cursor) -> CaptureFormat {
    var rest = all
    var (logs, dumps, traces, others, lines) = (0, 0, 0, 0, 0)
    while !rest.isAtEnd, lines < maximumLines {
      var end = rest
      let isComplete = end.find(0x0a)
      // What was cut off here decides nothing, unless it is all there is.
      if !isComplete, lines > 0 { break }
      var line = Cursor(rest.at, end.at)
      rest.at = min(end.at + 1, all.end)
      while line.at < line.end, line.end[-1] == 0x0d { line = Cursor(line.at, line.end - 1) }
      lines += 1
      var words = line
      words.skipSpaces()
      if words.isAtEnd { continue }
      if let parsed = try? DumpLine.parse(line), parsed.layout != .log {
        dumps += 1
      } else if isTraceLine(line) {
        traces += 1
      } else if isLogLine(line) {
        logs += 1
      } else {
        others += 1
      }
    }
    if dumps > 0, dumps > others, traces == 0 { return .dump }
    return logs > traces ? .log : .text
  }

  private static func isLogLine(_ line: Cursor) -> Bool {
    if line.byte == UInt8(ascii: "{") { return JournalEntry(line) != nil }
    if line.isAt("DMA-API: ") || line.isAt("One of leaked entries details: ") { return true }
    if LogPrefix.parse(line).isPresent { return true }
    var cursor = line
    while cursor.find(UInt8(ascii: "D")) {
      if cursor.isAt("DMA-API: ") { return true }
      cursor.at += 1
    }
    return false
  }

  /// A heading of ftrace or perf, or a line with a CPU in brackets and a time with a colon behind it.
  private static func isTraceLine(_ line: Cursor) -> Bool {
    if line.byte == UInt8(ascii: "#") || line.isAt("CPU:") || line.isAt("cpus=") { return true }
    var cursor = line
    while cursor.find(UInt8(ascii: "[")) {
      cursor.at += 1
      var place = cursor
      let start = place.at
      guard place.decimal() != nil, place.at - start == 3, place.skip(UInt8(ascii: "]")) else {
        continue
      }
      while place.find(UInt8(ascii: ":")) {
        if place.at[-1] >= 0x30, place.at[-1] <= 0x39, place.at + 1 < place.end, place.at[1] == 0x20
        {
          return true
        }
        place.at += 1
      }
    }
    return false
  }
}
