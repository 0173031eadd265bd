// SPDX-License-Identifier: MIT
import DMADebugCore

/// What devices read and write, through their back ends.
extension Machine {
  /// Calls `body` with each piece of a range of DMA addresses, as the device sees it.
  ///
  /// - Returns: Whether all of it was there; if not, the reason was observed.
  @inline(__always)
  func access(
    by device: Device,
    _ address: UInt64,
    _ length: UInt64,
    writes: Bool,
    _ body: (_ piece: UnsafeMutableRawPointer, _ offset: UInt64, _ length: UInt64) -> Void
  ) -> Bool {
    var done: UInt64 = 0
    while done < length {
      // The hardware puts out as many bits as it has lines.
      let position = (address &+ done) & Device.bitMask(device.options.addressBits)
      var count = length - done
      let physical: UInt64
      switch device.backend {
      case .direct: physical = position
      case .iommu(let domain):
        count = min(count, PhysicalMemory.pageSize - position & 4095)
        let needed: IOMMUDomain.Access = writes ? .write : .read
        guard let target = domain.translate(position), target.access.contains(needed) else {
          fault(device, position, isWrite: writes)
          return false
        }
        physical = target.physical
      case .ops(let ops):
        guard let target = ops.physical(position) else {
          observe(.busError, device, position)
          return false
        }
        count = min(count, PhysicalMemory.pageSize - position & 4095)
        physical = target
      }
      if Self.deviceMemory.contains(physical) {
        // Another device's registers take what they get.
        done += count
        continue
      }
      let extent = memory.extent(physical)
      guard extent > 0 else {
        observe(.busError, device, position)
        return false
      }
      count = min(count, extent)
      if options.isConfidential {
        count = min(count, PhysicalMemory.pageSize - physical & 4095)
        guard isShared[memory.pageIndex(physical)] else {
          observe(.privateMemory, device, position)
          return false
        }
      }
      let offset = done
      if let cache, device.options.isCoherent {
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

  /// The IOMMU stops an access and reports it (`report_iommu_fault`).
  private func fault(_ device: Device, _ address: UInt64, isWrite: Bool) {
    observe(.iommuFault, device, address)
    var event = event(.iommuFault, device)
    event.driver = device.isBound ? device.driverID : device.busID
    event.dmaAddress = address
    event.address = isWrite ? 1 : 0
    event.stack = StackTable.none
    emit(event)
  }

  /// The device writes a pattern.
  @discardableResult
  func deviceWrite(
    _ device: Device,
    _ address: UInt64,
    _ length: UInt64,
    _ pattern: Pattern,
    offset: UInt64 = 0
  ) -> Bool {
    access(by: device, address, length, writes: true) { piece, position, length in
      pattern.fill(piece, offset: offset + position, length: length)
    }
  }

  /// The device reads what the CPU should have written, and notes when it is something else.
  @discardableResult
  func deviceCheck(
    _ device: Device,
    _ address: UInt64,
    _ length: UInt64,
    _ pattern: Pattern,
    offset: UInt64 = 0
  ) -> Bool {
    var found: UInt64?
    let isThere = access(by: device, address, length, writes: false) { piece, position, length in
      if found == nil {
        found = pattern.mismatch(piece, offset: offset + position, length: length)
      }
    }
    guard isThere else { return false }
    guard let word = found else { return true }
    observe(kind(of: word, pattern, stale: .staleDeviceRead), device, address)
    return false
  }

  func deviceStoreWord(_ device: Device, _ address: UInt64, _ value: UInt64) -> Bool {
    access(by: device, address, 8, writes: true) { piece, _, _ in
      piece.storeBytes(of: value, as: UInt64.self)
    }
  }

  func deviceLoadWord(_ device: Device, _ address: UInt64) -> UInt64? {
    var value: UInt64 = 0
    let isThere = access(by: device, address, 8, writes: false) { piece, _, _ in
      value = piece.loadUnaligned(as: UInt64.self)
    }
    return isThere ? value : nil
  }
}
