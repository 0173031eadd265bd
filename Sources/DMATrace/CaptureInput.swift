import Glibc

/// Opens captures of every kind.
public enum CaptureInput {
  /// A reader for a file, a FIFO, or standard input for `-`, whatever is in it.
  ///
  /// Waits for the first bytes of a pipe, which tell what it is.
  ///
  /// - Throws: ``TraceError`` when it cannot be read, or is nothing that dmatop reads.
  public static func open(_ path: String) throws(TraceError) -> any TraceReader {
    if isPerfDirectory(path) { return try openPerfDirectory(path) }
    return try open(ByteSource(path: path))
  }

  /// A directory of `perf record --threads`: `data` with the header, `data.0`, `data.1` and so on.
  public static func isPerfDirectory(_ path: String) -> Bool {
    var status = stat()
    guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return false
    }
    return access(path + "/data", R_OK) == 0 && access(path + "/data.0", R_OK) == 0
  }

  /// The files of such a directory, that with the header first.
  public static func perfFiles(_ path: String) -> [String] {
    var files = [path + "/data"]
    while files.count <= 4096, access("\(path)/data.\(files.count - 1)", R_OK) == 0 {
      files.append("\(path)/data.\(files.count - 1)")
    }
    return files
  }

  private static func openPerfDirectory(_ path: String) throws(TraceError) -> any TraceReader {
    let files = perfFiles(path)
    let head = try ByteSource(path: files[0])
    var parts: [ByteSource] = []
    for file in files.dropFirst() { parts.append(try ByteSource(path: file)) }
    try fillHead(head)
    return try PerfDataReader(head, parts: parts)
  }

  private static func fillHead(_ source: ByteSource) throws(TraceError) {
    while source.head.count < 16, !source.ended { try source.fill() }
  }

  /// A reader for bytes in memory.
  public static func open(_ bytes: [UInt8], name: String) throws(TraceError) -> any TraceReader {
    try open(ByteSource(bytes: bytes, name: name))
  }

  static func open(_ source: ByteSource) throws(TraceError) -> any TraceReader {
    do throws(TraceError) {
      return try recognise(source)
    } catch {
      // The part that came before the end was requested is too short, and nothing else is wrong.
      throw source.isCut ? source.interruption : error
    }
  }

  private static func recognise(_ source: ByteSource) throws(TraceError) -> any TraceReader {
    try fillHead(source)
    switch InputKind.Binary(source.head) {
    case .traceDat:
      let file = try TraceDatFile(RandomAccessBytes(source))
      if let latency = file.latency, file.buffers.isEmpty {
        return try TextTraceReader(file.bytes, latency)
      }
      return TraceDatReader(file)
    case .perfData:
      return try PerfDataReader(source)
    case nil:
      return TextTraceReader(source)
    }
  }
}
