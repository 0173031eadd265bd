// SPDX-License-Identifier: MIT
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
    context.engine.mapping(inSlot: slot)
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
    var kept = slots
    for test in tests {
      let verdicts = verdicts(test, kept)
      var count = 0
      kept.withUnsafeMutableBufferPointer { kept in
        for index in kept.indices where verdicts[index] {
          kept[count] = kept[index]
          count += 1
        }
      }
      kept.removeLast(kept.count - count)
    }
    return kept
  }

  /// What a filter says of names, by their numbers; found out once for each.
  private final class NameTest {
    private let test: (Int) -> Bool
    /// 0 not asked yet, 1 no, 2 yes.
    private let verdicts: UnsafeMutablePointer<UInt8>
    private let count: Int

    init(count: Int, _ test: @escaping (Int) -> Bool) {
      self.test = test
      self.count = count
      verdicts = .allocate(capacity: max(count, 1))
      verdicts.initialize(repeating: 0, count: max(count, 1))
    }

    deinit {
      verdicts.deallocate()
    }

    @inline(__always)
    func holds(_ number: Int) -> Bool {
      if number < count, verdicts[number] != 0 { return verdicts[number] == 2 }
      return ask(number)
    }

    private func ask(_ number: Int) -> Bool {
      let verdict = test(number)
      if number < count { verdicts[number] = verdict ? 2 : 1 }
      return verdict
    }
  }

  /// Which names a test looks at. Type, direction and map error together are one small number.
  private struct NamesTest {
    var device: NameTest?
    var kind: NameTest?
    var task: NameTest?
    var stack: NameTest?
    var symbol: NameTest?
    var attributes: ((String) -> Bool)?
  }

  private indirect enum Test {
    case any([Test])
    case not(Test)
    case names(NamesTest)
    case hexadecimal(HexadecimalText)
    case number(MappingField, FilterExpression.Comparison, UInt64)
    case error
    /// What is rare enough to go the slow way.
    case other(FilterExpression.Term)
  }

  private func compile(_ term: FilterExpression.Term) -> Test {
    let all = MappingRow.textFields.filter(\.isName)
    switch term {
    case .any(let terms): return .any(terms.map { compile($0) })
    case .not(let inner): return .not(compile(inner))
    case .error: return .error
    case .word(let word):
      // Part of a name, or of an address in hexadecimal.
      let names = Test.names(names(all) { $0.lowercased().contains(word) })
      return HexadecimalText(word).map { .any([names, .hexadecimal($0)]) } ?? names
    case .pattern(let pattern): return .names(names(all) { pattern.matches($0) })
    case .fieldWord(let name, let word):
      guard let field = MappingField(name: name), field.isName else { return .other(term) }
      return .names(names([field]) { $0.lowercased().contains(word) })
    case .fieldPattern(let name, let pattern):
      guard let field = MappingField(name: name), field.isName else { return .other(term) }
      return .names(names([field]) { pattern.matches($0) })
    case .compare(let name, let comparison, let text, let quantity):
      guard let field = MappingField(name: name) else { return .other(term) }
      if field.isName {
        return .names(names([field]) { FilterExpression.compare($0, comparison, text) })
      }
      return quantity.map { .number(field, comparison, $0) } ?? .other(term)
    }
  }

  /// A test of the names of some fields, of which one has to pass.
  private func names(
    _ fields: [MappingField],
    _ test: @escaping (String) -> Bool
  ) -> NamesTest {
    var names = NamesTest()
    let context = context
    let asksDriver = fields.contains(.driver)
    let asksDevice = fields.contains(.device)
    if asksDriver || asksDevice {
      names.device = NameTest(count: context.names.devices.count) { number in
        let device = DeviceID(rawValue: UInt32(number))
        return asksDevice && test(context.names.devices.string(device.rawValue))
          || asksDriver && test(context.driver(device))
      }
    }
    let kinds = fields.filter { $0 == .type || $0 == .direction || $0 == .mapError }
    if !kinds.isEmpty {
      names.kind = NameTest(count: 1 << 12) { number in
        kinds.contains { field in
          let code = field == .type ? number >> 4 : field == .direction ? number >> 2 : number
          return test(Self.text(field, UInt64(field == .type ? code : code & 3), context))
        }
      }
    }
    if fields.contains(.task) {
      names.task = NameTest(count: context.names.tasks.count) { number in
        number != Int(NameTable.unknown) && test(context.names.tasks.string(UInt32(number)))
      }
    }
    if fields.contains(.site) {
      names.stack = NameTest(count: context.names.stacks.count) { number in
        test(context.names.callSite(stack: UInt32(number)) ?? "?")
      }
      names.symbol = NameTest(count: context.names.symbols.count) { number in
        number != Int(NameTable.unknown) && test(context.names.symbols.string(UInt32(number)))
      }
    }
    if fields.contains(.attributes) { names.attributes = test }
    return names
  }

  /// What a test says of each slot.
  private func verdicts(_ test: Test, _ slots: [UInt32]) -> [Bool] {
    switch test {
    case .any(let choices):
      guard var sum = choices.first.map({ verdicts($0, slots) }) else {
        return [Bool](repeating: false, count: slots.count)
      }
      for choice in choices.dropFirst() {
        let more = verdicts(choice, slots)
        for index in sum.indices where more[index] { sum[index] = true }
      }
      return sum
    case .not(let inner): return verdicts(inner, slots).map { !$0 }
    case .names(let names): return verdicts(names, slots)
    case .hexadecimal(let text):
      let engine = context.engine
      return each(slots) { mapping in
        text.isPart(of: mapping.pointee.dmaAddress)
          || engine.physicalAddress(of: mapping.pointee).map { text.isPart(of: $0) } ?? false
      }
    case .number(let field, let comparison, let quantity):
      return each(slots) { mapping in
        code(field, mapping).map { comparison.holds($0, quantity) } ?? false
      }
    case .error:
      return each(slots) { $0.pointee.isUnchecked || wrong.contains($0.pointee.sequence) }
    case .other(let term):
      return each(slots) { FilterExpression.holds(term, MappingRow($0.pointee, context)) }
    }
  }

  @inline(__always)
  private func each(_ slots: [UInt32], _ body: (UnsafePointer<Mapping>) -> Bool) -> [Bool] {
    context.engine.withMappings { table in
      [Bool](unsafeUninitializedCapacity: slots.count) { buffer, count in
        for (index, slot) in slots.enumerated() {
          buffer.initializeElement(at: index, to: body(table.baseAddress! + Int(slot)))
        }
        count = slots.count
      }
    }
  }

  private func verdicts(_ names: NamesTest, _ slots: [UInt32]) -> [Bool] {
    // Attributes are seldom more than one or two different sets.
    var attributes: [UInt32: Bool] = [:]
    var last: (bits: UInt32, verdict: Bool)?
    func hasAttributes(_ bits: UInt32) -> Bool {
      guard let test = names.attributes else { return false }
      if let last, last.bits == bits { return last.verdict }
      let verdict = attributes[bits] ?? test(DMAAttributes(rawValue: bits).traceText)
      attributes[bits] = verdict
      last = (bits, verdict)
      return verdict
    }
    return each(slots) { mapping in
      if let test = names.device, test.holds(Int(mapping.pointee.device.rawValue)) { return true }
      if let test = names.kind, test.holds(Self.kind(mapping)) { return true }
      if let test = names.task, test.holds(Int(mapping.pointee.task)) { return true }
      if let test = names.stack {
        if mapping.pointee.stack != StackTable.none {
          if test.holds(Int(mapping.pointee.stack)) { return true }
        } else if let test = names.symbol, test.holds(Int(mapping.pointee.site)) {
          return true
        }
      }
      return hasAttributes(mapping.pointee.attributes.rawValue)
    }
  }

  /// Type, direction and state of the map error in one number.
  @inline(__always)
  private static func kind(_ mapping: UnsafePointer<Mapping>) -> Int {
    Int(mapping.pointee.type.rawValue) << 4 | Int(mapping.pointee.direction.rawValue) << 2
      | mapErrorCode(mapping)
  }

  @inline(__always)
  private static func mapErrorCode(_ mapping: UnsafePointer<Mapping>) -> Int {
    switch mapping.pointee.mapError {
    case .notApplicable: 0
    case .checked: 1
    case .notChecked: mapping.pointee.showsMapErrorCheck ? 2 : 3
    }
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
    context.engine.withMappings { table in
      for slot in slots {
        if let code = code(field, table.baseAddress! + Int(slot)) {
          pairs.append(RadixSort.Pair(key: code, slot: slot))
        } else {
          rest.append(slot)
        }
      }
    }
    if field.isName { rank(&pairs, field) }
    if !ascending { for index in pairs.indices { pairs[index].key = ~pairs[index].key } }
    RadixSort.sort(&pairs)
    return pairs.map(\.slot) + rest
  }

  /// Replaces numbers of names by their places among each other, equal for equal names.
  private func rank(_ pairs: inout [RadixSort.Pair], _ field: MappingField) {
    let largest = pairs.reduce(0) { max($0, $1.key) }
    guard largest < 1 << 24 else {
      // Attributes only: few, and any bits.
      let ranks = ranks(field, Set(pairs.map(\.key)))
      for index in pairs.indices { pairs[index].key = ranks[pairs[index].key] ?? 0 }
      return
    }
    var table = [UInt32](repeating: 0, count: Int(largest) + 1)
    var codes: [UInt64] = []
    for pair in pairs where table[Int(pair.key)] == 0 {
      table[Int(pair.key)] = 1
      codes.append(pair.key)
    }
    for (code, rank) in ranks(field, Set(codes)) { table[Int(code)] = UInt32(rank) }
    for index in pairs.indices { pairs[index].key = UInt64(table[Int(pairs[index].key)]) }
  }

  /// The places of names among each other.
  private func ranks(_ field: MappingField, _ codes: Set<UInt64>) -> [UInt64: UInt64] {
    let named = codes.map { (code: $0, text: Self.text(field, $0, context)) }
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
    case .age where mapping.pointee.isAdopted, .time where mapping.pointee.isAdopted,
      .line where mapping.pointee.isAdopted:
      return nil
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
    case .physicalAddress: return context.engine.physicalAddress(of: mapping.pointee)
    case .mapError: return UInt64(Self.mapErrorCode(mapping))
    case .line: return mapping.pointee.line
    default: return rareCode(field, mapping.pointee)
    }
  }

  private func rareCode(_ field: MappingField, _ mapping: Mapping) -> UInt64? {
    switch field {
    case .site:
      if mapping.stack != StackTable.none { return UInt64(mapping.stack) << 1 }
      return mapping.site == NameTable.unknown ? nil : UInt64(mapping.site) << 1 | 1
    default: return field.value(of: mapping, in: context).magnitude
    }
  }

  /// The name that a number stands for.
  private static func text(
    _ field: MappingField,
    _ code: UInt64,
    _ context: MappingContext
  ) -> String {
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
