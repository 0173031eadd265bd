/// Whole files of bounded size: tables and scenarios beside a trace.
public enum FileBytes {
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
