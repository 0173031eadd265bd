// SPDX-License-Identifier: MIT

/// A literal of at most 16 bytes as two words, to be compared at once.
///
/// The words are spelled out because only then they are constants in the compiled program; a test
/// holds them against ``text``.
struct Literal {
  let first: UInt64
  let second: UInt64
  let length: Int

  private init(_ first: UInt64, _ second: UInt64, _ length: Int) {
    self.first = first
    self.second = second
    self.length = length
  }

  /// The bytes of the words.
  var text: String {
    let bytes = (0..<length).map { index in
      UInt8(truncatingIfNeeded: (index < 8 ? first : second) >> UInt64(8 * (index & 7)))
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// ` dir=`
  static let direction = Literal(0x0000_003d_7269_6420, 0, 5)
  /// `TO_DEVICE `
  static let toDevice = Literal(0x4349_5645_445f_4f54, 0x0000_0000_0000_2045, 10)
  /// `FROM_DEVICE `
  static let fromDevice = Literal(0x5645_445f_4d4f_5246, 0x0000_0000_2045_4349, 12)
  /// `BIDIRECTIONAL `
  static let bidirectional = Literal(0x5443_4552_4944_4942, 0x0000_204c_414e_4f49, 14)
  /// `NONE `
  static let none = Literal(0x0000_0020_454e_4f4e, 0, 5)
  /// `dma_addr=`
  static let dmaAddress = Literal(0x7264_6461_5f61_6d64, 0x0000_0000_0000_003d, 9)
  /// ` size=`
  static let size = Literal(0x0000_3d65_7a69_7320, 0, 6)
  /// ` phys_addr=`
  static let physical = Literal(0x6461_5f73_7968_7020, 0x0000_0000_003d_7264, 11)
  /// ` virt_addr=`
  static let virtual = Literal(0x6461_5f74_7269_7620, 0x0000_0000_003d_7264, 11)
  /// ` flags=`
  static let flags = Literal(0x003d_7367_616c_6620, 0, 7)
  /// ` attrs=`
  static let attributes = Literal(0x003d_7372_7474_6120, 0, 7)
  /// `nents=`
  static let entries = Literal(0x0000_3d73_746e_656e, 0, 6)
  /// ` ents=`
  static let segments = Literal(0x0000_3d73_746e_6520, 0, 6)
  /// ` dma_addrs=`
  static let addresses = Literal(0x6464_615f_616d_6420, 0x0000_0000_003d_7372, 11)
  /// `dma_addrs=`
  static let firstAddresses = Literal(0x7264_6461_5f61_6d64, 0x0000_0000_0000_3d73, 10)
  /// ` sizes=`
  static let lengths = Literal(0x003d_7365_7a69_7320, 0, 7)
  /// ` phys_addrs=`
  static let physicals = Literal(0x6461_5f73_7968_7020, 0x0000_0000_3d73_7264, 12)
  /// `phys_addrs=`
  static let firstPhysicals = Literal(0x6464_615f_7379_6870, 0x0000_0000_003d_7372, 11)
  /// `: `
  static let colon = Literal(0x0000_0000_0000_203a, 0, 2)
  /// `) device="`
  static let probeDevice = Literal(0x6563_6976_6564_2029, 0x0000_0000_0000_223d, 10)
  /// `" dma_addr=0x`
  static let probeAddress = Literal(0x6461_5f61_6d64_2022, 0x0000_0078_303d_7264, 13)
  /// ` caller=`
  static let probeCaller = Literal(0x3d72_656c_6c61_6320, 0, 8)
  /// `debug_dma_map_`
  static let mappingHook = Literal(0x6d64_5f67_7562_6564, 0x0000_5f70_616d_5f61, 14)
  /// `check_unmap`
  static let unmapHook = Literal(0x6e75_5f6b_6365_6863, 0x0000_0000_0070_616d, 11)

  /// All of them, with what they should say.
  static let all: [(Literal, String)] = [
    (.direction, " dir="),
    (.toDevice, "TO_DEVICE "),
    (.fromDevice, "FROM_DEVICE "),
    (.bidirectional, "BIDIRECTIONAL "),
    (.none, "NONE "),
    (.dmaAddress, "dma_addr="),
    (.size, " size="),
    (.physical, " phys_addr="),
    (.virtual, " virt_addr="),
    (.flags, " flags="),
    (.attributes, " attrs="),
    (.entries, "nents="),
    (.segments, " ents="),
    (.addresses, " dma_addrs="),
    (.firstAddresses, "dma_addrs="),
    (.lengths, " sizes="),
    (.physicals, " phys_addrs="),
    (.firstPhysicals, "phys_addrs="),
    (.colon, ": "),
    (.probeDevice, ") device=\""),
    (.probeAddress, "\" dma_addr=0x"),
    (.probeCaller, " caller="),
    (.mappingHook, "debug_dma_map_"),
    (.unmapHook, "check_unmap"),
  ]
}

extension Cursor {
  /// Whether `literal` stands here.
  @inline(__always)
  func isAt(_ literal: Literal) -> Bool {
    let length = literal.length
    let firstMask: UInt64 = length >= 8 ? .max : (1 &<< UInt64(8 &* length)) &- 1
    let secondMask: UInt64 =
      length <= 8 ? 0 : length >= 16 ? .max : (1 &<< UInt64(8 &* (length &- 8))) &- 1
    var difference = (Self.load(at) ^ literal.first) & firstMask
    if length > 8 { difference |= (Self.load(at + 8) ^ literal.second) & secondMask }
    return difference == 0 && end - at >= length
  }

  /// Steps over `literal` when it stands here.
  @inline(__always)
  mutating func skip(_ literal: Literal) -> Bool {
    guard isAt(literal) else { return false }
    at += literal.length
    return true
  }
}
