// SPDX-License-Identifier: MIT

/// Where a kernel keeps what, as a trace marker `dma-api: layout KEY=START-END…` tells it.
///
/// Some checks of dma-debug look at the kind of memory that is mapped. A trace does not show it,
/// but a few ranges of the kernel's address space do. Ends are exclusive; a range may be absent.
struct KernelLayout: Sendable {
  /// `direct=`: the direct map of physical memory, virtual addresses.
  private(set) var directMap: Range<UInt64>?
  /// `vmalloc=`, virtual addresses.
  private(set) var vmalloc: Range<UInt64>?
  /// `text=`: `_stext` to `_etext`, virtual addresses.
  private(set) var text: Range<UInt64>?
  /// `rodata=`: `__start_rodata` to `__end_rodata`, virtual addresses.
  private(set) var readOnlyData: Range<UInt64>?
  /// `stacks=`: where the stacks of tasks lie, virtual addresses of the direct map.
  private(set) var stacks: Range<UInt64>?
  /// `ram=`: physical addresses of memory, may be given several times.
  private(set) var memory: [Range<UInt64>] = []

  /// `alignment=`: cache alignment of DMA in bytes, decimal.
  private(set) var alignment: UInt64?

  private static let maximumRanges = 64

  /// Reads the words of a marker; those that are no `KEY=START-END` in hexadecimal are passed over.
  init(_ words: some Collection<UInt8>) {
    for word in words.split(separator: 0x20) {
      if word.starts(with: "alignment=".utf8) {
        alignment = UInt64(String(decoding: word.dropFirst(10), as: UTF8.self))
        continue
      }
      guard let equals = word.firstIndex(of: 0x3d),
        let range = Self.range(word[word.index(after: equals)...])
      else { continue }
      let key = String(decoding: word[..<equals], as: UTF8.self)
      switch key {
      case "direct": directMap = range
      case "vmalloc": vmalloc = range
      case "text": text = range
      case "rodata": readOnlyData = range
      case "stacks": stacks = range
      case "ram": if memory.count < Self.maximumRanges { memory.append(range) }
      default: break
      }
    }
  }

  private static func range(_ word: some Collection<UInt8>) -> Range<UInt64>? {
    let parts = word.split(separator: 0x2d, omittingEmptySubsequences: false)
    guard parts.count == 2, let start = number(parts[0]), let end = number(parts[1]), start < end
    else { return nil }
    return start..<end
  }

  private static func number(_ digits: some Collection<UInt8>) -> UInt64? {
    let text = String(decoding: digits, as: UTF8.self)
    return UInt64(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text, radix: 16)
  }
}
