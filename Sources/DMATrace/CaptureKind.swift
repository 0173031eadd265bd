import DMADebugCore

/// What a text input is, found out from its beginning.
public enum CaptureKind: Sendable, Equatable {
  /// Events, or nothing that anybody knows: the reader of traces says what it is.
  case trace
  /// A kernel log: of `dmesg`, `journalctl`, a syslog daemon, a serial console.
  case log
  /// A saved `dma-api/dump`.
  case dump

  /// How many lines are looked at.
  private static let maximumLines = 400

  /// Looks at the beginning of an input.
  public init(_ head: UnsafeBufferPointer<UInt8>) {
    // Words are loaded beyond the end of a line: give it room.
    var bytes = Array(head.prefix(64 << 10))
    let count = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: ByteSource.padding))
    self = bytes.withUnsafeBufferPointer { all in
      guard let start = all.baseAddress else { return .trace }
      return Self.decide(Cursor(start, start + count), isWhole: head.count <= 64 << 10)
    }
  }

  private static func decide(_ all: Cursor, isWhole: Bool) -> CaptureKind {
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
    return logs > traces ? .log : .trace
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

/// An input that was opened and recognised by its content.
public enum Capture {
  case trace(any TraceReader)
  case log(LogReader)
  case dump(MappingDump)

  /// Opens a file, a FIFO, or standard input for `-`.
  ///
  /// - Parameter expectsState: An empty input is a dump of a machine that has nothing mapped; else it
  ///   is a trace, of which its reader says that it is empty.
  /// - Throws: ``TraceError`` when it cannot be opened or read.
  public init(path: String, expectsState: Bool = false) throws(TraceError) {
    if CaptureInput.isPerfDirectory(path) {
      self = .trace(try CaptureInput.open(path))
      return
    }
    let source = try ByteSource(path: path)
    if source.bytes.isEmpty { try source.fill() }
    if expectsState, source.bytes.isEmpty, source.ended {
      self = .dump(try MappingDump(source))
    } else {
      self = try Self.recognised(source)
    }
  }

  /// Recognises an input that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  public init(bytes: [UInt8], name: String) throws(TraceError) {
    self = try Self.recognised(ByteSource(bytes: bytes, name: name))
  }

  private static func recognised(_ source: ByteSource) throws(TraceError) -> Capture {
    if source.bytes.isEmpty { try source.fill() }
    if InputKind.Binary(source.head) != nil { return .trace(try CaptureInput.open(source)) }
    switch CaptureKind(source.bytes) {
    case .trace: return .trace(try CaptureInput.open(source))
    case .log: return .log(LogReader(source))
    case .dump: return .dump(try MappingDump(source))
    }
  }
}
