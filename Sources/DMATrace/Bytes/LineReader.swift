// SPDX-License-Identifier: MIT
import Glibc

/// The lines of an input, one at a time, as a log or a dump has them.
///
/// Holds one piece of the input and never more than its longest line: of a line beyond
/// ``ByteSource/maximumLine`` the beginning is given.
struct LineReader {
  let source: ByteSource
  /// The number of the line that was given last, from 1.
  private(set) var number: UInt64 = 0
  /// Bytes of lines that were given.
  private(set) var used: UInt64 = 0
  /// Lines that were too long.
  private(set) var cutLines: UInt64 = 0
  /// The last line had no line end.
  private(set) var endsOpen = false
  /// Bytes of the line that was given last, its line end included.
  private var pending = 0
  /// How many of the unread bytes are known to hold no line end.
  private var searched = 0
  /// What follows is the rest of a line that was too long.
  private var skips = false

  init(_ source: ByteSource) {
    self.source = source
  }

  /// Whether the next line may have to be waited for.
  var mayWait: Bool {
    guard source.isLive, !source.ended else { return false }
    return !source.bytes.dropFirst(pending).contains(0x0a) && !source.hasMore(within: 0)
  }

  /// The next line without its line end, as a cursor over the buffer of the source: valid until the
  /// next call. `nil` at the end.
  mutating func next() throws(TraceError) -> Cursor? {
    consume(pending)
    pending = 0
    while true {
      let bytes = source.bytes
      let start = bytes.baseAddress
      let end = start.flatMap { start in
        bytes.count > searched ? memchr(start + searched, 0x0a, bytes.count - searched) : nil
      }
      if skips {
        // The rest of a line whose beginning was given already.
        let length = start.flatMap { start in
          end.map { $0 - UnsafeMutableRawPointer(mutating: start) }
        }
        consume(length.map { $0 + 1 } ?? bytes.count)
        if length != nil {
          skips = false
          continue
        }
      } else if let start, let end {
        let length = end - UnsafeMutableRawPointer(mutating: start)
        pending = length + 1
        number += 1
        return line(start, length)
      } else if let start, bytes.count > ByteSource.maximumLine {
        pending = bytes.count
        skips = true
        number += 1
        cutLines += 1
        return line(start, ByteSource.maximumLine)
      }
      if source.ended {
        guard let start, !bytes.isEmpty, !skips else { return nil }
        pending = bytes.count
        endsOpen = true
        // A number may lack its last digits, and nothing would show it.
        if source.isCut { return nil }
        number += 1
        return line(start, bytes.count)
      }
      searched = source.bytes.count
      try source.fill()
    }
  }

  private mutating func consume(_ count: Int) {
    source.consume(count)
    used += UInt64(count)
    searched = 0
  }

  private func line(_ start: UnsafePointer<UInt8>, _ length: Int) -> Cursor {
    var length = length
    // Serial consoles end lines with one or more carriage returns.
    while length > 0, start[length - 1] == 0x0d || start[length - 1] == 0 { length -= 1 }
    return Cursor(start, start + length)
  }
}
