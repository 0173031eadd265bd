// SPDX-License-Identifier: MIT
import DMADebugCore

/// What the CPU reads and writes, through its cache where it has one.
extension Machine {
  /// Calls `body` with each piece of a range of CPU addresses, as the CPU sees it.
  ///
  /// - Returns: Whether all of it was memory.
  @inline(__always)
  func access(
    _ address: UInt64,
    _ length: UInt64,
    writes: Bool,
    _ body: (_ piece: UnsafeMutableRawPointer, _ offset: UInt64, _ length: UInt64) -> Void
  ) -> Bool {
    var done: UInt64 = 0
    while done < length {
      let position = address &+ done
      guard let physical = space.physical(position) else { return false }
      // The direct map goes on without a gap, other mappings to the end of the page.
      let isDirect =
        position >= AddressSpace.directMap
        && position < AddressSpace.directMap + AddressSpace.directMapSize
      var count = length - done
      if !isDirect { count = min(count, PhysicalMemory.pageSize - position & 4095) }
      guard memory.holds(physical, count) else { return false }
      let offset = done
      if let cache, space.isCached(position) {
        cache.access(physical, count, writes: writes) { piece, inner, length in
          body(piece, offset + inner, length)
        }
      } else {
        body(memory.pointer(physical, count), offset, count)
      }
      done += count
    }
    return true
  }

  /// The CPU writes a pattern; `offset` is a multiple of 8 in the transfer.
  func write(_ address: UInt64, _ length: UInt64, _ pattern: Pattern, offset: UInt64 = 0) {
    let isMemory = access(address, length, writes: true) { piece, position, length in
      pattern.fill(piece, offset: offset + position, length: length)
    }
    if !isMemory { observe(.busError, nil, address) }
  }

  /// The CPU compares memory with a pattern.
  ///
  /// - Returns: The first word that is not right, `nil` when all is.
  func mismatch(_ address: UInt64, _ length: UInt64, _ pattern: Pattern, offset: UInt64 = 0)
    -> UInt64?
  {
    var found: UInt64?
    let isMemory = access(address, length, writes: false) { piece, position, length in
      if found == nil {
        found = pattern.mismatch(piece, offset: offset + position, length: length)
      }
    }
    return isMemory ? found : .max
  }

  /// Reads with the CPU what a device should have written, and notes when it did not arrive.
  @discardableResult
  func check(_ device: Device, _ address: UInt64, _ length: UInt64, _ pattern: Pattern) -> Bool {
    guard let word = mismatch(address, length, pattern) else { return true }
    observeWrong(word, pattern, device, address)
    return false
  }

  /// Notes that the CPU read a word that is not the device's.
  func observeWrong(_ word: UInt64, _ pattern: Pattern, _ device: Device, _ address: UInt64) {
    observe(kind(of: word, pattern, stale: .staleCPURead), device, address)
  }

  /// Whose a wrong word is.
  func kind(of word: UInt64, _ pattern: Pattern, stale: Observation.Kind)
    -> Observation.Kind
  {
    let owner = word >> 48
    let isForeign = owner != 0 && owner != pattern.tag >> 48 && owner <= UInt64(devices.count)
    let isNewer =
      owner == pattern.tag >> 48 && word >> 16 & 0xffff_ffff > pattern.tag >> 16 & 0xffff_ffff
    return isForeign || isNewer ? .foreignBytes : stale
  }

  func storeWord(_ address: UInt64, _ value: UInt64) {
    let isMemory = access(address, 8, writes: true) { piece, _, _ in
      piece.storeBytes(of: value, as: UInt64.self)
    }
    if !isMemory { observe(.busError, nil, address) }
  }

  func loadWord(_ address: UInt64) -> UInt64 {
    var value: UInt64 = 0
    let isMemory = access(address, 8, writes: false) { piece, _, _ in
      value = piece.loadUnaligned(as: UInt64.self)
    }
    if !isMemory { observe(.busError, nil, address) }
    return value
  }
}
