// SPDX-License-Identifier: MIT
import DMADebugCore

/// A saved `dma-api/dump`, or the same lines out of a kernel log.
///
/// Every kernel's form is read (see docs/ARCHITECTURE.md); what cannot be read is counted and named
/// by its line. Kernels 5.0 … 5.6 print the name of another type than they mean: that shows when a
/// file has the type `page`, which those kernels no longer had, or coherent memory whose map error
/// was to be checked, and is put right.
public struct MappingDump: Sendable {
  /// Which kernels print such lines.
  public enum Layout: Sendable {
    /// Lines of a kernel log.
    case log
    /// 5.1 … 6.3
    case deviceFirst
    /// 6.4 … 6.12.47
    case pageFrame
    /// 6.12.48, 6.13 … 7.1
    case physical
    /// 7.2 and later
    case attributes

    /// The kernels, in words.
    public var description: String {
      switch self {
      case .log: "in a kernel log"
      case .deviceFirst: "as of Linux 5.1 to 6.3"
      case .pageFrame: "as of Linux 6.4 to 6.12.47"
      case .physical: "as of Linux 6.12.48 to 7.1"
      case .attributes: "as of Linux 7.2 and later"
      }
    }
  }

  /// The most entries that are kept.
  public static let maximumEntries = 1 << 23

  /// What error messages call it, control characters escaped.
  public let name: String
  public private(set) var entries: [DumpEntry] = []
  /// Devices and drivers of the entries.
  public private(set) var names = TraceNames()
  public private(set) var layout = Layout.log
  /// Types were printed under the name of another and put right.
  public private(set) var hadShiftedTypes = false
  public private(set) var lines: UInt64 = 0
  /// Lines that are no entry.
  public private(set) var malformedLines: UInt64 = 0
  /// The first few of them.
  public private(set) var malformed: [TraceSummary.Malformed] = []
  /// Those of them that look like entries.
  private var brokenEntries: UInt64 = 0
  /// The last line has no line end and is no entry.
  public private(set) var cutOff = false
  /// Why the rest of it cannot be read; `nil` when all of it was.
  public private(set) var damage: String?

  /// Reads a dump from a file, or from standard input for `-`.
  ///
  /// - Throws: ``TraceError`` when it cannot be read, or holds more other lines than entries.
  ///   An empty file is a dump: nothing was mapped.
  public init(path: String) throws(TraceError) {
    try self.init(ByteSource(path: path))
  }

  /// Reads a dump that is in memory.
  ///
  /// - Parameter name: what error messages call it.
  public init(bytes: [UInt8], name: String) throws(TraceError) {
    try self.init(ByteSource(bytes: bytes, name: name))
  }

  init(_ source: ByteSource) throws(TraceError) {
    name = source.name
    var words: [DumpLine.TypeWord] = []
    var layouts = [0, 0, 0, 0, 0]
    var reader = LineReader(source)
    var stamped: UInt64 = 0
    while true {
      var next: Cursor?
      do throws(TraceError) {
        next = try reader.next()
      } catch {
        // What was read before the error counts.
        guard !entries.isEmpty, !source.isRefused else { throw error }
        damage = error.problem
      }
      guard let line = next else { break }
      var start = line
      start.skipSpaces()
      if start.isAtEnd { continue }
      var looksLikeEntry = true
      do throws(DumpLine.Problem) {
        if let parsed = try DumpLine.parse(line) {
          guard entries.count < Self.maximumEntries else {
            throw DumpLine.Problem(reason: "more than \(Self.maximumEntries) entries")
          }
          layouts[parsed.layout.rawValue] += 1
          words.append(parsed.type)
          add(parsed, reader.number)
        } else if LogPrefix.isStamped(line) {
          stamped += 1
        } else {
          looksLikeEntry = false
          throw DumpLine.Problem(reason: "no entry of a dump")
        }
      } catch {
        if reader.endsOpen {
          cutOff = true
        } else {
          if looksLikeEntry { brokenEntries += 1 }
          count(line, reader.number, error.reason)
        }
      }
    }
    if source.isCut, reader.endsOpen { cutOff = true }
    lines = reader.number
    for (layout, count) in zip(
      [Layout.log, .deviceFirst, .pageFrame, .physical, .attributes],
      layouts
    ) where count > 0 {
      self.layout = layout
    }
    if entries.isEmpty, source.isCut, malformedLines == 0 { throw source.interruption }
    let isEmpty = entries.isEmpty && (malformedLines + stamped > 0 || cutOff)
    // A text that has a few such lines is not a dump, as CaptureFormat has it.
    if isEmpty || malformedLines > UInt64(entries.count) {
      let first = malformed.first.map { ": line \($0.line): \($0.reason)" } ?? ""
      throw TraceError(
        path: name,
        problem: "is not a dma-api/dump" + first,
        advice: "save one with `cat /sys/kernel/debug/dma-api/dump >FILE`"
      )
    }
    repairTypes(words)
  }

  private mutating func add(_ line: DumpLine, _ number: UInt64) {
    entries.append(
      DumpEntry(
        device: DeviceID(rawValue: line.device.map { names.devices.intern($0) } ?? 0),
        driver: DriverID(rawValue: line.driver.map { names.drivers.intern($0) } ?? 0),
        type: line.type.type,
        direction: line.direction,
        mapError: line.mapError ?? .notApplicable,
        physicalAddress: line.physicalAddress,
        dmaAddress: line.dmaAddress,
        size: line.size,
        attributes: line.attributes.map { DMAAttributes(rawValue: UInt32(truncatingIfNeeded: $0)) },
        line: number
      )
    )
  }

  private mutating func count(_ line: Cursor, _ number: UInt64, _ reason: String) {
    malformedLines += 1
    guard malformed.count < 10 else { return }
    let text = UnsafeBufferPointer(start: line.at, count: min(line.count, 80))
    malformed.append(
      TraceSummary.Malformed(line: number, reason: reason, excerpt: String(escaping: text))
    )
  }

  private mutating func repairTypes(_ words: [DumpLine.TypeWord]) {
    guard layout == .deviceFirst else { return }
    let isShifted = zip(words, entries).contains { word, entry in
      word == .page || word == .coherent && entry.mapError != .notApplicable
    }
    guard isShifted else { return }
    hadShiftedTypes = true
    for index in entries.indices { entries[index].type = words[index].shiftedType }
  }

  /// The generation whose dumps look like this one; `nil` when the lines do not tell, or the kernel
  /// is older than any generation that is mirrored.
  public var generation: KernelGeneration? {
    switch layout {
    case .log, .deviceFirst: return nil
    case .pageFrame: return KernelGeneration(version: "6.12.47")
    case .physical:
      let hasPhy = entries.contains { $0.type == .phy }
      return hasPhy ? KernelGeneration(version: "6.18") : .linux612
    case .attributes: return .linux73
    }
  }

  /// The entries with the numbers that another table has for their names, which are added to it.
  public func entries(interning names: inout TraceNames) -> [DumpEntry] {
    var devices: [UInt32: UInt32] = [:]
    var drivers: [UInt32: UInt32] = [:]
    return entries.map { entry in
      var entry = entry
      if let known = devices[entry.device.rawValue] {
        entry.device = DeviceID(rawValue: known)
      } else {
        let number = Self.intern(self.names.devices[entry.device.rawValue], into: &names.devices)
        devices[entry.device.rawValue] = number
        entry.device = DeviceID(rawValue: number)
      }
      if let known = drivers[entry.driver.rawValue] {
        entry.driver = DriverID(rawValue: known)
      } else {
        let number = Self.intern(self.names.drivers[entry.driver.rawValue], into: &names.drivers)
        drivers[entry.driver.rawValue] = number
        entry.driver = DriverID(rawValue: number)
      }
      return entry
    }
  }

  private static func intern(_ name: ArraySlice<UInt8>, into table: inout NameTable) -> UInt32 {
    name.withUnsafeBufferPointer { table.intern($0) }
  }

  /// What there is to say of it as of a capture.
  public var summary: TraceSummary {
    var summary = TraceSummary()
    summary.dialect = "dma-api/dump " + layout.description
    summary.lines = lines
    summary.malformedLines = malformedLines
    summary.brokenRecords = brokenEntries
    summary.entries = UInt64(entries.count)
    summary.damage = damage
    summary.malformed = malformed
    summary.cutOff = cutOff
    summary.isDump = true
    return summary
  }
}

/// A dump as a source of events of which there are none: a state and nothing that happens.
public struct DumpReader: TraceReader {
  public var names = TraceNames()
  public let summary: TraceSummary

  public init(_ dump: MappingDump) {
    summary = dump.summary
  }

  public var progress: (read: UInt64, total: UInt64?) { (0, nil) }

  public var liveDescriptor: Int32? { nil }

  public mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    batch.removeAll()
    return false
  }
}
