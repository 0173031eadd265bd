/// Opens captures of every kind.
public enum CaptureInput {
  /// A reader for a file, a FIFO, or standard input for `-`, whatever is in it.
  ///
  /// Waits for the first bytes of a pipe, which tell what it is.
  ///
  /// - Throws: ``TraceError`` when it cannot be read, or is nothing that dmatop reads.
  public static func open(_ path: String) throws(TraceError) -> any TraceReader {
    try open(ByteSource(path: path))
  }

  /// A reader for bytes in memory.
  public static func open(_ bytes: [UInt8], name: String) throws(TraceError) -> any TraceReader {
    try open(ByteSource(bytes: bytes, name: name))
  }

  static func open(_ source: ByteSource) throws(TraceError) -> any TraceReader {
    while source.head.count < 16, !source.ended { try source.fill() }
    switch InputKind.Binary(source.head) {
    case .traceDat:
      let file = try TraceDatFile(RandomAccessBytes(source))
      if let latency = file.latency, file.buffers.isEmpty {
        return try TextTraceReader(file.bytes, latency)
      }
      return TraceDatReader(file)
    default:
      return TextTraceReader(source)
    }
  }
}
