// SPDX-License-Identifier: MIT
import Glibc

/// Whole files of bounded size: tables and scenarios beside a trace.
public enum FileBytes {
  /// The bytes of a regular file: settings and the like, which the program looks for by itself.
  ///
  /// Anything else in its place is refused: a FIFO would wait for its writer, a device may have no end.
  ///
  /// - Parameter limit: the most that is taken, in bytes.
  /// - Throws: ``TraceError`` when it cannot be read, is larger or is not a regular file.
  public static func readRegular(_ path: String, limit: Int) throws(TraceError) -> [UInt8] {
    let name = String(escaping: path.utf8)
    func problem(_ words: String) -> TraceError { TraceError(path: name, problem: words) }
    let file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard file >= 0 else {
      throw errno == ENXIO
        ? problem("not a regular file") : problem(String(cString: strerror(errno)))
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw problem("not a regular file")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while Int(status.st_size) <= limit, bytes.count <= limit {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw problem(String(cString: strerror(errno))) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
    throw problem("larger than \(limit >> 20) MiB")
  }

  /// The bytes of a file, or of standard input for `-`.
  ///
  /// - Parameter limit: the most that is taken, in bytes.
  /// - Throws: ``TraceError`` when it cannot be read or is larger.
  public static func read(_ path: String, limit: Int) throws(TraceError) -> [UInt8] {
    let source = try ByteSource(path: path)
    var bytes: [UInt8] = []
    while !source.ended {
      try source.fill()
      bytes.append(contentsOf: source.bytes)
      source.consume(source.bytes.count)
      if source.isCut { throw source.interruption }
      if bytes.count > limit {
        throw TraceError(path: source.name, problem: "is larger than \(limit >> 20) MiB")
      }
    }
    return bytes
  }
}
