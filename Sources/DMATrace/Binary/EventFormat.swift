// SPDX-License-Identifier: MIT

/// The layout of one kind of record, from its own format text.
struct EventFormat {
  /// A field of a record.
  struct Field: Equatable {
    enum Shape: Equatable {
      /// An integer of `size` bytes.
      case integer
      /// `T name[N]` in place, elements of the given size; to the end of the record when N is 0.
      case array(element: Int)
      /// `__data_loc`: place and length in one word, counted from the record's beginning.
      case dataLocation(element: Int)
      /// `__rel_loc`: the same, counted from behind the word.
      case relativeLocation(element: Int)
    }

    var name: String
    var offset: Int
    var size: Int
    var isSigned: Bool
    var shape: Shape
    /// Of a text, which is printed as such.
    var isText: Bool
  }

  var system: String
  var name: String
  var id: UInt32
  /// Common fields first.
  var fields: [Field]
  /// Names of the fields that are printed as a symbol (`%pS`).
  var symbolFields: [String]

  func field(_ name: String) -> Field? { fields.first { $0.name == name } }

  /// Fields beyond this are no fields: hostile text must not fill memory.
  private static let maximumFields = 512

  /// The name and number of the event that a text describes, without looking at its fields.
  static func identity(_ text: [UInt8]) -> (name: ArraySlice<UInt8>, id: UInt32)? {
    var lines = text[...]
    var name: ArraySlice<UInt8>?
    for _ in 0..<2 {
      let end = lines.firstIndex(of: 0x0a) ?? lines.endIndex
      let line = lines[..<end]
      if line.starts(with: "name: ".utf8) {
        name = line.dropFirst(6)
      } else if line.starts(with: "ID: ".utf8) {
        guard let name, let id = number(line.dropFirst(4)), id <= 0xffff else { return nil }
        return (name, UInt32(id))
      }
      lines = end < lines.endIndex ? lines[(end + 1)...] : []
    }
    return nil
  }

  /// Reads a format text.
  ///
  /// - Parameter longSize: bytes of the kernel's `long`.
  /// - Returns: `nil` when it is none.
  init?(_ text: [UInt8], system: String, longSize: Int) {
    guard let identity = Self.identity(text) else { return nil }
    self.system = system
    name = String(decoding: identity.name, as: UTF8.self)
    id = identity.id
    fields = []
    symbolFields = []
    for line in text.split(separator: 0x0a) {
      if line.starts(with: "print fmt:".utf8) {
        symbolFields = Self.symbols(line)
        break
      }
      guard let start = Self.find("field:", in: line) else { continue }
      guard let field = Self.field(line[start...], longSize) else { continue }
      guard fields.count < Self.maximumFields else { return nil }
      fields.append(field)
    }
  }

  /// `__data_loc char[] device;	offset:8;	size:4;	signed:0;`
  private static func field(_ line: ArraySlice<UInt8>, _ longSize: Int) -> Field? {
    guard let end = line.firstIndex(of: UInt8(ascii: ";")),
      let offset = value("offset:", in: line[end...]),
      let size = value("size:", in: line[end...]), offset <= 0xffff, size <= 0xffff
    else { return nil }
    let isSigned = value("signed:", in: line[end...]) == 1
    var declaration = line[..<end]
    var shape = Field.Shape.integer
    var isText = false
    if let bracket = declaration.lastIndex(of: UInt8(ascii: "[")),
      declaration.last == UInt8(ascii: "]"),
      declaration[..<bracket].last.map(isWord) == true,
      !declaration.starts(with: "__data_loc".utf8), !declaration.starts(with: "__rel_loc".utf8)
    {
      let count = number(declaration[(bracket + 1)...].dropLast()) ?? 0
      declaration = declaration[..<bracket]
      isText = isCharacter(declaration)
      let element = count > 0 && size > 0 ? size / count : elementSize(declaration, longSize)
      guard element > 0 else { return nil }
      shape = .array(element: element)
    }
    var nameStart = declaration.endIndex
    while nameStart > declaration.startIndex, isWord(declaration[nameStart - 1]) { nameStart -= 1 }
    let name = String(decoding: declaration[nameStart...], as: UTF8.self)
    guard !name.isEmpty else { return nil }
    let type = declaration[..<nameStart]
    if type.starts(with: "__data_loc".utf8) || type.starts(with: "__rel_loc".utf8) {
      guard size == 4 else { return nil }
      isText = isCharacter(type)
      let element = elementSize(type, longSize)
      shape =
        type.starts(with: "__rel_loc".utf8)
        ? .relativeLocation(element: element) : .dataLocation(element: element)
    } else if shape == .integer, ![1, 2, 4, 8].contains(size) {
      // A structure by value.
      shape = .array(element: 1)
    }
    return Field(
      name: name,
      offset: offset,
      size: size,
      isSigned: isSigned,
      shape: shape,
      isText: isText
    )
  }

  private static func isCharacter(_ type: ArraySlice<UInt8>) -> Bool {
    find("char", in: type) != nil
  }

  /// Bytes of one element of an array, by the name of its type.
  private static func elementSize(_ type: ArraySlice<UInt8>, _ longSize: Int) -> Int {
    if find("char", in: type) != nil || find("u8", in: type) != nil || find("s8", in: type) != nil
      || find("bool", in: type) != nil
    {
      return 1
    }
    if find("short", in: type) != nil || find("16", in: type) != nil { return 2 }
    if find("64", in: type) != nil || find("long long", in: type) != nil
      || find("dma_addr_t", in: type) != nil || find("phys_addr_t", in: type) != nil
    {
      return 8
    }
    if find("long", in: type) != nil || find("size_t", in: type) != nil
      || type.contains(UInt8(ascii: "*"))
    {
      return longSize
    }
    return 4
  }

  /// Which arguments a print format shows as symbols: `caller=%pS` by the name before the sign.
  private static func symbols(_ line: ArraySlice<UInt8>) -> [String] {
    var names: [String] = []
    var rest = line
    while let place = find("=%pS", in: rest) {
      var start = place - 4
      let end = start
      while start > rest.startIndex, isWord(rest[start - 1]) { start -= 1 }
      names.append(String(decoding: rest[start..<end], as: UTF8.self))
      rest = rest[place...]
    }
    return names
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return letter >= 0x61 && letter <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x5f
  }

  /// The place behind the first occurrence of `word`.
  private static func find(_ word: StaticString, in bytes: ArraySlice<UInt8>) -> Int? {
    let length = word.utf8CodeUnitCount
    guard bytes.count >= length else { return nil }
    for start in bytes.startIndex...(bytes.endIndex - length)
    where bytes[start] == word.utf8Start[0] {
      var index = 1
      while index < length, bytes[start + index] == word.utf8Start[index] { index += 1 }
      if index == length { return start + length }
    }
    return nil
  }

  private static func value(_ key: StaticString, in bytes: ArraySlice<UInt8>) -> Int? {
    guard let start = find(key, in: bytes) else { return nil }
    let end = bytes[start...].firstIndex(of: UInt8(ascii: ";")) ?? bytes.endIndex
    return number(bytes[start..<end])
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
    var value = 0
    guard !digits.isEmpty, digits.count < 10 else { return nil }
    for digit in digits {
      guard digit >= 0x30, digit <= 0x39 else { return nil }
      value = value * 10 + Int(digit) - 0x30
    }
    return value
  }
}
