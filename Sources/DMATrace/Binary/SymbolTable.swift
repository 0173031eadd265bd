// SPDX-License-Identifier: MIT
import DMADebugCore

/// The kernel's symbols by address, from the text of `/proc/kallsyms`.
struct SymbolTable: Sendable {
  /// A symbol; its name stands in ``text``.
  private struct Symbol {
    var address: UInt64
    var name: UInt32
    var length: UInt32
  }

  private let text: [UInt8]
  private var symbols: [Symbol] = []

  /// Symbols beyond these are left out.
  private static let maximumCount = 4 << 20

  /// - Parameter text: lines `ADDRESS TYPE NAME` with, for modules, `<tab>[MODULE]` behind.
  init(_ text: [UInt8]) {
    self.text = text
    symbols.reserveCapacity(text.count / 40)
    var start = 0
    let count = text.count
    text.withUnsafeBufferPointer { bytes in
      while start < count, symbols.count < Self.maximumCount {
        var place = start
        var address: UInt64 = 0
        while place < count, let digit = Self.hexDigit(bytes[place]) {
          address = address << 4 | digit
          place += 1
        }
        let digits = place - start
        var end = place
        while end < count, bytes[end] != 0x0a { end += 1 }
        // ` T ` and the name. Absolute symbols are offsets of per-CPU data, not places.
        if digits >= 8, digits <= 16, end - place > 3, bytes[place] == 0x20,
          bytes[place + 2] == 0x20,
          address != 0, bytes[place + 1] | 0x20 != UInt8(ascii: "a")
        {
          symbols.append(
            Symbol(address: address, name: UInt32(place + 3), length: UInt32(end - place - 3))
          )
        }
        start = end + 1
      }
    }
    // Modules follow the kernel in any order; of several symbols of a place the first one counts.
    symbols.sort { ($0.address, $0.name) < ($1.address, $1.name) }
  }

  var isEmpty: Bool { symbols.isEmpty }

  private static func hexDigit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 0x30...0x39: UInt64(byte - 0x30)
    case 0x61...0x66: UInt64(byte - 0x57)
    default: nil
    }
  }

  /// Appends what `%pS` prints, `name+0x1c/0x120 [module]`, or the bare name.
  ///
  /// - Returns: `false` when no symbol is there; nothing is appended then.
  func append(_ address: UInt64, withOffset: Bool, to name: inout TextBuffer) -> Bool {
    var low = 0
    var high = symbols.count
    while low < high {
      let middle = (low + high) / 2
      if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return false }
    let next = low < symbols.count ? symbols[low].address : nil
    let place = symbols[low - 1].address
    // Far behind the last symbol of the kernel is no kernel.
    guard let next, next - place <= 16 << 20 else { return false }
    var index = low - 1
    while index > 0, symbols[index - 1].address == place { index -= 1 }
    let symbol = symbols[index]
    let whole = text[Int(symbol.name)..<Int(symbol.name + symbol.length)]
    let tab = whole.firstIndex(of: 0x09)
    name.append(whole[..<(tab ?? whole.endIndex)])
    if withOffset {
      name.append("+0x")
      name.append(hex: address - place)
      name.append("/0x")
      name.append(hex: next - place)
    }
    // `%ps` of a stack goes without the module, as in the kernel's own text.
    if let tab, withOffset {
      name.append(" ")
      name.append(whole[(tab + 1)...])
    }
    return true
  }
}
