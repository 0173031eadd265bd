// SPDX-License-Identifier: MIT

/// What stands before the event name of a line: task, CPU, flags, time, in any of the dialects.
struct LinePrefix {
  var cpu: UInt32 = 0
  var hasCPU = false
  var pid: Int32 = -1
  /// `comm`, without the blanks around it; empty when the line names none.
  var comm: UnsafeBufferPointer<UInt8>
  var time: UInt64 = 0
  /// The column of interrupts: `h`, `s` and the like within one, `.` otherwise, 0 without columns.
  var interruptMark: UInt8 = 0
  /// The time is not in nanoseconds.
  var isTicks = false
  /// Where the event name begins.
  var event: UnsafePointer<UInt8>

  private static let space = UInt8(ascii: " ")
  /// How many brackets or dashes are tried as the place that ends the task.
  private static let maximumTries = 16
  /// The longest `comm` of a kernel, in bytes.
  private static let longestComm = 15

  private init(_ start: UnsafePointer<UInt8>) {
    comm = UnsafeBufferPointer(start: start, count: 0)
    event = start
  }

  /// Finds the prefix of a line, or nothing when no dialect fits.
  init?(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    self.init(start)
    if findBracket(start, end) { return }
    if findLatency(start, end) { return }
    if findTime(start, end) { return }
    return nil
  }

  // MARK: Anchors

  /// `… [001] …`, or the `[284a423e]` of latency-format with verbose.
  private mutating func findBracket(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> Bool {
    var cursor = Cursor(start, end)
    for _ in 0..<Self.maximumTries {
      guard cursor.find(UInt8(ascii: "[")) else { return false }
      let bracket = cursor.at
      cursor.at += 1
      let inside = cursor.at
      if let number = cursor.decimal(), number < UInt64(UInt32.max), cursor.at - inside < 8,
        cursor.skip(UInt8(ascii: "]")), owner(start, bracket), tail(&cursor)
      {
        cpu = UInt32(number)
        hasCPU = true
        return true
      }
      cursor.at = inside
      if let stamp = cursor.bareHex(), cursor.at - inside >= 8,
        cursor.skip(UInt8(ascii: "]")), verbose(start, bracket, &cursor, stamp)
      {
        return true
      }
      cursor.at = inside
    }
    return false
  }

  /// `modprobe-1234    0d..1. 8080us+: `: latency-format, and `trace-cmd report -l`.
  private mutating func findLatency(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> Bool {
    var cursor = Cursor(start, end)
    for _ in 0..<Self.maximumTries {
      guard cursor.find(UInt8(ascii: "-")) else { return false }
      let dash = cursor.at
      cursor.at += 1
      let digits = cursor.at
      if let number = cursor.decimal(), number <= UInt64(Int32.max), cursor.byte == Self.space {
        cursor.skipSpaces()
        let place = cursor.at
        if let processor = cursor.decimal(), processor < UInt64(UInt32.max),
          cursor.at - place < 8, skipFlags(&cursor), tail(&cursor)
        {
          cpu = UInt32(processor)
          hasCPU = true
          pid = Int32(number)
          comm = Self.trimmed(start, dash)
          return true
        }
      }
      cursor.at = digits
    }
    return false
  }

  /// `perf script` without the CPU: `modprobe  1234  1234.567890: dma:dma_map_page: `.
  private mutating func findTime(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> Bool {
    var cursor = Cursor(start, end)
    for _ in 0..<Self.maximumTries {
      cursor.skipSpaces()
      let token = cursor.at
      if cursor.decimal() != nil, cursor.byte == UInt8(ascii: ".") {
        let point = cursor.at
        cursor.at += 1
        if cursor.decimal() != nil, cursor.at - point == 7 || cursor.at - point == 10,
          cursor.byte == UInt8(ascii: ":")
        {
          cursor.at = token
          if tail(&cursor) {
            if !owner(start, token) {
              pid = -1
              comm = Self.trimmed(start, token)
            }
            // A longer one is no comm, but a prefix that does not fit anywhere.
            return comm.count <= Self.longestComm
          }
        }
      }
      cursor.at = token
      if !cursor.find(Self.space) { return false }
    }
    return false
  }

  // MARK: Before the anchor

  /// Who ran: `comm-pid`, `comm pid`, `comm pid/tid`, perhaps with `(tgid)`; or nobody.
  private mutating func owner(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> Bool {
    var last = Self.trimEnd(start, end)
    pid = -1
    comm = UnsafeBufferPointer(start: start, count: 0)
    if last == start { return true }
    if last[-1] == UInt8(ascii: ")") {
      // (   1234) or (-------)
      var open = last - 1
      while open > start, last - open < 16, open.pointee != UInt8(ascii: "(") { open -= 1 }
      if open.pointee == UInt8(ascii: "(") { last = Self.trimEnd(start, open) }
      if last == start { return false }
    }
    // The digits of the thread.
    var first = last
    while first > start, Self.isDigit(first[-1]) { first -= 1 }
    if first == last { return false }
    var cursor = Cursor(first, last)
    guard let number = cursor.decimal(), number <= UInt64(Int32.max) else { return false }
    if first == start {
      pid = Int32(number)
      return true
    }
    switch first[-1] {
    case UInt8(ascii: "-"):
      comm = Self.withoutBuffer(start, first - 1)
    case UInt8(ascii: "/"):
      // pid/tid of perf; the process is of no use here.
      var place = first - 1
      while place > start, Self.isDigit(place[-1]) { place -= 1 }
      guard place < first - 1, place == start || place[-1] == Self.space else { return false }
      comm = Self.trimmed(start, place)
    case Self.space:
      comm = Self.trimmed(start, first)
    default:
      return false
    }
    pid = Int32(number)
    return true
  }

  /// Strips the column that `trace-cmd report` puts before the lines of another buffer.
  private static func withoutBuffer(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8> {
    if start < end, start.pointee != space {
      var cursor = Cursor(start, end)
      while cursor.find(UInt8(ascii: ":")) {
        cursor.at += 1
        if cursor.byte == space {
          let rest = trimmed(cursor.at, end)
          if !rest.isEmpty { return rest }
        }
      }
    }
    return trimmed(start, end)
  }

  /// `comm pid cpu flags count index [stamp] 8.082ms (+0.081ms): `
  private mutating func verbose(
    _ start: UnsafePointer<UInt8>,
    _ bracket: UnsafePointer<UInt8>,
    _ cursor: inout Cursor,
    _ stamp: UInt64
  ) -> Bool {
    guard cursor.skip(Self.space), cursor.decimal() != nil else { return false }
    isTicks = cursor.byte != UInt8(ascii: ".")
    guard cursor.find(UInt8(ascii: "(")), cursor.find(UInt8(ascii: ")")), cursor.skip("): ")
    else { return false }
    // Five columns of numbers before the stamp; only the first two matter.
    var column = Self.trimEnd(start, bracket)
    var numbers = (UInt64(0), UInt64(0))
    for index in 0..<5 {
      var first = column
      while first > start, first[-1] != Self.space { first -= 1 }
      var number = Cursor(first, column)
      if index == 3 || index == 4 {
        guard let value = number.decimal(), number.isAtEnd else { return false }
        if index == 3 { numbers.1 = value } else { numbers.0 = value }
      } else if number.bareHex() == nil || !number.isAtEnd {
        return false
      }
      column = Self.trimEnd(start, first)
    }
    guard numbers.0 <= UInt64(Int32.max), numbers.1 < UInt64(UInt32.max) else { return false }
    let (nanoseconds, overflow) = stamp.multipliedReportingOverflow(by: 1000)
    if overflow && !isTicks { return false }
    pid = Int32(numbers.0)
    cpu = UInt32(numbers.1)
    hasCPU = true
    comm = Self.trimmed(start, column)
    time = isTicks ? stamp : nanoseconds
    cursor.skipSpaces()
    event = cursor.at
    return true
  }

  // MARK: Behind the anchor

  private mutating func skipFlags(_ cursor: inout Cursor) -> Bool {
    let start = cursor.at
    guard cursor.find(Self.space) else { return false }
    let count = cursor.at - start
    guard count >= 3 && count <= 8 else { return false }
    // Behind irqs-off and need-resched, in all versions of the columns.
    interruptMark = start[2]
    return true
  }

  /// Flags, time, difference, period: everything up to the event name.
  private mutating func tail(_ cursor: inout Cursor) -> Bool {
    cursor.skipSpaces()
    let start = cursor.at
    if !stamp(&cursor) {
      cursor.at = start
      if Self.isQualified(cursor) {
        // `perf script -F` without the time.
        time = 0
        event = start
        return true
      }
      guard skipFlags(&cursor) else { return false }
      cursor.skipSpaces()
      guard stamp(&cursor) else { return false }
    }
    cursor.skipSpaces()
    if cursor.isAt("(+") {
      // --ts-diff
      let place = cursor.at
      cursor.at += 2
      while Self.isDigit(cursor.byte) || cursor.byte == UInt8(ascii: ".") { cursor.at += 1 }
      if cursor.skip(UInt8(ascii: ")")) { cursor.skipSpaces() } else { cursor.at = place }
    }
    let place = cursor.at
    if cursor.decimal() != nil, cursor.byte == Self.space {
      // The period of `perf script -F +period`.
      cursor.skipSpaces()
    } else {
      cursor.at = place
    }
    event = cursor.at
    return true
  }

  /// `1234.567890:`, `3:`, `8080us+:`
  private mutating func stamp(_ cursor: inout Cursor) -> Bool {
    guard let whole = cursor.decimal() else { return false }
    isTicks = false
    if cursor.skip(UInt8(ascii: ".")) {
      guard let part = cursor.fraction(), cursor.skip(UInt8(ascii: ":")) else { return false }
      let (product, high) = whole.multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, carry) = product.addingReportingOverflow(part)
      time = sum
      return !high && !carry
    }
    if cursor.skip("us") {
      if cursor.byte != UInt8(ascii: ":"), !cursor.isAtEnd { cursor.at += 1 }
      let (product, high) = whole.multipliedReportingOverflow(by: 1000)
      time = product
      return cursor.skip(UInt8(ascii: ":")) && !high
    }
    time = whole
    isTicks = true
    return cursor.skip(UInt8(ascii: ":")) && (cursor.byte == Self.space || cursor.isAtEnd)
  }

  /// Whether the event is written with its system, as perf does.
  func isQualified(_ end: UnsafePointer<UInt8>) -> Bool {
    Self.isQualified(Cursor(event, end))
  }

  /// Whether `system:event:` stands here.
  private static func isQualified(_ start: Cursor) -> Bool {
    var cursor = start
    var colons = 0
    while !cursor.isAtEnd, cursor.byte != space {
      if cursor.byte == UInt8(ascii: ":") { colons += 1 }
      cursor.at += 1
    }
    return colons == 2 && cursor.at[-1] == UInt8(ascii: ":")
      && start.byte != UInt8(ascii: ":") && !isDigit(start.byte)
  }

  // MARK: Bytes

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private static func trimEnd(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> UnsafePointer<UInt8> {
    var end = end
    while end > start, end[-1] == space { end -= 1 }
    return end
  }

  static func trimmed(
    _ start: UnsafePointer<UInt8>,
    _ end: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8> {
    var start = start
    while start < end, start.pointee == space { start += 1 }
    return UnsafeBufferPointer(start: start, count: trimEnd(start, end) - start)
  }
}
