// SPDX-License-Identifier: MIT

/// The memory of the machine, with real bytes.
///
/// Memory lies in two pieces, as on a PC: from 0, below the hole for devices, and from 4 GiB on. A
/// physical address that belongs to neither is not memory.
final class PhysicalMemory {
  static let pageSize: UInt64 = 4096
  static let highBase: UInt64 = 1 << 32

  /// Bytes below the hole, and from 4 GiB on.
  let lowSize: UInt64
  let highSize: UInt64
  private let bytes: UnsafeMutableRawPointer
  /// Pages that were written or handed out before: others still have to be zeroed.
  private var isZeroed: [Bool]

  /// - Parameters: sizes in bytes, multiples of the page size; `lowSize` at most 3 GiB.
  init(lowSize: UInt64, highSize: UInt64) {
    precondition(lowSize % Self.pageSize == 0 && highSize % Self.pageSize == 0)
    precondition(lowSize <= 3 << 30)
    self.lowSize = lowSize
    self.highSize = highSize
    bytes = .allocate(byteCount: Int(lowSize + highSize), alignment: 4096)
    isZeroed = Array(repeating: false, count: Int((lowSize + highSize) / Self.pageSize))
  }

  deinit {
    bytes.deallocate()
  }

  /// The ranges of memory.
  var ranges: [Range<UInt64>] {
    [0..<lowSize, Self.highBase..<Self.highBase + highSize].filter { !$0.isEmpty }
  }

  /// The address behind the last byte.
  var end: UInt64 { highSize > 0 ? Self.highBase + highSize : lowSize }

  /// Number of a page among all pages, for tables; the page must be memory.
  @inline(__always)
  func pageIndex(_ address: UInt64) -> Int {
    Int(
      truncatingIfNeeded: (address < Self.highBase ? address : address - Self.highBase + lowSize)
        >> 12
    )
  }

  func pageAddress(_ index: Int) -> UInt64 {
    let offset = UInt64(index) << 12
    return offset < lowSize ? offset : offset - lowSize + Self.highBase
  }

  var pageCount: Int { isZeroed.count }

  /// How many bytes from `address` on are memory without a gap; 0 when it is none.
  @inline(__always)
  func extent(_ address: UInt64) -> UInt64 {
    if address < lowSize { return lowSize - address }
    if address >= Self.highBase, address - Self.highBase < highSize {
      return Self.highBase + highSize - address
    }
    return 0
  }

  /// Whether all of a range, which is not empty, is memory.
  @inline(__always)
  func holds(_ address: UInt64, _ length: UInt64) -> Bool {
    length > 0 && extent(address) >= length
  }

  /// Where the bytes of an address are. All of `length` must be memory.
  @inline(__always)
  func pointer(_ address: UInt64, _ length: UInt64) -> UnsafeMutableRawPointer {
    precondition(extent(address) >= length, "not memory")
    let offset = address < Self.highBase ? address : address - Self.highBase + lowSize
    return bytes + Int(offset)
  }

  /// Gives pages that were never used before their zeroes: what an allocator hands out must not
  /// depend on what this process had in its memory.
  func prepare(_ address: UInt64, _ length: UInt64) {
    guard length > 0 else { return }
    for page in pageIndex(address)...pageIndex(address + length - 1) where !isZeroed[page] {
      isZeroed[page] = true
      memset(bytes + page << 12)
    }
  }

  private func memset(_ page: UnsafeMutableRawPointer) {
    page.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
  }

  func zero(_ address: UInt64, _ length: UInt64) {
    pointer(address, length).initializeMemory(as: UInt8.self, repeating: 0, count: Int(length))
  }

  /// Copies inside the memory; the ranges must not overlap.
  func copy(from source: UInt64, to target: UInt64, _ length: UInt64) {
    pointer(target, length).copyMemory(from: pointer(source, length), byteCount: Int(length))
  }
}

/// What transfers carry: words that say whose they are, which transfer, and which word.
///
/// Word `i` of a transfer is its tag with `i` in the low 16 bits, so a wrong byte tells where it
/// came from.
struct Pattern: Equatable {
  /// Owner in bits 48…63, serial number in 16…47, 0 in 0…15.
  let tag: UInt64

  init(tag: UInt64) {
    self.tag = tag & ~0xffff
  }

  init(owner: Int, serial: UInt64) {
    tag = UInt64(truncatingIfNeeded: owner + 1) << 48 | (serial & 0xffff_ffff) << 16
  }

  @inline(__always)
  func word(_ index: Int) -> UInt64 { tag | UInt64(truncatingIfNeeded: index) & 0xffff }

  /// Fills `length` bytes that begin at byte `offset` of the transfer, a multiple of 8.
  func fill(_ pointer: UnsafeMutableRawPointer, offset: UInt64, length: UInt64) {
    var index = Int(offset >> 3)
    let words = Int(length >> 3)
    if words > 0 {
      if Int(bitPattern: pointer) & 7 == 0 {
        let target = pointer.assumingMemoryBound(to: UInt64.self)
        for position in 0..<words { target[position] = word(index &+ position) }
      } else {
        for position in 0..<words {
          pointer.storeBytes(
            of: word(index &+ position),
            toByteOffset: position * 8,
            as: UInt64.self
          )
        }
      }
    }
    index += words
    let last = word(index)
    for byte in 0..<Int(length & 7) {
      pointer.storeBytes(
        of: UInt8(truncatingIfNeeded: last >> UInt64(8 * byte)),
        toByteOffset: words * 8 + byte,
        as: UInt8.self
      )
    }
  }

  /// The first word, as it is in memory, that is not that of the transfer; `nil` when all are.
  func mismatch(_ pointer: UnsafeRawPointer, offset: UInt64, length: UInt64) -> UInt64? {
    let index = Int(offset >> 3)
    let words = Int(length >> 3)
    if words > 0 {
      var difference: UInt64 = 0
      if Int(bitPattern: pointer) & 7 == 0 {
        let source = pointer.assumingMemoryBound(to: UInt64.self)
        for position in 0..<words { difference |= source[position] ^ word(index &+ position) }
      } else {
        for position in 0..<words {
          difference |=
            pointer.loadUnaligned(fromByteOffset: position * 8, as: UInt64.self)
            ^ word(index &+ position)
        }
      }
      if difference != 0 {
        for position in 0..<words {
          let found = pointer.loadUnaligned(fromByteOffset: position * 8, as: UInt64.self)
          if found != word(index &+ position) { return found }
        }
      }
    }
    let last = word(index + words)
    for byte in 0..<Int(length & 7) {
      let found = pointer.load(fromByteOffset: words * 8 + byte, as: UInt8.self)
      if found != UInt8(truncatingIfNeeded: last >> UInt64(8 * byte)) { return UInt64(found) }
    }
    return nil
  }
}
