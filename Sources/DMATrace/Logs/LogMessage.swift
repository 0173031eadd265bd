// SPDX-License-Identifier: MIT
import DMADebugCore

/// The messages about DMA, of kernels from 3.x on.
enum LogMessage {
  /// The longest message that is kept, in bytes.
  static let maximumLength = 4096

  typealias Bytes = ArraySlice<UInt8>

  /// The words that messages of dma-debug begin with: none is the beginning of another.
  private static let beginnings: [(words: StaticString, kind: LogRecord.Kind)] =
    Report.Kind.allCases.flatMap { kind in
      kind.beginnings.map { ($0, .report(kind)) }
    } + [
      ("cpu touching an active dma mapped ", .cpuTouch),
      ("cacheline tracking ENOMEM", .trackingOutOfMemory),
      ("cacheline tracking failed", .trackingOutOfMemory),
    ]

  static let tag = Array("DMA-API: ".utf8)
  static let detail = Array("One of leaked entries details: ".utf8)
  static let mappedAt = Array("Mapped at:".utf8)

  /// What dma-debug says in a line, when it says something.
  ///
  /// - Parameters:
  ///   - text: the line without the prefix of the log.
  ///   - shifts: whether names of types belong to the type before (5.0 … 5.6); set when the line
  ///     proves it.
  static func dmaDebug(_ text: Bytes, line: UInt64, shifts: inout Bool) -> LogRecord? {
    guard let place = text.first(tag) else { return nil }
    let after = text[(place + tag.count)...]
    // Until 4.20 the names stood before the tag.
    let before = text[..<place]
    if let (kind, length) = kind(after) {
      // `DRIVER DEVICE: DMA-API: words`, or no names at all.
      let isNamed = before.last == 0x20 && before.dropLast().last == 0x3a
      let names = isNamed ? before.dropLast(2) : before.prefix(0)
      return record(kind, after, length, names: names, line, isNew: names.isEmpty, &shifts)
    }
    // `DMA-API: DRIVER DEVICE: words`: names may hold colons, so every one of them is tried.
    var colon = after.startIndex
    var tries = 0
    while tries < 64, let next = after[colon...].firstIndex(of: 0x3a) {
      tries += 1
      let start = next + 2
      if start <= after.endIndex, after[next...].dropFirst().first == 0x20,
        let (kind, length) = kind(after[start...])
      {
        return record(
          kind,
          after[start...],
          length,
          names: after[..<next],
          line,
          isNew: true,
          &shifts
        )
      }
      colon = next + 1
    }
    var note = LogRecord(.note, line: line, message: string(after))
    if before.last == 0x20, before.dropLast().last == 0x3a {
      setNames(before.dropLast(2), &note)
    }
    return note
  }

  private static func kind(_ words: Bytes) -> (LogRecord.Kind, Int)? {
    for (beginning, kind) in beginnings where words.starts(with: beginning) {
      return (kind, beginning.utf8CodeUnitCount)
    }
    return nil
  }

  private static func record(
    _ kind: LogRecord.Kind,
    _ words: Bytes,
    _ length: Int,
    names: Bytes,
    _ line: UInt64,
    isNew: Bool,
    _ shifts: inout Bool
  ) -> LogRecord {
    // `page` was the name of a type until 5.0; behind the newer prefix it proves the slip.
    if isNew, words.first(Array(" as page]".utf8)) != nil { shifts = true }
    let words = repaired(trimmed(words, kind), shifts: shifts && isNew)
    var record = LogRecord(kind, line: line, message: string(words[...]))
    setNames(names, &record)
    readValues(words[...], &record.values)
    if kind == .report(.poolGrown) {
      record.values.count = number(words.dropFirst(length).prefix { $0 != 0x20 })
    }
    return record
  }

  /// What another message without line end brought into this one is cut off.
  private static func trimmed(_ words: Bytes, _ kind: LogRecord.Kind) -> Bytes {
    guard kind == .report(.mapErrorNotChecked), let place = words.first(Array("[mapped as ".utf8)),
      let end = words[place...].firstIndex(of: 0x5d)
    else { return words }
    return words[...end]
  }

  /// `DRIVER DEVICE`: the driver may hold blanks.
  private static func setNames(_ names: Bytes, _ record: inout LogRecord) {
    var names = names
    while names.first == 0x20 { names = names.dropFirst() }
    while names.last == 0x20 { names = names.dropLast() }
    guard !names.isEmpty else { return }
    if let blank = names.lastIndex(of: 0x20) {
      record.driver = string(names[..<blank])
      record.device = string(names[(blank + 1)...])
    } else {
      record.device = string(names)
    }
  }

  static func string(_ bytes: Bytes) -> String {
    String(decoding: bytes.prefix(maximumLength), as: UTF8.self)
  }

  // MARK: Values

  /// The second line of a leak.
  static func addDetail(_ text: Bytes, to record: inout LogRecord, shifts: Bool) {
    let words = repaired(text, shifts: shifts)
    record.message += "\n" + string(words[...])
    readValues(words[...], &record.values)
  }

  /// Reads `[key=value]`, `[mapped as TYPE]`, `[mapped with DIRECTION]`.
  private static func readValues(_ words: Bytes, _ values: inout LogRecord.Values) {
    var rest = words
    while let open = rest.firstIndex(of: 0x5b) {
      let content = rest[(open + 1)...]
      guard let close = content.firstIndex(of: 0x5d) else { return }
      read(content[..<close], &values)
      rest = rest[(close + 1)...]
    }
  }

  private static func read(_ field: Bytes, _ values: inout LogRecord.Values) {
    func value(_ key: StaticString) -> Bytes? {
      field.starts(with: key) ? field.dropFirst(key.utf8CodeUnitCount) : nil
    }
    if let text = value("device address=") ?? value("start=") {
      values.dmaAddress = number(text)
    } else if let text = value("size=") ?? value("unmap size=") ?? value("sync offset+size=") {
      values.size = number(text)
    } else if let text = value("map size=") ?? value("allocation size=") {
      values.mappedSize = number(text)
    } else if let text = value("count=") {
      values.count = number(text)
    } else if let text = value("mapped as ") {
      values.mappedType = type(text)
    } else if let text = value("mapped with ") {
      values.mappedDirection = Direction.allCases.first { text.elementsEqual($0.kernelName) }
    }
  }

  static func type(_ text: Bytes) -> MappingType? {
    if text.elementsEqual("page") { return .single }
    if text.elementsEqual("scather-gather") { return .scatterGather }
    return MappingType.allCases.first { text.elementsEqual($0.kernelName) }
  }

  /// A number with or without `0x`, also with a doubled one; what follows it does not matter.
  static func number(_ text: Bytes) -> UInt64? {
    var text = text
    var isHex = false
    while text.starts(with: "0x") {
      text = text.dropFirst(2)
      isHex = true
    }
    return isHex ? hex(text) : decimal(text)
  }

  static func decimal(_ text: Bytes) -> UInt64? {
    let digits = text.prefix { $0 >= 0x30 && $0 <= 0x39 }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  static func hex(_ text: Bytes) -> UInt64? {
    let digits = text.prefix {
      $0 >= 0x30 && $0 <= 0x39 || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66
    }
    return digits.count > 16 ? nil : UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  /// Misspelt and shifted names of types put right.
  private static func repaired(_ words: Bytes, shifts: Bool) -> [UInt8] {
    var result = Array(words.prefix(maximumLength))
    let names: [(old: StaticString, new: StaticString)] =
      shifts
      ? [
        (" as coherent]", " as resource]"), (" as scather-gather]", " as coherent]"),
        (" as page]", " as scatter-gather]"),
      ]
      : [(" as scather-gather]", " as scatter-gather]"), (" as page]", " as single]")]
    for (old, new) in names {
      let wanted = Array(UnsafeBufferPointer(start: old.utf8Start, count: old.utf8CodeUnitCount))
      var start = result.startIndex
      while let place = result[start...].first(wanted) {
        let replacement = UnsafeBufferPointer(start: new.utf8Start, count: new.utf8CodeUnitCount)
        result.replaceSubrange(place..<place + wanted.count, with: replacement)
        start = place + replacement.count
      }
    }
    return result
  }

  // MARK: IOMMU and bounce buffers

  /// An IOMMU fault of any driver that prints one.
  static func fault(_ text: Bytes, line: UInt64) -> LogRecord? {
    if let record = intelFault(text, line) { return record }
    if let record = amdFault(text, line) { return record }
    return smmuFault(text, line)
  }

  /// What follows `key` up to one of the signs that end a value.
  private static func value(_ key: StaticString, in text: Bytes) -> Bytes? {
    let wanted = Array(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
    guard let place = text.first(wanted) else { return nil }
    return text[(place + wanted.count)...].prefix { !" ,]".utf8.contains($0) }
  }

  /// `DMAR: [DMA Write NO_PASID] Request device [06:00.0] fault addr 0x… [fault reason 0x05] …`
  private static func intelFault(_ text: Bytes, _ line: UInt64) -> LogRecord? {
    guard text.first(Array("fault addr ".utf8)) != nil,
      let device = value("Request device [", in: text),
      let digits = value("fault addr ", in: text),
      let address = number(digits.starts(with: "0x") ? digits : Array("0x".utf8)[...] + digits)
    else { return nil }
    let isWrite = text.first(Array("[DMA Write".utf8)) != nil
    let message = "IOMMU fault: DMA \(isWrite ? "write" : "read") at \(address16(address))"
    var record = LogRecord(.iommuFault, line: line, message: message)
    record.device = LogRecord.deviceName(string(device))
    record.values.dmaAddress = address
    record.values.isWrite = isWrite
    if let reason = reason(text) { record.message += ", " + reason }
    return record
  }

  /// `[fault reason 05] PTE Write access is not set`, which older kernels print on a line of its own.
  static func reason(_ text: Bytes) -> String? {
    guard let place = text.first(Array("[fault reason ".utf8)) else { return nil }
    let rest = text[(place + 14)...]
    guard let end = rest.firstIndex(of: 0x5d) else { return nil }
    // Older kernels print decimal with two digits, newer ones hexadecimal with 0x.
    guard let code = number(rest[..<end]) else { return nil }
    let words = string(rest[(end + 1)...].prefix(200))
    return "fault reason \(code):" + words
  }

  /// `AMD-Vi: Event logged [IO_PAGE_FAULT device=05:00.0 domain=0x0012 address=0x… flags=0x0070]`, with
  /// the device in front of it from 4.17 on.
  private static func amdFault(_ text: Bytes, _ line: UInt64) -> LogRecord? {
    guard let place = text.first(Array("IO_PAGE_FAULT ".utf8)),
      let address = value(" address=", in: text[place...]).flatMap(number)
    else { return nil }
    let flags = value(" flags=", in: text[place...]).flatMap(number) ?? 0
    // EVENT_FLAG_RW
    let isWrite = flags & 0x20 != 0
    var record = LogRecord(
      .iommuFault,
      line: line,
      message: "IOMMU fault: DMA \(isWrite ? "write" : "read") at \(address16(address)), flags 0x"
        + String(flags, radix: 16)
    )
    if let device = value("device=", in: text[place...]) {
      record.device = LogRecord.deviceName(string(device))
    } else if let colon = text.first(Array(": AMD-Vi:".utf8)) {
      setNames(text[..<colon], &record)
    }
    record.values.dmaAddress = address
    record.values.isWrite = isWrite
    return record
  }

  /// `arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402, iova=0xfd7ff000, fsynr=0x540003, …`,
  /// and `arm-smmu-v3 …: event: F_TRANSLATION client: 0000:00:01.0 sid: 0x8 ssid: 0x0 iova: 0x… ipa: 0x…`
  private static func smmuFault(_ text: Bytes, _ line: UInt64) -> LogRecord? {
    guard text.first(Array("arm-smmu".utf8)) != nil else { return nil }
    if let place = text.first(Array(": Unhandled context fault: ".utf8)),
      let address = value("iova=", in: text[place...]).flatMap(number)
    {
      // FSYNR.WNR
      let syndrome = value("fsynr=", in: text[place...]).flatMap(number) ?? 0
      let isWrite = syndrome & 0x10 != 0
      let stream = value("cbfrsynra=", in: text[place...]).map { ", stream " + string($0) } ?? ""
      var record = LogRecord(
        .iommuFault,
        line: line,
        message: "IOMMU fault: DMA \(isWrite ? "write" : "read") at \(address16(address))" + stream
      )
      setNames(text[..<place], &record)
      record.values.dmaAddress = address
      record.values.isWrite = isWrite
      return record
    }
    guard let place = text.first(Array(": event: F_".utf8)),
      let address = value("iova: ", in: text[place...]).flatMap(number)
    else { return nil }
    let event = string(text[(place + 9)...].prefix { $0 != 0x20 })
    var record = LogRecord(
      .iommuFault,
      line: line,
      message: "IOMMU fault: \(event) at \(address16(address))"
    )
    if let client = value("client: ", in: text[place...]), !client.starts(with: "(") {
      record.device = string(client)
    }
    record.values.dmaAddress = address
    return record
  }

  private static func address16(_ address: UInt64) -> String {
    var text = TextBuffer()
    text.append(address: address)
    return text.string
  }

  /// No room in the bounce buffer.
  static func swiotlb(_ text: Bytes, line: UInt64) -> LogRecord? {
    if let place = text.first(Array("swiotlb buffer is full".utf8)) {
      var record = LogRecord(.swiotlbFull, line: line, message: string(text[place...]))
      let before = text[..<place]
      if before.last == 0x20, before.dropLast().last == 0x3a {
        setNames(before.dropLast(2), &record)
      }
      record.values.size = value("(sz: ", in: text[place...]).flatMap(decimal)
      return record
    }
    guard let place = text.first(Array("Out of SW-IOMMU space for ".utf8)) else { return nil }
    var record = LogRecord(.swiotlbFull, line: line, message: string(text[place...]))
    record.device = value(" at device ", in: text[place...]).map(string)
    record.values.size = value("space for ", in: text[place...]).flatMap(decimal)
    return record
  }
}

extension ArraySlice<UInt8> {
  /// Where `wanted` begins first.
  func first(_ wanted: [UInt8]) -> Int? {
    guard let head = wanted.first, count >= wanted.count else { return nil }
    var from = startIndex
    while let place = self[from...].firstIndex(of: head) {
      if endIndex - place < wanted.count { return nil }
      if self[place..<place + wanted.count].elementsEqual(wanted) { return place }
      from = place + 1
    }
    return nil
  }

  func starts(with text: StaticString) -> Bool {
    starts(with: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  func elementsEqual(_ text: StaticString) -> Bool {
    elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
