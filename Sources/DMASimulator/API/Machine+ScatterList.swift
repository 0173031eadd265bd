// SPDX-License-Identifier: MIT
import DMADebugCore

/// Id: scatterlists.
extension Machine {
  /// As many elements of a list as a trace event shows.
  private static let tracedEntries = 128

  /// `dma_map_sg()`
  ///
  /// - Parameter count: `nents`; `nil` for all entries of the list.
  /// - Returns: How many segments there are, 0 when it failed.
  @discardableResult
  public func dmaMapSG(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    count: Int? = nil,
    _ attributes: DMAAttributes = []
  ) -> Int {
    enter(.dmaMapSG)
    return mapSG(device, list, count ?? list.entries.count, direction, attributes)
  }

  /// `dma_unmap_sg()`; `count` is what was passed to the map, not what it returned.
  public func dmaUnmapSG(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    count: Int? = nil,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapSG)
    unmapSG(device, list, count ?? list.entries.count, direction, attributes)
  }

  /// `dma_map_sgtable()`: 0, or -EIO.
  @discardableResult
  public func dmaMapSGTable(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> Int {
    enter(.dmaMapSGTable)
    return mapSG(device, list, list.entries.count, direction, attributes) > 0 ? 0 : -5
  }

  /// `dma_unmap_sgtable()`
  public func dmaUnmapSGTable(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) {
    enter(.dmaUnmapSGTable)
    unmapSG(device, list, list.entries.count, direction, attributes)
  }

  private func mapSG(
    _ device: Device,
    _ list: ScatterList,
    _ count: Int,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> Int {
    let entries = list.entries.prefix(count)
    let isSound = entries.allSatisfy { $0.length <= Self.largestMapping }
    guard !entries.isEmpty, isSound else { return 0 }
    let segments: [ScatterList.Entry]?
    if case .iommu(let domain) = device.backend {
      segments = mapMerged(device, domain, entries, direction, attributes)
    } else {
      segments = mapEach(device, entries, direction, attributes)
    }
    guard let segments else { return 0 }
    let unused = ScatterList.Entry(address: Self.mappingError, length: 0)
    list.segments =
      segments + Array(repeating: unused, count: list.entries.count - segments.count)
    list.mappedEntries = segments.count
    emitMapSG(device, entries, segments, direction, attributes)
    return segments.count
  }

  /// `dma_direct_map_sg()`: entry by entry, nothing is merged.
  private func mapEach(
    _ device: Device,
    _ entries: ArraySlice<ScatterList.Entry>,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> [ScatterList.Entry]? {
    var segments: [ScatterList.Entry] = []
    segments.reserveCapacity(entries.count)
    for entry in entries {
      let address = mapped(device, entry.address, entry.length, direction, attributes)
      guard address != Self.mappingError else {
        for segment in segments {
          unmapped(
            device,
            segment.address,
            segment.length,
            direction,
            attributes.union(.skipCPUSync)
          )
        }
        return nil
      }
      segments.append(ScatterList.Entry(address: address, length: entry.length))
    }
    return segments
  }

  /// `iommu_dma_map_sg()`: one range of addresses for the whole list, cut where the device needs it.
  private func mapMerged(
    _ device: Device,
    _ domain: IOMMUDomain,
    _ entries: ArraySlice<ScatterList.Entry>,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) -> [ScatterList.Entry]? {
    let granule = IOVAAllocator.granule
    let mask = device.segmentBoundary
    var lengths: [UInt64] = []
    lengths.reserveCapacity(entries.count)
    var total: UInt64 = 0
    for entry in entries {
      let length = ((entry.address & (granule - 1)) + entry.length + granule - 1) & ~(granule - 1)
      // So that no entry crosses a boundary, the one before it is made longer.
      let padding = (mask &- total &+ 1) & mask
      if padding != 0, padding < length &- 1, let last = lengths.indices.last {
        lengths[last] += padding
        total += padding
      }
      lengths.append(length)
      total += length
    }
    guard let start = domain.addresses.allocate(total / granule, limit: device.addressLimit) else {
      observe(.iovaExhausted, device, entries.first?.address ?? 0)
      return nil
    }
    let access = IOMMUDomain.Access(direction)
    var segments: [ScatterList.Entry] = []
    var address = start
    var current: UInt64 = 0
    for (entry, length) in zip(entries, lengths) {
      let offset = entry.address & (granule - 1)
      let mappable = (offset + entry.length + granule - 1) & ~(granule - 1)
      syncForDevice(device, entry.address, entry.length, direction, attributes)
      domain.map(address, entry.address - offset, mappable, access)
      // __finalise_sg
      if current != 0, offset == 0, address & mask != 0,
        device.maximumSegmentSize - current >= entry.length
      {
        current += entry.length
        segments[segments.count - 1].length = current
      } else {
        segments.append(ScatterList.Entry(address: address + offset, length: entry.length))
        current = min(entry.length, device.maximumSegmentSize)
      }
      address += length
      if entry.length + offset < length { current = 0 }
    }
    return segments
  }

  private func unmapSG(
    _ device: Device,
    _ list: ScatterList,
    _ count: Int,
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    var event = event(.unmapSG, device)
    event.direction = direction
    event.attributes = attributes
    event.payload = UInt32(batch.payload.count)
    let entries = list.entries.prefix(count)
    for entry in entries { batch.payload.append(entry.address) }
    event.physicalCount = UInt32(entries.count)
    event.requestedEntries = event.physicalCount
    emit(event)
    if case .iommu(let domain) = device.backend {
      if !device.options.isCoherent {
        for entry in entries {
          syncForCPU(device, entry.address, entry.length, direction, attributes)
        }
      }
      // From the start of the first segment to the end of the last, as far as the list goes.
      guard let first = list.segments.first, first.length > 0 else { return }
      let last = list.segments.prefix(count).last { $0.length > 0 } ?? first
      release(domain, first.address, last.address + last.length - first.address)
    } else {
      for segment in list.segments.prefix(count) where segment.length > 0 {
        unmapped(device, segment.address, segment.length, direction, attributes)
      }
    }
  }

  private func emitMapSG(
    _ device: Device,
    _ entries: ArraySlice<ScatterList.Entry>,
    _ segments: [ScatterList.Entry],
    _ direction: Direction,
    _ attributes: DMAAttributes
  ) {
    var event = event(.mapSG, device)
    event.direction = direction
    event.attributes = attributes
    event.payload = UInt32(batch.payload.count)
    let listed = segments.prefix(Self.tracedEntries)
    for segment in listed { batch.payload.append(segment.address) }
    for segment in listed {
      batch.payload.append(segment.length)
      event.size &+= segment.length
    }
    for entry in entries.prefix(Self.tracedEntries) { batch.payload.append(entry.address) }
    event.dmaAddress = segments[0].address
    event.segmentCount = UInt32(listed.count)
    event.physicalCount = UInt32(min(entries.count, Self.tracedEntries))
    event.requestedEntries = UInt32(entries.count)
    event.mappedEntries = UInt32(segments.count)
    if entries.count > Self.tracedEntries { event.flags.insert(.truncated) }
    emit(event)
  }

  // MARK: Syncing

  /// `dma_sync_sg_for_cpu()`; `count` is what was passed to the map.
  public func dmaSyncSGForCPU(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    count: Int? = nil
  ) {
    enter(.dmaSyncSGForCPU)
    syncSG(device, list, count ?? list.entries.count, direction, forCPU: true)
  }

  /// `dma_sync_sg_for_device()`; `count` is what was passed to the map.
  public func dmaSyncSGForDevice(
    _ device: Device,
    _ list: ScatterList,
    _ direction: Direction,
    count: Int? = nil
  ) {
    enter(.dmaSyncSGForDevice)
    syncSG(device, list, count ?? list.entries.count, direction, forCPU: false)
  }

  /// `dma_sync_sgtable_for_cpu()`
  public func dmaSyncSGTableForCPU(_ device: Device, _ list: ScatterList, _ direction: Direction) {
    enter(.dmaSyncSGTableForCPU)
    syncSG(device, list, list.entries.count, direction, forCPU: true)
  }

  /// `dma_sync_sgtable_for_device()`
  public func dmaSyncSGTableForDevice(_ device: Device, _ list: ScatterList, _ direction: Direction)
  {
    enter(.dmaSyncSGTableForDevice)
    syncSG(device, list, list.entries.count, direction, forCPU: false)
  }

  private func syncSG(
    _ device: Device,
    _ list: ScatterList,
    _ count: Int,
    _ direction: Direction,
    forCPU: Bool
  ) {
    if case .iommu = device.backend {
      for entry in list.entries.prefix(count) where !device.options.isCoherent {
        if forCPU {
          syncForCPU(device, entry.address, entry.length, direction, [])
        } else {
          syncForDevice(device, entry.address, entry.length, direction, [])
        }
      }
    } else {
      for segment in list.segments.prefix(count) where segment.length > 0 {
        sync(device, segment.address, segment.length, direction, forCPU: forCPU)
      }
    }
    var event = event(forCPU ? .syncSGForCPU : .syncSGForDevice, device)
    event.direction = direction
    event.payload = UInt32(batch.payload.count)
    // A list that was never mapped has zeroes.
    let unmapped = ScatterList.Entry(address: 0, length: 0)
    let shown = (0..<min(count, list.entries.count)).map {
      $0 < list.segments.count ? list.segments[$0] : unmapped
    }
    for segment in shown { batch.payload.append(segment.address) }
    for segment in shown {
      batch.payload.append(segment.length)
      event.size &+= segment.length
    }
    event.dmaAddress = shown.first?.address ?? 0
    event.segmentCount = UInt32(shown.count)
    event.requestedEntries = event.segmentCount
    event.mappedEntries = event.segmentCount
    emit(event)
  }
}
