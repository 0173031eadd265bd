// SPDX-License-Identifier: MIT
import Glibc

/// An input that was opened and recognised by its content.
public enum Capture {
  case trace(any TraceReader)
  case log(LogReader)
  case dump(MappingDump)

  /// Opens a file, a FIFO, or standard input for `-`, whatever is in it.
  ///
  /// Waits for the first bytes of a pipe, which tell what it is.
  ///
  /// - Parameter expectsState: An empty input is a dump of a machine that has nothing mapped; else it
  ///   is a trace, of which its reader says that it is empty.
  /// - Throws: ``TraceError`` when it cannot be opened or read.
  public static func open(
    _ path: String,
    expectsState: Bool = false
  ) throws(TraceError) -> Capture {
    if PerfDirectory.isOne(path) { return .trace(try openTrace(path)) }
    let source = try ByteSource(path: path)
    if source.bytes.isEmpty { try source.fill() }
    if expectsState, source.bytes.isEmpty, source.ended {
      return .dump(try MappingDump(source))
    }
    return try open(source)
  }

  /// Recognises an input that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  /// - Throws: ``TraceError`` when it cannot be read.
  public static func open(_ bytes: [UInt8], name: String) throws(TraceError) -> Capture {
    try open(ByteSource(bytes: bytes, name: name))
  }

  private static func open(_ source: ByteSource) throws(TraceError) -> Capture {
    if source.bytes.isEmpty { try source.fill() }
    switch CaptureFormat.detect(source.bytes) {
    case .log: return .log(LogReader(source))
    case .dump: return .dump(try MappingDump(source))
    case .traceDat, .perfData, .text: return .trace(try openTrace(source))
    }
  }

  // MARK: Events only

  /// A reader of the events in a file, a FIFO, or standard input for `-`.
  ///
  /// A text is taken as a trace, also when it looks like something else; its reader says so then.
  ///
  /// - Throws: ``TraceError`` when it cannot be read, or is nothing that dmatop reads.
  public static func openTrace(_ path: String) throws(TraceError) -> any TraceReader {
    if PerfDirectory.isOne(path) { return try PerfDirectory.open(path) }
    return try openTrace(ByteSource(path: path))
  }

  /// A reader of the events of a capture that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  /// - Throws: ``TraceError`` when it is nothing that dmatop reads.
  public static func openTrace(
    _ bytes: [UInt8],
    name: String
  ) throws(TraceError) -> any TraceReader {
    try openTrace(ByteSource(bytes: bytes, name: name))
  }

  private static func openTrace(_ source: ByteSource) throws(TraceError) -> any TraceReader {
    do throws(TraceError) {
      try source.fillHead(CaptureFormat.magicLength)
      switch CaptureFormat.detectBinary(source.head) {
      case .traceDat:
        let file = try TraceDatFile(RandomAccessBytes(source))
        if let latency = file.latency, file.buffers.isEmpty {
          return try TextTraceReader(file.bytes, from: latency.offset, text: latency.text)
        }
        return TraceDatReader(file)
      case .perfData: return try PerfDataReader(source)
      default: return TextTraceReader(source)
      }
    } catch {
      // The part that came before the end was requested is too short, and nothing else is wrong.
      throw source.isCut ? source.interruption : error
    }
  }
}

/// A directory of `perf record --threads`: `data` with the header, `data.0`, `data.1` and so on.
public enum PerfDirectory {
  /// Whether a path is one.
  public static func isOne(_ path: String) -> Bool {
    var status = stat()
    guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return false
    }
    return access(path + "/data", R_OK) == 0 && access(path + "/data.0", R_OK) == 0
  }

  /// Its files, that with the header first.
  public static func files(_ path: String) -> [String] {
    var files = [path + "/data"]
    while files.count <= 4096, access("\(path)/data.\(files.count - 1)", R_OK) == 0 {
      files.append("\(path)/data.\(files.count - 1)")
    }
    return files
  }

  fileprivate static func open(_ path: String) throws(TraceError) -> any TraceReader {
    let files = files(path)
    let head = try ByteSource(path: files[0])
    var parts: [ByteSource] = []
    for file in files.dropFirst() { parts.append(try ByteSource(path: file)) }
    try head.fillHead(CaptureFormat.magicLength)
    return try PerfDataReader(head, parts: parts)
  }
}
