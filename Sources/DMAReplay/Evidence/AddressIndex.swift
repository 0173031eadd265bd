// SPDX-License-Identifier: MIT
import DMADebugCore

/// Areas of the address spaces of devices, found by an address that they hold or a page that they
/// touch.
///
/// Whatever holds an address begins within its own length before it. So areas are filed by the power
/// of four pages that holds their length, and within it by the cell of that width in which they
/// begin: what touches a page begins in the cell of that page or in the one before.
struct AddressIndex {
  /// The page of an IOMMU: what it can tell apart.
  static let pageShift: UInt64 = 12
  private static let widths = 26

  private struct Cell: Hashable {
    var device: DeviceID
    var width: UInt8
    var number: UInt64
  }

  private var cells = SlotChains<Cell>()
  /// Areas of each width.
  private var counts = [Int](repeating: 0, count: widths)

  private static func shift(_ width: Int) -> UInt64 { pageShift + 2 * UInt64(width) }

  private static func width(_ size: UInt64) -> Int {
    let bits = size <= 1 ? 0 : UInt64(64 - (size - 1).leadingZeroBitCount)
    guard bits > pageShift else { return 0 }
    return min(Int(bits - pageShift + 1) / 2, widths - 1)
  }

  /// - Parameters:
  ///   - number: By which it is removed: a slot of a table.
  ///   - size: Bytes.
  mutating func insert(_ number: UInt32, _ device: DeviceID, at address: UInt64, size: UInt64) {
    let width = Self.width(size)
    counts[width] += 1
    let cell = Cell(
      device: device,
      width: UInt8(width),
      number: address >> Self.shift(width)
    )
    cells.insert(number, for: cell)
  }

  mutating func remove(_ number: UInt32) {
    if let cell = cells.remove(number) { counts[Int(cell.width)] -= 1 }
  }

  /// Calls `body` with all areas of a device that may touch the page of an address, of each length
  /// the latest first, until it says that it is enough of that length.
  func forEachCandidate(
    _ device: DeviceID,
    at address: UInt64,
    _ isEnough: (UInt32) -> Bool
  ) {
    for width in 0..<Self.widths where counts[width] > 0 {
      let number = address >> Self.shift(width)
      for near in (number == 0 ? 0 : number - 1)...number {
        let cell = Cell(device: device, width: UInt8(width), number: near)
        _ = cells.first(cell, where: isEnough)
      }
    }
  }
}
