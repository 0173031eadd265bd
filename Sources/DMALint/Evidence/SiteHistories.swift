// SPDX-License-Identifier: MIT
import DMADebugCore

/// The map sites of a trace and what came of their mappings. Without stacks, a device and a direction
/// are a site.
struct SiteHistories {
  /// A site with mappings that live in the end.
  struct Open {
    /// The one that was made first.
    var oldest: Mapping
    var history: SiteHistory

    /// The event that made the oldest, as far as the mapping tells.
    var event: DMAEvent {
      var event = DMAEvent(.mapPhys)
      event.device = oldest.device
      event.line = oldest.line
      event.time = oldest.time
      event.task = oldest.task
      event.pid = oldest.pid
      event.cpu = UInt32(oldest.cpu)
      event.stack = oldest.stack
      return event
    }
  }

  private var byStack: [SiteHistory] = []
  /// The devices and directions that mapped; the one at place 0 is none.
  private var byDirection = [SiteHistory()]
  /// Where they are, by device and direction.
  private var places: [UInt32] = []

  private static func place(_ device: DeviceID, _ direction: Direction) -> Int {
    Int(device.rawValue) << 2 | Int(direction.rawValue)
  }

  @inline(__always)
  private mutating func withSite(
    _ change: MappingChange,
    _ body: (inout SiteHistory) -> Void
  ) {
    if change.stack != StackTable.none {
      let index = Int(change.stack)
      if index >= byStack.count {
        byStack.append(contentsOf: repeatElement(SiteHistory(), count: index + 1 - byStack.count))
      }
      body(&byStack[index])
    } else {
      let index = Self.place(change.device, change.direction)
      if index >= places.count {
        places.append(contentsOf: repeatElement(0, count: index + 1 - places.count))
      }
      if places[index] == 0 {
        places[index] = UInt32(byDirection.count)
        byDirection.append(SiteHistory())
      }
      body(&byDirection[Int(places[index])])
    }
  }

  @inline(__always)
  mutating func noteMapped(_ change: MappingChange, by event: DMAEvent) {
    withSite(change) { $0.map(event.time) }
  }

  @inline(__always)
  mutating func noteUnmapped(_ change: MappingChange, by event: DMAEvent) {
    withSite(change) { $0.unmap(event.time > change.time ? event.time - change.time : 0) }
  }

  /// The history of the site of a mapping.
  private func history(_ mapping: Mapping) -> SiteHistory? {
    if mapping.stack != StackTable.none {
      return Int(mapping.stack) < byStack.count ? byStack[Int(mapping.stack)] : nil
    }
    let index = Self.place(mapping.device, mapping.direction)
    guard index < places.count, places[index] != 0 else { return nil }
    return byDirection[Int(places[index])]
  }

  /// The sites with live streaming mappings, in the order of the oldest of each.
  func open(_ engine: EngineView) -> [Open] {
    struct Key: Hashable {
      var device: UInt32
      var stack: UInt32
      var direction: UInt8
    }
    var oldest: [Key: Mapping] = [:]
    engine.forEachLiveMapping { mapping in
      guard mapping.type != .coherent, mapping.type != .noncoherent, !mapping.isAdopted else {
        return
      }
      let direction = mapping.stack == StackTable.none ? mapping.direction.rawValue : 0
      let key = Key(
        device: mapping.device.rawValue,
        stack: mapping.stack,
        direction: direction
      )
      if let known = oldest[key], known.sequence < mapping.sequence { return }
      oldest[key] = mapping
    }
    return oldest.values.sorted { $0.sequence < $1.sequence }.compactMap { mapping in
      history(mapping).map { Open(oldest: mapping, history: $0) }
    }
  }
}
