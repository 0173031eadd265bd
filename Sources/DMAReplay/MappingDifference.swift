// SPDX-License-Identifier: MIT
import DMADebugCore

/// What came and went between two moments, by device and map site: the leak finder.
public struct MappingDifference: Sendable {
  /// Mappings of one device from one site.
  public struct Group: Sendable {
    public var device: DeviceID
    /// Call stack of the maps, or ``StackTable/none``.
    public var stack: UInt32
    /// Who asked for their map error, where there is no stack.
    public var site: UInt32
    /// Alive at the second moment only, and their bytes.
    public var new: UInt64 = 0
    public var newBytes: UInt64 = 0
    /// Alive at the first moment only.
    public var gone: UInt64 = 0
    public var goneBytes: UInt64 = 0

    /// Alive at both moments, but asked for its map error in between.
    public var changed: UInt64 = 0

    /// By how many the group has grown.
    public var growth: Int64 { Int64(new) - Int64(gone) }
  }

  /// Groups that differ, those that grew most first.
  public let groups: [Group]
  /// Alive at both moments.
  public let stayed: UInt64

  private struct Key: Hashable, Comparable {
    var device: UInt32
    var stack: UInt32
    var site: UInt32

    static func < (a: Key, b: Key) -> Bool {
      (a.device, a.stack, a.site) < (b.device, b.stack, b.site)
    }
  }

  /// - Parameters:
  ///   - first: what was alive at one moment of a trace.
  ///   - second: what was alive at another.
  ///   - names: so that several ways to one function count as one site.
  public init(from first: [Mapping], to second: [Mapping], names: TraceNames) {
    var stacks: [String: UInt32] = [:]
    var known: [UInt32: UInt32] = [:]
    func canonical(_ stack: UInt32) -> UInt32 {
      if let stack = known[stack] { return stack }
      guard let name = names.callSite(stack: stack) else { return stack }
      let first = stacks[name] ?? stack
      stacks[name] = first
      known[stack] = first
      return first
    }
    var table: [Key: Group] = [:]
    func change(_ mapping: Mapping, _ body: (inout Group) -> Void) {
      let site = mapping.stack == StackTable.none ? mapping.site : NameTable.unknown
      let stack = mapping.stack == StackTable.none ? mapping.stack : canonical(mapping.stack)
      let key = Key(device: mapping.device.rawValue, stack: stack, site: site)
      var group = table[key] ?? Group(device: mapping.device, stack: stack, site: site)
      body(&group)
      table[key] = group
    }
    let before = Dictionary(
      first.map { ($0.sequence, $0.mapError) },
      uniquingKeysWith: { first, _ in first }
    )
    let after = Set(second.map(\.sequence))
    var stayed: UInt64 = 0
    for mapping in second {
      if let state = before[mapping.sequence] {
        stayed += 1
        if state != mapping.mapError { change(mapping) { group in group.changed += 1 } }
      } else {
        change(mapping) { group in
          group.new += 1
          group.newBytes &+= mapping.size
        }
      }
    }
    for mapping in first where !after.contains(mapping.sequence) {
      change(mapping) { group in
        group.gone += 1
        group.goneBytes &+= mapping.size
      }
    }
    self.stayed = stayed
    groups = table.sorted { a, b in
      a.value.growth == b.value.growth ? a.key < b.key : a.value.growth > b.value.growth
    }.map(\.value)
  }
}
