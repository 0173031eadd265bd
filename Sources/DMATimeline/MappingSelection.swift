import DMADebugCore

/// Filters and sorts live mappings by the million, without making a text for each.
///
/// A mapping is named by its slot in the table of the engine (``DMADebug/withMappings(_:)``). Names
/// (drivers, devices, tasks, sites …) are few: what a filter says of a name is found out once, and
/// for sorting each name gets its rank. Everything else is a number.
public struct MappingSelection {
  public let context: MappingContext
  /// Mappings that count as wrong beside those whose map error nobody asked for, by sequence.
  public var wrong: Set<UInt64> = []

  public init(_ context: MappingContext) {
    self.context = context
  }

  /// The slots of all live mappings, in the order in which they were made.
  public func all() -> [UInt32] {
    context.engine.withMappings { table in
      var pairs: [RadixSort.Pair] = []
      pairs.reserveCapacity(context.engine.liveCount)
      var isSorted = true
      for slot in table.indices where table[slot].sequence != 0 {
        let sequence = table[slot].sequence
        if let last = pairs.last, last.key > sequence { isSorted = false }
        pairs.append(RadixSort.Pair(key: sequence, slot: UInt32(slot)))
      }
      if !isSorted { RadixSort.sort(&pairs) }
      return pairs.map(\.slot)
    }
  }

  /// The mapping in a slot.
  public func mapping(_ slot: UInt32) -> Mapping {
    context.engine.withMappings { $0[Int(slot)] }
  }

  // MARK: Filtering

  /// Those of `slots` that all filters let through.
  ///
  /// - Parameter errorsOnly: only those with something wrong.
  public func filtered(
    _ slots: [UInt32],
    by filters: [FilterExpression],
    errorsOnly: Bool = false
  ) -> [UInt32] {
    var tests = filters.flatMap(\.terms).map { compile($0) }
    if errorsOnly { tests.append(.error) }
    guard !tests.isEmpty else { return slots }
    return context.engine.withMappings { table in
      slots.filter { slot in
        let mapping = table.baseAddress! + Int(slot)
        for test in tests where !holds(test, mapping) { return false }
        return true
      }
    }
  }

  /// What a filter says of the names of a field, found out once for each name.
  private final class NameTest {
    let field: MappingField
    let test: (String) -> Bool
    /// By code of a name: 0 not asked yet, 1 no, 2 yes.
    var verdicts: [UInt8] = []
    /// Codes that are no small numbers.
    var sparse: [UInt64: Bool] = [:]

    init(_ field: MappingField, _ test: @escaping (String) -> Bool) {
      self.field = field
      self.test = test
    }
  }

  private indirect enum Test {
    case any([Test])
    case not(Test)
    case name(NameTest)
    case hexadecimal(MappingField, HexadecimalText)
    case number(MappingField, FilterExpression.Comparison, UInt64)
    case error
    /// What is rare enough to go the slow way.
    case other(FilterExpression.Term)
  }

  private func compile(_ term: FilterExpression.Term) -> Test {
    switch term {
    case .any(let terms): return .any(terms.map { compile($0) })
    case .not(let inner): return .not(compile(inner))
    case .error: return .error
    case .word(let word): return compile(word)
    case .pattern(let pattern):
      // Of addresses the texts would have to be made; names are what patterns are about.
      return .any(
        MappingRow.textFields.filter(\.isName).map { field in
          .name(NameTest(field) { pattern.matches($0) })
        }
      )
    case .fieldWord(let name, let word):
      guard let field = MappingField(name: name), field.isName else { return .other(term) }
      return .name(NameTest(field) { $0.lowercased().contains(word) })
    case .fieldPattern(let name, let pattern):
      guard let field = MappingField(name: name), field.isName else { return .other(term) }
      return .name(NameTest(field) { pattern.matches($0) })
    case .compare(let name, let comparison, let text, let quantity):
      guard let field = MappingField(name: name) else { return .other(term) }
      if field.isName {
        return .name(NameTest(field) { FilterExpression.compare($0, comparison, text) })
      }
      return quantity.map { .number(field, comparison, $0) } ?? .other(term)
    }
  }

  /// A plain word: part of a name, or of an address in hexadecimal.
  private func compile(_ word: String) -> Test {
    var tests: [Test] = MappingRow.textFields.filter(\.isName).map { field in
      .name(NameTest(field) { $0.lowercased().contains(word) })
    }
    if let text = HexadecimalText(word) {
      tests += [.hexadecimal(.dmaAddress, text), .hexadecimal(.physicalAddress, text)]
    }
    return .any(tests)
  }

  private func holds(_ test: Test, _ mapping: UnsafePointer<Mapping>) -> Bool {
    switch test {
    case .any(let choices):
      for choice in choices where holds(choice, mapping) { return true }
      return false
    case .not(let inner): return !holds(inner, mapping)
    case .name(let test):
      guard let code = code(test.field, mapping) else { return false }
      return holds(test, code)
    case .hexadecimal(let field, let text):
      return code(field, mapping).map { text.isPart(of: $0) } ?? false
    case .number(let field, let comparison, let quantity):
      return code(field, mapping).map { comparison.holds($0, quantity) } ?? false
    case .error: return mapping.pointee.isUnchecked || wrong.contains(mapping.pointee.sequence)
    case .other(let term):
      return FilterExpression.holds(term, MappingRow(mapping.pointee, context))
    }
  }

  private func holds(_ test: NameTest, _ code: UInt64) -> Bool {
    guard code < 1 << 21 else {
      if let known = test.sparse[code] { return known }
      let verdict = test.test(text(test.field, code))
      test.sparse[code] = verdict
      return verdict
    }
    let index = Int(code)
    if index >= test.verdicts.count {
      let count = max(index + 1, test.verdicts.count * 2)
      test.verdicts += repeatElement(0, count: count - test.verdicts.count)
    }
    if test.verdicts[index] == 0 {
      test.verdicts[index] = test.test(text(test.field, code)) ? 2 : 1
    }
    return test.verdicts[index] == 2
  }

  // MARK: Sorting

  /// `slots` by a field. Equal ones stay in their order, those without a value come last.
  public func sorted(
    _ slots: [UInt32],
    by field: MappingField,
    ascending: Bool
  ) -> [UInt32] {
    var pairs: [RadixSort.Pair] = []
    pairs.reserveCapacity(slots.count)
    var rest: [UInt32] = []
    let flip: UInt64 = ascending ? 0 : .max
    context.engine.withMappings { table in
      for slot in slots {
        if let code = code(field, table.baseAddress! + Int(slot)) {
          pairs.append(RadixSort.Pair(key: code, slot: slot))
        } else {
          rest.append(slot)
        }
      }
    }
    if field.isName {
      let ranks = ranks(field, Set(pairs.map(\.key)))
      for index in pairs.indices { pairs[index].key = ranks[pairs[index].key] ?? 0 }
    }
    if !ascending { for index in pairs.indices { pairs[index].key ^= flip } }
    RadixSort.sort(&pairs)
    return pairs.map(\.slot) + rest
  }

  /// The places of names among each other, equal for equal names.
  private func ranks(_ field: MappingField, _ codes: Set<UInt64>) -> [UInt64: UInt64] {
    let named = codes.map { (code: $0, text: text(field, $0)) }
      .sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
    var ranks: [UInt64: UInt64] = [:]
    var rank: UInt64 = 0
    for (index, entry) in named.enumerated() {
      if index > 0, entry.text != named[index - 1].text { rank += 1 }
      ranks[entry.code] = rank
    }
    return ranks
  }

  // MARK: Fields as numbers

  /// The number of a field: of a name a number that stands for it; `nil` when there is no value.
  @inline(__always)
  private func code(_ field: MappingField, _ mapping: UnsafePointer<Mapping>) -> UInt64? {
    switch field {
    case .device: return UInt64(mapping.pointee.device.rawValue)
    case .driver: return UInt64(context.engine.driver(of: mapping.pointee.device).rawValue)
    case .type: return UInt64(mapping.pointee.type.rawValue)
    case .direction: return UInt64(mapping.pointee.direction.rawValue)
    case .dmaAddress: return mapping.pointee.dmaAddress
    case .size: return mapping.pointee.size
    case .age:
      let time = mapping.pointee.time
      return context.now >= time ? context.now - time : 0
    case .time: return mapping.pointee.time
    case .task:
      let task = mapping.pointee.task
      return task == NameTable.unknown ? nil : UInt64(task)
    case .attributes: return UInt64(mapping.pointee.attributes.rawValue)
    case .sequence: return mapping.pointee.sequence
    case .line: return mapping.pointee.line
    default: return rareCode(field, mapping.pointee)
    }
  }

  private func rareCode(_ field: MappingField, _ mapping: Mapping) -> UInt64? {
    switch field {
    case .mapError:
      if mapping.mapError == .notApplicable { return 0 }
      return mapping.mapError == .checked ? 1 : mapping.showsMapErrorCheck ? 2 : 3
    case .site:
      if mapping.stack != StackTable.none { return UInt64(mapping.stack) << 1 }
      return mapping.site == NameTable.unknown ? nil : UInt64(mapping.site) << 1 | 1
    default: return field.value(of: mapping, in: context).magnitude
    }
  }

  /// The name that a number stands for.
  private func text(_ field: MappingField, _ code: UInt64) -> String {
    let number = UInt32(truncatingIfNeeded: code)
    let names = context.names
    switch field {
    case .driver: return names.drivers.string(number)
    case .device: return names.devices.string(number)
    case .type: return MappingType(rawValue: UInt8(code))?.kernelName.description ?? "?"
    case .direction: return Direction(rawValue: UInt8(code))?.traceName.description ?? "?"
    case .task: return names.tasks.string(number)
    case .attributes: return DMAAttributes(rawValue: number).traceText
    case .mapError: return ["n/a", "checked", "unchecked", "unknown"][Int(code & 3)]
    case .site:
      if code & 1 == 1 { return names.symbols.string(UInt32(code >> 1)) }
      return names.callSite(stack: UInt32(code >> 1)) ?? "?"
    default: return "?"
    }
  }
}

extension MappingField {
  /// Whether it is a name: one of few, and sorted by its text.
  var isName: Bool {
    switch self {
    case .driver, .device, .type, .direction, .mapError, .attributes, .task, .site: true
    default: false
    }
  }
}

/// Part of an address as people type it: some digits, perhaps with `0x` before them.
struct HexadecimalText {
  private let value: UInt64
  private let digits: Int
  private let isPrefix: Bool

  /// - Returns: `nil` when a word cannot be part of an address.
  init?(_ word: String) {
    let rest = word.hasPrefix("0x") ? word.dropFirst(2) : Substring(word)
    isPrefix = rest.count < word.count
    digits = rest.utf8.count
    guard digits > 0, digits <= 16, !rest.hasPrefix("+"), !rest.hasPrefix("-"),
      let value = UInt64(rest, radix: 16)
    else { return nil }
    self.value = value
  }

  @inline(__always)
  func isPart(of address: UInt64) -> Bool {
    let length = max(1, (67 - address.leadingZeroBitCount) / 4)
    guard digits <= length else { return false }
    let mask = digits == 16 ? UInt64.max : UInt64(1) << UInt64(4 * digits) - 1
    if isPrefix { return address >> UInt64(4 * (length - digits)) & mask == value }
    for place in 0...(length - digits) where address >> UInt64(4 * place) & mask == value {
      return true
    }
    return false
  }
}
