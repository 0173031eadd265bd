// SPDX-License-Identifier: MIT
import DMADebugCore

/// The devices of a machine as a table beside the trace says them (`--devices FILE`).
///
/// A line is `BUS DEVICE DRIVER key=value…`. The driver may hold blanks, be `-` or be left out. Known
/// keys are `mask` (bits of the DMA mask), `iommu` (type of the domain), `max_seg` and `boundary`;
/// others are passed over. A key without a value says nothing. Lines that begin with `#` are comments.
public struct DeviceTable: Sendable {
  /// One device.
  public struct Entry: Sendable, Hashable {
    public var bus: String
    public var device: String
    /// The driver that the device is bound to, if any.
    public var driver: String?
    /// How many bits the device's DMA mask has.
    public var mask: Int?
    /// The type of its IOMMU domain, such as `DMA-FQ`.
    public var iommu: String?
    /// The longest segment that the device claims to support, in bytes.
    public var maximumSegmentSize: UInt64?
    /// The boundary mask that a segment must not cross.
    public var segmentBoundary: UInt64?

    public init(
      bus: String,
      device: String,
      driver: String? = nil,
      mask: Int? = nil,
      iommu: String? = nil,
      maximumSegmentSize: UInt64? = nil,
      segmentBoundary: UInt64? = nil
    ) {
      self.bus = bus
      self.device = device
      self.driver = driver
      self.mask = mask
      self.iommu = iommu
      self.maximumSegmentSize = maximumSegmentSize
      self.segmentBoundary = segmentBoundary
    }
  }

  /// The largest table that is read, in bytes.
  private static let maximumSize = 16 << 20

  /// The devices in the order of the file.
  public var entries: [Entry] = []

  /// Reads a table from a file, or from standard input for `-`.
  ///
  /// - Throws: ``TraceError`` when it cannot be read; for a wrong line with the number of the line.
  public init(path: String) throws(TraceError) {
    let bytes = try FileBytes.read(path, limit: Self.maximumSize)
    try self.init(bytes: bytes, name: path == "-" ? "<stdin>" : path)
  }

  /// Reads a table that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  public init(bytes: [UInt8], name: String) throws(TraceError) {
    let path = String(escaping: name.utf8)
    var number = 0
    for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
      number += 1
      let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
      guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
      do throws(Problem) {
        entries.append(try Self.entry(words))
      } catch {
        throw TraceError(
          path: path,
          problem: "line \(number): \(error.text)",
          advice: Self.advice
        )
      }
    }
    guard !entries.isEmpty else {
      throw TraceError(path: path, problem: "is not a table of devices", advice: Self.advice)
    }
  }

  private static let advice =
    "a line is `BUS DEVICE DRIVER key=value…`: `pci 0000:00:06.0 nvme mask=64`"

  /// Whether a word can be the name of a bus or a device. The kernel has no brackets, quotes or the
  /// like in them; lines of traces, logs and programs have.
  private static func isName(_ word: ArraySlice<UInt8>) -> Bool {
    word.allSatisfy { byte in
      byte >= 0x80 || byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a
        || "-_.:,+@!%#/~".utf8.contains(byte)
    }
  }

  private struct Problem: Error {
    var text: String
  }

  private static func entry(_ words: [ArraySlice<UInt8>]) throws(Problem) -> Entry {
    guard words.count >= 2, key(words[1]) == nil, key(words[0]) == nil else {
      throw Problem(text: "no device")
    }
    var texts: [String] = []
    for word in words {
      if word.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
        throw Problem(text: "control characters")
      }
      texts.append(String(decoding: word, as: UTF8.self))
    }
    guard isName(words[0]), isName(words[1]) else {
      throw Problem(text: "not a bus and a device")
    }
    // The keys stand at the end: what comes before the first of them is the driver.
    var keys = 2
    while keys < words.count, key(words[keys]) == nil { keys += 1 }
    let driver = texts[2..<keys].joined(separator: " ")
    var entry = Entry(bus: texts[0], device: texts[1])
    if !driver.isEmpty, driver != "-" { entry.driver = driver }
    for index in keys..<words.count {
      guard let length = key(words[index]) else {
        throw Problem(text: "`\(String(escaping: texts[index].utf8))` is no key=value")
      }
      let name = String(decoding: words[index].prefix(length), as: UTF8.self)
      let value = String(decoding: words[index].dropFirst(length + 1), as: UTF8.self)
      if !value.isEmpty { try set(name, value, &entry) }
    }
    return entry
  }

  private static func set(
    _ name: String,
    _ value: String,
    _ entry: inout Entry
  ) throws(Problem) {
    switch name {
    case "mask":
      guard let bits = Int(value), (1...64).contains(bits) else {
        throw Problem(text: "mask= wants a number of bits, 1 to 64")
      }
      entry.mask = bits
    case "iommu": entry.iommu = value
    case "max_seg": entry.maximumSegmentSize = try number(name, value)
    case "boundary": entry.segmentBoundary = try number(name, value)
    default: break
    }
  }

  private static func number(_ name: String, _ value: String) throws(Problem) -> UInt64 {
    let digits = value.hasPrefix("0x") ? value.dropFirst(2) : value[...]
    guard let number = UInt64(digits, radix: value.hasPrefix("0x") ? 16 : 10),
      digits.first != "+"
    else { throw Problem(text: "\(name)= wants a number") }
    return number
  }

  /// How long the key of `key=value` is.
  private static func key(_ word: ArraySlice<UInt8>) -> Int? {
    guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals > word.startIndex else {
      return nil
    }
    let name = word[word.startIndex..<equals]
    let isKey = name.allSatisfy { $0 >= 0x61 && $0 <= 0x7a || $0 == 0x5f }
    return isKey ? name.count : nil
  }
}
