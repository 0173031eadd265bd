// SPDX-License-Identifier: MIT

/// Reads one line of hand-written calls, which look like C.
struct CallParser {
  enum Line {
    case nothing
    case end
    case statement(Statement)
    case loop(Expression)
  }

  private enum Token: Equatable {
    case name(String)
    case number(UInt64)
    case text(String)
    case sign(String)
    case end
  }

  private let bytes: [UInt8]
  private let name: String
  private let line: Int
  private var position = 0
  private var token = Token.end
  private var column = 1
  private var depth = 0

  init(_ text: Substring, name: String, line: Int) {
    bytes = Array(text.utf8)
    self.name = name
    self.line = line
  }

  private func failure(_ problem: String) -> ScenarioError {
    ScenarioError(name: name, line: line, column: column, problem: problem)
  }

  mutating func parse() throws(ScenarioError) -> Line {
    try advance()
    switch token {
    case .end: return .nothing
    case .name("end"):
      try advance()
      try finish()
      return .end
    case .name("repeat"):
      try advance()
      let count = try expression()
      try finish()
      return .loop(count)
    case .name("assert"):
      try advance()
      let start = column - 1
      let value = try expression()
      try finish()
      let text = String(decoding: bytes[start...].prefix { $0 != 0x23 }, as: UTF8.self)
      return .statement(.assertion(value, text: Self.trimmed(text), line: line))
    case .name(let target):
      let mark = (position, token, column)
      try advance()
      if token == .sign("=") {
        try advance()
        let value = try expression()
        try finish()
        return .statement(.assign(target, value, line: line))
      }
      (position, token, column) = mark
    default: break
    }
    let value = try expression()
    guard case .call = value else { throw failure("a call, name = value, assert, repeat or end") }
    try finish()
    return .statement(.call(value, line: line))
  }

  private static func trimmed(_ text: String) -> String {
    var text = Substring(text)
    while text.last == " " || text.last == ";" { text.removeLast() }
    return String(text)
  }

  private mutating func finish() throws(ScenarioError) {
    if token == .sign(";") { try advance() }
    guard token == .end else { throw failure("more than one statement in a line") }
  }

  // MARK: Expressions

  private static let maximumDepth = 32
  private static let levels: [[String]] = [
    ["==", "!=", "<", ">", "<=", ">="], ["|"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"],
  ]

  private mutating func expression(_ level: Int = 0) throws(ScenarioError) -> Expression {
    guard level < Self.levels.count else { return try unary() }
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.maximumDepth * Self.levels.count else { throw failure("too deep") }
    var left = try expression(level + 1)
    while case .sign(let sign) = token, Self.levels[level].contains(sign) {
      try advance()
      left = .binary(sign, left, try expression(level + 1))
    }
    return left
  }

  private mutating func unary() throws(ScenarioError) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth < Self.maximumDepth * Self.levels.count else { throw failure("too deep") }
    let start = column
    switch token {
    case .sign("!"):
      try advance()
      return .not(try unary())
    case .sign("~"):
      try advance()
      return .complement(try unary())
    case .sign("-"):
      try advance()
      return .negative(try unary())
    case .sign("&"):
      try advance()
      guard case .name(let name) = token else { throw failure("a name behind &") }
      try advance()
      return .out(name, column: start)
    case .sign("("):
      try advance()
      let value = try expression()
      guard token == .sign(")") else { throw failure("')' is missing") }
      try advance()
      return value
    case .number(let value):
      try advance()
      return .number(value)
    case .text(let text):
      try advance()
      return .text(text)
    case .name(let name):
      try advance()
      guard token == .sign("(") else { return .name(name, column: start) }
      try advance()
      return .call(name, try arguments(), column: start)
    case .sign(let sign): throw failure("'\(sign)' does not fit here")
    case .end: throw failure("the line ends too early")
    }
  }

  private mutating func arguments() throws(ScenarioError) -> [Expression] {
    var values: [Expression] = []
    if token == .sign(")") {
      try advance()
      return values
    }
    while true {
      values.append(try expression())
      if token == .sign(",") {
        try advance()
        continue
      }
      guard token == .sign(")") else { throw failure("',' or ')' is missing") }
      try advance()
      return values
    }
  }

  // MARK: Tokens

  private mutating func advance() throws(ScenarioError) {
    while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 {
      position += 1
    }
    column = position + 1
    guard position < bytes.count, bytes[position] != UInt8(ascii: "#") else {
      token = .end
      return
    }
    let byte = bytes[position]
    if Self.isLetter(byte) {
      let word = take { Self.isLetter($0) || Self.isDigit($0) }
      token = .name(word)
    } else if Self.isDigit(byte) {
      let word = take { Self.isLetter($0) || Self.isDigit($0) }
      guard let value = ScenarioParser.number(word) else { throw failure("'\(word)' is no number") }
      token = .number(value)
    } else if byte == UInt8(ascii: "\"") {
      position += 1
      let text = take { $0 != UInt8(ascii: "\"") && $0 >= 0x20 && $0 < 0x7f }
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
        throw failure("a text without end")
      }
      position += 1
      token = .text(text)
    } else {
      let two = String(decoding: bytes[position..<min(position + 2, bytes.count)], as: UTF8.self)
      if ["==", "!=", "<=", ">=", "<<", ">>"].contains(two) {
        position += 2
        token = .sign(two)
      } else if "=<>|&+-*/%!~(),;".utf8.contains(byte) {
        position += 1
        token = .sign(String(UnicodeScalar(byte)))
      } else {
        throw failure("a character that has no meaning here")
      }
    }
  }

  private mutating func take(_ belongs: (UInt8) -> Bool) -> String {
    let start = position
    while position < bytes.count, belongs(bytes[position]) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte == 0x5f || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
}
