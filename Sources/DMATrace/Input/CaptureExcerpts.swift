// SPDX-License-Identifier: MIT
import DMADebugCore

/// Single lines or records of a capture, to be shown beside what is said about them.
public enum CaptureExcerpts {
  /// The lines with these numbers, from 1, of a text that may be packed.
  ///
  /// - Parameters:
  ///   - wanted: numbers of lines.
  ///   - limit: bytes of a line that are kept; one more says that it is longer.
  /// - Returns: as far as the file can be read.
  public static func lines(
    _ path: String,
    _ wanted: Set<UInt64>,
    limit: Int
  ) -> [UInt64: [UInt8]] {
    guard let last = wanted.max(), let source = try? ByteSource(path: path) else { return [:] }
    var found: [UInt64: [UInt8]] = [:]
    var line: UInt64 = 1
    var text: [UInt8] = []
    var isWanted = wanted.contains(1)
    while line <= last {
      for byte in source.bytes {
        if byte == 0x0a {
          if isWanted {
            if text.last == 0x0d { text.removeLast() }
            found[line] = text
          }
          text.removeAll(keepingCapacity: true)
          line += 1
          isWanted = wanted.contains(line)
        } else if isWanted, text.count <= limit {
          text.append(byte)
        }
      }
      source.consume(source.bytes.count)
      if source.ended || (try? source.fill()) == nil { break }
    }
    if isWanted, !text.isEmpty { found[line] = text }
    return found
  }

  /// The records with these numbers, from 1, of a binary capture, as the kernel's text has them.
  public static func records(_ path: String, _ wanted: Set<UInt64>) -> [UInt64: [UInt8]] {
    guard let last = wanted.max(), var reader = try? Capture.openTrace(path) else { return [:] }
    var found: [UInt64: [UInt8]] = [:]
    var batch = EventBatch()
    var writer = FtraceWriter()
    while (try? reader.read(into: &batch)) == true {
      for (index, event) in batch.events.enumerated() where wanted.contains(event.line) {
        if event.kind == .lost { continue }
        writer.removeAll()
        writer.write(batch, at: index, names: reader.names)
        found[event.line] = Array(writer.bytes.dropLast())
      }
      if let line = batch.events.last?.line, line > last { break }
    }
    return found
  }
}
