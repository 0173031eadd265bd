// SPDX-License-Identifier: MIT
import DMADebugCore

/// What is mapped at a moment, so that two moments, two dumps, or one of each can be compared.
public struct MappingSnapshot: Sendable {
  /// A mapping as everything that prints mappings knows it.
  public struct Row: Sendable {
    public var driver: String
    public var device: String
    public var type: MappingType
    public var direction: Direction
    public var dmaAddress: UInt64
    /// Bytes.
    public var size: UInt64
    public var physicalAddress: UInt64?
    /// Where it was mapped, when a trace tells.
    public var site: String?
    /// Identity within one trace, 0 for others.
    public var sequence: UInt64
  }

  /// In the order of `dma-api/dump`.
  public let rows: [Row]

  /// What an engine has mapped.
  public init(_ engine: DMADebug, _ names: TraceNames) {
    rows = engine.liveMappings().map { mapping in
      Row(
        driver: names.drivers.string(engine.driver(of: mapping.device).rawValue),
        device: names.devices.string(mapping.device.rawValue),
        type: mapping.type,
        direction: mapping.direction,
        dmaAddress: mapping.dmaAddress,
        size: mapping.size,
        physicalAddress: engine.physicalAddress(of: mapping),
        site: names.mapSite(of: mapping),
        sequence: mapping.sequence
      )
    }
  }

  /// The bytes of all mappings.
  public var bytes: UInt64 { rows.reduce(0) { $0 &+ $1.size } }
}

/// What came, went and stayed between two states.
///
/// Two moments of one trace know each mapping by its place in the order of mapping. Other states, such
/// as two dumps, know it by device, DMA address, size and type; the types that kernels before and from
/// 6.18 on give the same map (`single`, `resource`, `phy`) count as one.
public struct StateDifference: Sendable {
  /// Mappings of one driver, device and type.
  public struct Group: Sendable {
    public var driver: String
    public var device: String
    /// As the second state names it, else the first.
    public var type: MappingType
    /// Mappings and bytes in the first and in the second state.
    public var before: (count: UInt64, bytes: UInt64) = (0, 0)
    public var after: (count: UInt64, bytes: UInt64) = (0, 0)
    public var new: (count: UInt64, bytes: UInt64) = (0, 0)
    public var gone: (count: UInt64, bytes: UInt64) = (0, 0)

    /// By how many it has grown; negative when it has shrunk.
    public var growth: Int64 { Int64(after.count) - Int64(before.count) }
    /// By how many bytes.
    public var byteGrowth: Int64 { Int64(bitPattern: after.bytes &- before.bytes) }

    mutating func add(_ other: Group) {
      func sum(_ a: inout (count: UInt64, bytes: UInt64), _ b: (count: UInt64, bytes: UInt64)) {
        a.count += b.count
        a.bytes &+= b.bytes
      }
      sum(&before, other.before)
      sum(&after, other.after)
      sum(&new, other.new)
      sum(&gone, other.gone)
    }
  }

  /// Groups that differ, those that grew most first.
  public let groups: [Group]
  /// Everything, also what stayed.
  public let total: Group
  /// In the second state only, and in the first only, in the order of the states.
  public let new: [MappingSnapshot.Row]
  public let gone: [MappingSnapshot.Row]
  /// In both.
  public let stayed: UInt64

  /// Whether the states are equal.
  public var isEmpty: Bool { new.isEmpty && gone.isEmpty }

  private struct Identity: Hashable {
    var device: String
    var dmaAddress: UInt64
    var size: UInt64
    var type: MappingType
  }

  private struct Key: Hashable {
    var driver: String
    var device: String
    var type: MappingType
  }

  /// - Parameter isOneTrace: The states are moments of one trace.
  public init(from first: MappingSnapshot, to second: MappingSnapshot, isOneTrace: Bool) {
    var gone: [MappingSnapshot.Row] = []
    var new: [MappingSnapshot.Row] = []
    if isOneTrace {
      let before = Set(first.rows.map(\.sequence))
      let after = Set(second.rows.map(\.sequence))
      gone = first.rows.filter { !after.contains($0.sequence) }
      new = second.rows.filter { !before.contains($0.sequence) }
    } else {
      var counts: [Identity: Int] = [:]
      for row in first.rows { counts[Self.identity(row), default: 0] += 1 }
      for row in second.rows {
        let identity = Self.identity(row)
        if let count = counts[identity], count > 0 {
          counts[identity] = count - 1
        } else {
          new.append(row)
        }
      }
      // Of equal ones the youngest are gone.
      for row in first.rows.reversed() {
        let identity = Self.identity(row)
        guard let count = counts[identity], count > 0 else { continue }
        counts[identity] = count - 1
        gone.append(row)
      }
      gone.reverse()
    }
    self.new = new
    self.gone = gone
    stayed = UInt64(second.rows.count - new.count)

    var table: [Key: Group] = [:]
    func change(_ row: MappingSnapshot.Row, _ body: (inout Group) -> Void) {
      let key = Key(driver: row.driver, device: row.device, type: Self.plain(row.type))
      body(&table[key, default: Group(driver: row.driver, device: row.device, type: row.type)])
    }
    func add(_ sum: inout (count: UInt64, bytes: UInt64), _ row: MappingSnapshot.Row) {
      sum.count += 1
      sum.bytes &+= row.size
    }
    for row in second.rows { change(row) { add(&$0.after, row) } }
    for row in first.rows { change(row) { add(&$0.before, row) } }
    for row in new { change(row) { add(&$0.new, row) } }
    for row in gone { change(row) { add(&$0.gone, row) } }
    var total = Group(driver: "", device: "", type: .single)
    for group in table.values { total.add(group) }
    self.total = total
    groups = table.values.filter { $0.new.count > 0 || $0.gone.count > 0 }.sorted { a, b in
      if a.growth != b.growth { return a.growth > b.growth }
      return (a.driver, a.device, a.type.rawValue) < (b.driver, b.device, b.type.rawValue)
    }
  }

  private static func identity(_ row: MappingSnapshot.Row) -> Identity {
    Identity(
      device: row.device,
      dmaAddress: row.dmaAddress,
      size: row.size,
      type: plain(row.type)
    )
  }

  private static func plain(_ type: MappingType) -> MappingType {
    type == .single || type == .resource ? .phy : type
  }
}
