// SPDX-License-Identifier: MIT
import DMADebugCore

/// Who has a mapping, as far as syncs told.
enum Owner: UInt8 {
  /// Of a mapping from a saved dump nobody knows.
  case unknown
  /// Mapped, and not synced yet.
  case fresh
  case cpu
  case device
}

/// A sync of the whole of a mapping.
struct ObservedSync {
  var slot: UInt32
  var mapping: Mapping
  /// Who had it before.
  var owner: Owner
}

/// Who has the mapping in each slot of the table.
struct SyncOwners {
  private var owners: [Owner] = []

  subscript(slot: UInt32) -> Owner? {
    @inline(__always)
    get {
      let index = Int(slot)
      return index < owners.count ? owners[index] : nil
    }
  }

  @inline(__always)
  mutating func set(_ slot: UInt32, _ owner: Owner) {
    let index = Int(slot)
    if index >= owners.count {
      owners.append(contentsOf: repeatElement(.fresh, count: index + 1 - owners.count))
    }
    owners[index] = owner
  }
}
