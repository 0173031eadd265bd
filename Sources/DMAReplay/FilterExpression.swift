// SPDX-License-Identifier: MIT
import DMADebugCore

/// Which rows to show: words that must all hold.
///
/// `word` is part of any text of the row; `a|b` either; `!x` not; `field:text` part of that field;
/// `field=value`, `field>4k`, `field<=1ms` compare; `~regex` matches a pattern in a name,
/// `field:~regex` in a field; `err` are rows with something wrong.
public struct FilterExpression {
  /// Something to hold a row against.
  public protocol Row {
    /// The value of a field, or `nil` when there is no field of that name.
    func value(_ field: String) -> FieldValue?
    /// All the texts that plain words are sought in.
    var texts: [String] { get }
    /// Those of them that are names, not numbers: what `~regex` looks at.
    var nameTexts: [String] { get }
    /// Whether something is wrong with it: what `err` asks for.
    var isError: Bool { get }
  }

  /// Why an expression is no filter.
  public struct ParseError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String, isAboutField: Bool = false) {
      self.description = description
      self.isAboutField = isAboutField
    }

    /// A part of the expression as messages quote it: the beginning of a long one, made safe to show.
    static func quote(_ text: String) -> String {
      let start = String(String.UnicodeScalarView(text.unicodeScalars.prefix(40)))
      return "'" + String(escaping: start.utf8) + (start.utf8.count < text.utf8.count ? "…'" : "'")
    }

    /// There is no field of that name.
    var isAboutField = false
  }

  enum Comparison {
    case equal, less, lessOrEqual, greater, greaterOrEqual

    @inline(__always)
    func holds(_ number: UInt64, _ quantity: UInt64) -> Bool {
      switch self {
      case .equal: number == quantity
      case .less: number < quantity
      case .lessOrEqual: number <= quantity
      case .greater: number > quantity
      case .greaterOrEqual: number >= quantity
      }
    }
  }

  indirect enum Term {
    case any([Term])
    case not(Term)
    case word(String)
    case pattern(Pattern)
    case fieldWord(String, String)
    case fieldPattern(String, Pattern)
    case compare(String, Comparison, String, UInt64?)
    /// `err`
    case error
  }

  /// A regular expression, compiled once.
  struct Pattern {
    /// The most bytes of a pattern, and of groups in each other: the compiler of patterns goes down
    /// into each, on the stack.
    static let maximumLength = 1024
    static let maximumDepth = 50

    private let regex: Regex<AnyRegexOutput>

    /// How deep parentheses and brackets of a pattern stand in each other at most; those that a
    /// backslash precedes may be counted, too.
    static func depth(_ source: String) -> Int {
      var depth = 0
      var deepest = 0
      for byte in source.utf8 {
        if byte == UInt8(ascii: "(") || byte == UInt8(ascii: "[") {
          depth += 1
          deepest = max(deepest, depth)
        } else if byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") {
          depth = max(0, depth - 1)
        }
      }
      return deepest
    }

    /// - Returns: `nil` when the source is none.
    init?(_ source: String) {
      guard let regex = try? Regex(source) else { return nil }
      self.regex = regex.ignoresCase()
    }

    func matches(_ text: String) -> Bool {
      text.firstMatch(of: regex) != nil
    }
  }

  /// The most bytes of an expression.
  public static let maximumLength = 1 << 16
  /// The most terms of an expression, alternatives counted one by one.
  public static let maximumTerms = 1000

  /// All must hold.
  let terms: [Term]

  /// Parses an expression; field names are checked against `fields`.
  ///
  /// - Parameter skipsOthers: leaves out what is asked of fields that are not there, as a filter that
  ///   is pinned to all views has to.
  public init(
    _ text: String,
    fields: Set<String>,
    skipsOthers: Bool = false
  ) throws(ParseError) {
    guard text.utf8.count <= Self.maximumLength else {
      throw ParseError("the filter has more than \(Self.maximumLength) bytes")
    }
    var terms: [Term] = []
    var count = 0
    for word in text.split(whereSeparator: \.isWhitespace) {
      // Each term costs a look at each row.
      count += 1 + word.utf8.count { $0 == UInt8(ascii: "|") }
      guard count <= Self.maximumTerms else {
        throw ParseError("the filter has more than \(Self.maximumTerms) terms")
      }
      do {
        terms.append(try Self.parse(String(word), fields))
      } catch {
        guard skipsOthers, error.isAboutField else { throw error }
      }
    }
    self.terms = terms
  }

  /// Rows that have a word, which is taken as it is.
  public init(plain word: String) {
    terms = [.word(word.lowercased())]
  }

  public var isEmpty: Bool { terms.isEmpty }

  /// Whether all terms hold for a row.
  public func matches(_ row: some Row) -> Bool {
    terms.allSatisfy { Self.holds($0, row) }
  }

  private static func parse(_ word: String, _ fields: Set<String>) throws(ParseError) -> Term {
    // However many there are, they are one or none.
    let negations = min(word.utf8.prefix { $0 == UInt8(ascii: "!") }.count, word.utf8.count - 1)
    if negations > 0 {
      let inner = try parse(String(word.utf8.dropFirst(negations)) ?? word, fields)
      return negations % 2 == 1 ? .not(inner) : inner
    }
    if word == "err" { return .error }
    if word.hasPrefix("~") { return .pattern(try pattern(String(word.dropFirst()))) }
    if let (field, comparison, value) = split(word) {
      guard fields.contains(field) else {
        throw ParseError(
          "no field \(ParseError.quote(field)); there are \(fields.sorted().joined(separator: ", "))",
          isAboutField: true
        )
      }
      // What is asked of one field may be one of several things.
      if comparison == .equal, value.contains("|") {
        var choices: [Term] = []
        for part in value.split(separator: "|").map(String.init) {
          choices.append(try parse(split(part) != nil ? part : "\(field)=\(part)", fields))
        }
        return .any(choices)
      }
      if comparison == nil {
        if value.hasPrefix("~") {
          return .fieldPattern(field, try pattern(String(value.dropFirst())))
        }
        let choices = value.split(separator: "|").map { Term.fieldWord(field, $0.lowercased()) }
        return choices.count == 1 ? choices[0] : .any(choices)
      }
      let isAddress = addressFields.contains(field)
      let number = isAddress ? address(value) : quantity(value)
      if number == nil, isAddress || numericFields.contains(field) {
        throw ParseError(
          "\(ParseError.quote(value)) is not a valid \(isAddress ? "address" : "number")"
        )
      }
      return .compare(field, comparison ?? .equal, value.lowercased(), number)
    }
    var choices: [Term] = []
    for part in word.split(separator: "|").map(String.init) {
      choices.append(split(part) != nil ? try parse(part, fields) : .word(part.lowercased()))
    }
    return choices.count == 1 ? choices[0] : .any(choices)
  }

  private static func pattern(_ source: String) throws(ParseError) -> Pattern {
    guard source.utf8.count <= Pattern.maximumLength else {
      throw ParseError("the pattern has more than \(Pattern.maximumLength) bytes")
    }
    guard Pattern.depth(source) <= Pattern.maximumDepth else {
      throw ParseError("the pattern nests groups more than \(Pattern.maximumDepth) deep")
    }
    guard let pattern = Pattern(source) else {
      throw ParseError("\(ParseError.quote(source)) is not a valid regular expression")
    }
    return pattern
  }

  /// `field:value`, `field>=value` … in its parts; `nil` comparison for the colon.
  private static func split(_ word: String) -> (String, Comparison?, String)? {
    guard
      let end = word.firstIndex(where: { !($0.isLetter || $0.isNumber || $0 == "_") }),
      end != word.startIndex
    else { return nil }
    let field = String(word[..<end])
    let rest = word[end...]
    for (sign, comparison) in [
      (">=", Comparison.greaterOrEqual), ("<=", .lessOrEqual), (">", .greater), ("<", .less),
      ("=", .equal),
    ] where rest.hasPrefix(sign) {
      let value = String(rest.dropFirst(sign.count))
      return value.isEmpty ? nil : (field, comparison, value)
    }
    // A device name such as 0000:00:1f.2 is a word, not a field.
    guard rest.hasPrefix(":"), field.first?.isLetter == true, rest.count > 1 else { return nil }
    return (field, nil, String(rest.dropFirst()))
  }

  /// Fields whose values are addresses, written in hexadecimal with or without `0x`.
  private static let addressFields: Set<String> = [
    "dma_addr", "phys_addr", "cpu_addr", "cacheline",
  ]

  /// Fields whose values are other numbers.
  private static let numericFields: Set<String> = {
    var names = Set(MappingField.allCases.filter(\.isNumeric).map(\.rawValue))
    names.formUnion(EventField.allCases.filter(\.isNumeric).map(\.rawValue))
    names.formUnion(names.filter { $0.hasSuffix("_ns") }.map { String($0.dropLast(3)) })
    return names.subtracting(addressFields)
  }()

  private static func address(_ text: String) -> UInt64? {
    UInt64(text.lowercased().hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16)
      ?? quantity(text)
  }

  /// A number with a unit of size (k, M, G: powers of 1024) or time (ns, us, ms, s, min, h).
  static func quantity(_ text: String) -> UInt64? {
    let lower = text.lowercased()
    if lower.hasPrefix("0x") { return UInt64(lower.dropFirst(2), radix: 16) }
    let digits = lower.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    guard !digits.isEmpty else { return nil }
    let factor: UInt64
    switch lower.dropFirst(digits.count) {
    case "ns": factor = 1
    case "us", "µs": factor = 1_000
    case "ms": factor = 1_000_000
    case "s": factor = 1_000_000_000
    case "min": factor = 60_000_000_000
    case "h": factor = 3_600_000_000_000
    case let unit:
      guard let bytes = FieldValue.unit(ofBytes: unit) else { return nil }
      factor = bytes
    }
    if let whole = UInt64(digits) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
      return overflow ? .max : product
    }
    guard let number = Double(digits) else { return nil }
    let product = number * Double(factor)
    return product < 1.8e19 ? UInt64(product) : .max
  }

  static func holds(_ term: Term, _ row: some Row) -> Bool {
    switch term {
    case .error: return row.isError
    case .any(let choices): return choices.contains { holds($0, row) }
    case .not(let inner): return !holds(inner, row)
    case .word(let word): return row.texts.contains { $0.lowercased().contains(word) }
    case .pattern(let pattern): return row.nameTexts.contains { pattern.matches($0) }
    case .fieldWord(let field, let word):
      return row.value(field)?.display.lowercased().contains(word) ?? false
    case .fieldPattern(let field, let pattern):
      return (row.value(field)?.display).map { pattern.matches($0) } ?? false
    case .compare(let field, let comparison, let text, let quantity):
      guard let value = row.value(field) else { return false }
      return compare(value, comparison, text, quantity)
    }
  }

  private static func compare(
    _ value: FieldValue,
    _ comparison: Comparison,
    _ text: String,
    _ quantity: UInt64?
  ) -> Bool {
    if let number = value.magnitude, let quantity { return comparison.holds(number, quantity) }
    guard case .text(let own) = value else { return false }
    return compare(own, comparison, text)
  }

  /// Compares texts without regard to case.
  static func compare(_ own: String, _ comparison: Comparison, _ text: String) -> Bool {
    let lower = own.lowercased()
    switch comparison {
    // dir=from is short for FROM_DEVICE.
    case .equal: return lower == text || lower.hasPrefix(text + "_")
    case .less: return lower < text
    case .lessOrEqual: return lower <= text
    case .greater: return lower > text
    case .greaterOrEqual: return lower >= text
    }
  }
}

extension FilterExpression.Row {
  public var nameTexts: [String] { texts }
  public var isError: Bool { false }
}
