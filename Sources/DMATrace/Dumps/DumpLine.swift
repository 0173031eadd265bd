// SPDX-License-Identifier: MIT
import DMADebugCore

/// A line of `dma-api/dump`, of any kernel that printed one.
///
/// | kernel | line |
/// |---|---|
/// | 2.6.30 … 3.7, log only | `TYPE idx H P=… D=… L=… DIR` |
/// | 3.8 … 6.3, log | `DRIVER DEVICE: TYPE idx H P=… N=… D=… L=… DIR STATE` |
/// | 5.1 … 6.3 | `DEVICE DRIVER TYPE idx H P=… N=… D=… L=… DIR STATE` |
/// | 6.4 … 6.12.47 | `DRIVER DEVICE TYPE idx H P=… N=… D=… L=… cln=… DIR STATE` |
/// | 6.13, 6.12.48 | `DRIVER DEVICE TYPE idx H P=0x<16> D=… L=… cln=0x<16> DIR STATE` |
/// | 7.2 | the same and ` attrs=0x…` |
struct DumpLine {
  /// Which kernels print such a line.
  enum Layout: Int, Comparable {
    /// Without names, or with those that the log puts before it.
    case log
    case deviceFirst
    case driverFirst
    case physical
    case attributes

    static func < (a: Layout, b: Layout) -> Bool { a.rawValue < b.rawValue }
  }

  /// The words of the type column. What they mean depends on the kernel: see ``MappingDump``.
  enum TypeWord: UInt8 {
    case single, page, scatterGather, misspelt, coherent, resource, noncoherent, phy

    var type: MappingType {
      switch self {
      case .single, .page: .single
      case .scatterGather, .misspelt: .scatterGather
      case .coherent: .coherent
      case .resource: .resource
      case .noncoherent: .noncoherent
      case .phy: .phy
      }
    }

    /// 5.0 … 5.6 took each name from the place of the one before.
    var shiftedType: MappingType {
      switch self {
      case .page: .scatterGather
      case .misspelt, .scatterGather: .coherent
      case .coherent: .resource
      default: type
      }
    }
  }

  /// What is wrong with a line that looks like one.
  struct Problem: Error {
    var reason: String
  }

  var layout = Layout.log
  var driver: UnsafeBufferPointer<UInt8>?
  var device: UnsafeBufferPointer<UInt8>?
  var type = TypeWord.single
  var bucket: UInt64 = 0
  var physicalAddress: UInt64?
  var dmaAddress: UInt64 = 0
  var size: UInt64 = 0
  var direction = Direction.bidirectional
  /// `nil` before 3.8.
  var mapError: MapErrorState?
  var attributes: UInt64?

  private static let types: [(word: StaticString, type: TypeWord)] = [
    ("single", .single), ("page", .page), ("scatter-gather", .scatterGather),
    ("scather-gather", .misspelt), ("coherent", .coherent), ("resource", .resource),
    ("noncoherent", .noncoherent), ("phy", .phy),
  ]

  /// Parses a line.
  ///
  /// Driver names may hold blanks, and anything else: the line is taken apart around the last `idx`
  /// behind which all fits.
  ///
  /// - Returns: `nil` when it is no line of a dump at all.
  /// - Throws: ``Problem`` for one that is broken.
  static func parse(_ line: Cursor) throws(Problem) -> DumpLine? {
    var anchor: UnsafePointer<UInt8>?
    var best: DumpLine?
    var problem: Problem?
    var cursor = line
    while cursor.find(0x20) {
      let place = cursor.at
      if cursor.isAt(" idx ") {
        cursor.at += 5
        do throws(Problem) {
          if let found = try parse(line, idx: place, behind: cursor) { best = found }
        } catch {
          if anchor == nil { problem = error }
        }
        anchor = place
        cursor.at = place
      }
      cursor.at += 1
    }
    if let best { return best }
    if let problem { throw problem }
    return nil
  }

  /// Parses a line around an `idx`.
  private static func parse(
    _ line: Cursor,
    idx: UnsafePointer<UInt8>,
    behind: Cursor
  ) throws(Problem) -> DumpLine? {
    // The word before it is the type, and what is before that the names.
    var start = idx
    while start > line.at, start[-1] != 0x20 { start -= 1 }
    let word = Cursor(start, idx)
    guard
      let type = types.first(where: {
        word.count == $0.word.utf8CodeUnitCount && word.isAt($0.word)
      })
    else { return nil }
    var result = DumpLine()
    result.type = type.type
    var cursor = behind
    guard let bucket = cursor.decimal(), cursor.skip(" P=") else {
      throw Problem(reason: "no bucket and physical address behind idx")
    }
    result.bucket = bucket
    let hasPrefix = cursor.isAt("0x")
    if !cursor.skip(UInt8(ascii: "?")) {
      guard let physical = cursor.hex() else { throw Problem(reason: "P= is no address") }
      result.physicalAddress = physical
    }
    var hasFrame = false
    if cursor.skip(" N=") {
      guard cursor.hex() != nil else { throw Problem(reason: "N= is no page frame number") }
      hasFrame = true
    }
    guard cursor.skip(" D="), let dma = cursor.hex() else {
      throw Problem(reason: "D= is no address")
    }
    guard cursor.skip(" L="), let size = cursor.hex() else {
      throw Problem(reason: "L= is no length")
    }
    result.dmaAddress = dma
    result.size = size
    var hasLine = false
    if cursor.skip(" cln=") {
      guard cursor.skip(UInt8(ascii: "?")) || cursor.hex() != nil else {
        throw Problem(reason: "cln= is no cacheline")
      }
      hasLine = true
    }
    guard cursor.skip(" "), let direction = direction(&cursor) else {
      throw Problem(reason: "no direction")
    }
    result.direction = direction
    if cursor.skip(" dma map error ") {
      if cursor.skip("check not applicable") {
        result.mapError = .notApplicable
      } else if cursor.skip("not checked") || cursor.skip("check unknown") {
        result.mapError = .notChecked
      } else if cursor.skip("checked") {
        result.mapError = .checked
      } else {
        throw Problem(reason: "unknown state of the map error check")
      }
    }
    if cursor.skip(" attrs=") {
      guard let attributes = cursor.hex() else { throw Problem(reason: "attrs= is no number") }
      result.attributes = attributes
    }
    cursor.skipSpaces()
    guard cursor.isAtEnd else { throw Problem(reason: "more behind the end of the entry") }
    if result.attributes != nil {
      result.layout = .attributes
    } else if hasFrame, hasLine {
      result.layout = .driverFirst
    } else if hasLine || hasPrefix {
      result.layout = .physical
    } else {
      result.layout = .deviceFirst
    }
    let names = Cursor(line.at, max(line.at, start - (start > line.at ? 1 : 0)))
    try result.setNames(names)
    return result
  }

  private static func direction(_ cursor: inout Cursor) -> Direction? {
    if cursor.skip("DMA_BIDIRECTIONAL") { return .bidirectional }
    if cursor.skip("DMA_TO_DEVICE") { return .toDevice }
    if cursor.skip("DMA_FROM_DEVICE") { return .fromDevice }
    if cursor.skip("DMA_NONE") { return .some(.none) }
    return nil
  }

  private mutating func setNames(_ line: Cursor) throws(Problem) {
    let isLogged = LogPrefix.isStamped(line)
    let names = isLogged ? LogPrefix.parse(line).text : line
    if names.isAtEnd {
      layout = .log
      return
    }
    if names.end[-1] == UInt8(ascii: ":") {
      // What `dev_info` puts before a line: `DRIVER DEVICE: `.
      layout = .log
      split(Cursor(names.at, names.end - 1), deviceFirst: false)
      return
    }
    guard names.at < names.end, Cursor(names.at, names.end).holdsBlank else {
      throw Problem(reason: "one name instead of driver and device")
    }
    split(names, deviceFirst: layout == .deviceFirst)
    // Two names behind the stamp of a log: somebody printed the file into it.
  }

  /// Takes the device from its end of the names; the rest is the driver.
  private mutating func split(_ names: Cursor, deviceFirst: Bool) {
    var blank = names.at
    if deviceFirst {
      while blank < names.end, blank.pointee != 0x20 { blank += 1 }
    } else {
      blank = names.end
      while blank > names.at, blank[-1] != 0x20 { blank -= 1 }
      if blank > names.at { blank -= 1 } else { blank = names.end }
    }
    let first = UnsafeBufferPointer(start: names.at, count: blank - names.at)
    let rest = min(blank + 1, names.end)
    let second = UnsafeBufferPointer(start: rest, count: names.end - rest)
    if deviceFirst {
      device = first
      driver = second
    } else if blank == names.end {
      device = first
    } else {
      driver = first
      device = second
    }
  }
}

extension Cursor {
  /// Whether there is a blank in it.
  var holdsBlank: Bool {
    var cursor = self
    return cursor.find(0x20)
  }
}
