// SPDX-License-Identifier: MIT
import DMADebugCore

/// Mistakes that a simulated driver can be told to make.
///
/// Each is a complete misdeed with memory of its own, done at a moment when the driver maps
/// something, so that what is reported about it can be told from everything else.
public enum Fault: Int, CaseIterable, Sendable {
  // What check_unmap sees.
  case unmapInvalid
  case doubleUnmap
  case unmapSize
  case unmapFunction
  case unmapDirection
  case unmapAttributes
  case unmapOtherDevice
  case unmapSGCount
  case freeCPUAddress
  case freeCoherentSize
  case unchecked
  case failedMapUsed
  // What check_sync sees.
  case syncUnallocated
  case syncTooLong
  case syncOutside
  case syncDirection
  case syncReadOnlyForCPU
  case syncWriteOnlyToDevice
  case syncSGCount
  // What is seen when something is mapped.
  case overlap
  case overlapOverflow
  case segmentTooLong
  case segmentBoundary
  case mapStack
  case mapText
  case mapVmalloc
  case mapInvalid
  case mapRAMAsResource
  // What is seen when the driver leaves.
  case forgottenUnmap
  case forgottenFree
  case poolBusy
  // What dma-debug does not see.
  case poolDoubleFree
  case poolUseAfterFree
  case missingSyncForCPU
  case missingSyncForDevice
  case useAfterUnmap
  case freeWhileMapped
  case deviceOverrun
  case wrongMapDirection
  case sharedCacheline
  case wrongMask
  case leakedIOVA
  // With shared buffers.
  case leakedAttachment
  case detachWhileMapped
  case unmapAttachmentTwice
  case unbalancedVmap
  case unbalancedKmap
  case unbalancedPin
  case leakedBuffer
  case unendedCPUAccess
  case cpuAccessOutside
  case accessBeforeFence
  case useAfterPut
  case ignoredMove
  // With fences.
  case fenceNeverSignaled
  case fenceDeadlock
  // With ranges of IO virtual addresses.
  case leakedRange
  case unsyncedRange
  case useAfterUnlink
  // With channels of a DMA controller.
  case releaseInFlight
  case unmapInFlight
  case neverIssued

  /// The name on the command line and in scenarios.
  public var name: String { description.name }

  /// What the driver does.
  public var summary: String { description.summary }

  public init?(name: some StringProtocol) {
    guard let fault = Fault.allCases.first(where: { $0.name == name }) else { return nil }
    self = fault
  }

  private var description: (name: String, summary: String) {
    switch self {
    case .unmapInvalid: ("unmap-invalid", "unmaps DMA_MAPPING_ERROR")
    case .doubleUnmap: ("double-unmap", "unmaps a buffer twice")
    case .unmapSize: ("unmap-size", "unmaps half of what it mapped")
    case .unmapFunction: ("unmap-function", "frees a list with dma_unmap_single()")
    case .unmapDirection: ("unmap-direction", "unmaps DMA_FROM_DEVICE memory as DMA_TO_DEVICE")
    case .unmapAttributes: ("unmap-attributes", "unmaps with an attribute it did not map with")
    case .unmapOtherDevice: ("unmap-other-device", "unmaps a buffer for another device")
    case .unmapSGCount: ("unmap-sg-count", "unmaps fewer entries of a list than it mapped")
    case .freeCPUAddress: ("free-cpu-address", "frees coherent memory with a shifted CPU address")
    case .freeCoherentSize: ("free-coherent-size", "frees half of its coherent memory")
    case .unchecked: ("unchecked", "never asks dma_mapping_error()")
    case .failedMapUsed: ("failed-map-used", "goes on with the address of a map that failed")
    case .syncUnallocated: ("sync-unallocated", "syncs a buffer that it has unmapped")
    case .syncTooLong: ("sync-too-long", "syncs more than it mapped")
    case .syncOutside: ("sync-outside", "syncs a length that has underflowed")
    case .syncDirection: ("sync-direction", "syncs with another direction than mapped")
    case .syncReadOnlyForCPU: ("sync-for-cpu", "syncs for the CPU what the device only reads")
    case .syncWriteOnlyToDevice: ("sync-to-device", "syncs to the device what it only writes")
    case .syncSGCount: ("sync-sg-count", "syncs fewer entries of a list than it mapped")
    case .overlap: ("overlap", "maps two buffers that share a cacheline")
    case .overlapOverflow: ("overlap-overflow", "maps nine buffers in one cacheline")
    case .segmentTooLong: ("segment-too-long", "maps a segment longer than it claims to take")
    case .segmentBoundary: ("segment-boundary", "maps a segment across its boundary")
    case .mapStack: ("map-stack", "maps a variable on the stack")
    case .mapText: ("map-text", "maps a constant of the kernel's image")
    case .mapVmalloc: ("map-vmalloc", "maps vmalloc memory with dma_map_single()")
    case .mapInvalid: ("map-invalid", "maps the address of device registers with dma_map_single()")
    case .mapRAMAsResource: ("map-ram-as-resource", "maps RAM with dma_map_resource()")
    case .forgottenUnmap:
      ("forgotten-unmap", "returns from an error path without dma_unmap_single()")
    case .forgottenFree: ("forgotten-free", "never frees coherent memory")
    case .poolBusy: ("pool-busy", "destroys a pool with a block in use")
    case .poolDoubleFree: ("pool-double-free", "frees a block of a pool twice")
    case .poolUseAfterFree: ("pool-use-after-free", "writes to a block of a pool after freeing it")
    case .missingSyncForCPU: ("missing-sync-for-cpu", "reads a mapped buffer without sync")
    case .missingSyncForDevice: ("missing-sync-for-device", "writes a mapped buffer without sync")
    case .useAfterUnmap: ("use-after-unmap", "unmaps while the device still writes")
    case .freeWhileMapped: ("free-while-mapped", "frees memory before it unmaps it")
    case .deviceOverrun: ("device-overrun", "tells the device a length beyond the mapping")
    case .wrongMapDirection: ("wrong-map-direction", "maps DMA_TO_DEVICE what the device writes")
    case .sharedCacheline: ("shared-cacheline", "writes beside a buffer in the same cacheline")
    case .wrongMask: ("wrong-mask", "sets a DMA mask wider than the device's address lines")
    case .leakedIOVA: ("leaked-iova", "unmaps the first page of three behind an IOMMU")
    case .leakedAttachment: ("leaked-attachment", "puts a buffer without detaching from it")
    case .detachWhileMapped: ("detach-while-mapped", "detaches from a buffer that is still mapped")
    case .unmapAttachmentTwice: ("unmap-attachment-twice", "unmaps an attachment twice")
    case .unbalancedVmap: ("unbalanced-vmap", "puts a buffer without dma_buf_vunmap()")
    case .unbalancedKmap: ("unbalanced-kmap", "puts a buffer without dma_buf_kunmap()")
    case .unbalancedPin: ("unbalanced-pin", "detaches without dma_buf_unpin()")
    case .leakedBuffer: ("leaked-buffer", "exports a buffer and never puts it")
    case .unendedCPUAccess:
      ("unended-cpu-access", "writes to a buffer without dma_buf_end_cpu_access()")
    case .cpuAccessOutside:
      ("cpu-access-outside", "reads a mapped buffer without dma_buf_begin_cpu_access()")
    case .accessBeforeFence: ("access-before-fence", "reads a buffer before the writer's fence")
    case .useAfterPut: ("use-after-put", "writes to a buffer after putting its last reference")
    case .ignoredMove: ("ignored-move", "goes on with its mapping after move_notify")
    case .fenceNeverSignaled: ("fence-never-signaled", "never signals a fence")
    case .fenceDeadlock: ("fence-deadlock", "two threads wait for each other's fence")
    case .leakedRange: ("leaked-range", "never calls dma_iova_destroy()")
    case .unsyncedRange: ("unsynced-range", "uses a range before dma_iova_sync()")
    case .useAfterUnlink: ("use-after-unlink", "uses a range after dma_iova_unlink()")
    case .releaseInFlight: ("release-in-flight", "releases a channel with a transfer in flight")
    case .unmapInFlight: ("unmap-in-flight", "unmaps a buffer before its transfer is done")
    case .neverIssued: ("never-issued", "submits a transfer without dma_async_issue_pending()")
    }
  }

  /// Whether the driver of a device of this machine can make the mistake, and to some effect.
  func isPossible(_ machine: Machine, _ device: Device) -> Bool {
    let isIOMMU = if case .iommu = device.backend { true } else { false }
    let isDirect = if case .direct = device.backend { !device.forcesBounce } else { false }
    let seesNoCache = !device.options.isCoherent
    switch self {
    case .segmentTooLong: return device.maximumSegmentSize <= 1 << 17
    case .segmentBoundary: return isDirect && device.addressLimit >= machine.memory.end - 1
    case .mapRAMAsResource: return !device.forcesBounce
    case .unmapOtherDevice: return isDirect && other(machine, device) != nil
    case .missingSyncForCPU, .missingSyncForDevice: return device.forcesBounce || seesNoCache
    case .wrongMapDirection: return isIOMMU || device.forcesBounce || seesNoCache
    case .useAfterUnmap, .deviceOverrun:
      return isIOMMU || isDirect && device.addressLimit >= machine.memory.end - 1
    case .freeWhileMapped: return true
    // What is bounced shares no cacheline with anything.
    case .sharedCacheline:
      return isDirect && seesNoCache && device.addressLimit >= machine.memory.end - 1
    case .wrongMask:
      return isDirect && device.options.addressBits <= 32 && machine.memory.highSize > 0
    case .leakedIOVA: return isIOMMU
    case .leakedAttachment, .detachWhileMapped, .unmapAttachmentTwice, .unbalancedVmap,
      .unbalancedKmap, .unbalancedPin, .leakedBuffer, .useAfterPut, .ignoredMove,
      .fenceNeverSignaled, .fenceDeadlock:
      return device.sharesBuffers
    case .accessBeforeFence: return device.sharesBuffers && peer(machine, device) != nil
    // Where some memory is bounced and some is not, the effect is not known beforehand.
    case .unendedCPUAccess, .cpuAccessOutside:
      let isLimited = isDirect && device.addressLimit < machine.memory.end - 1
      return device.sharesBuffers && (seesNoCache || !isLimited)
    case .leakedRange, .unsyncedRange, .useAfterUnlink:
      return isIOMMU && (device.sharesBuffers || device.isController)
    case .releaseInFlight, .neverIssued: return device.isController
    case .unmapInFlight:
      return device.isController
        && (isIOMMU || isDirect && device.addressLimit >= machine.memory.end - 1)
    default: return true
    }
  }

  /// Another device whose DMA addresses are physical addresses too.
  func other(_ machine: Machine, _ device: Device) -> Device? {
    machine.devices.first { other in
      guard other !== device, other.isBound, case .direct = other.backend else { return false }
      return true
    }
  }

  /// Another driver's device that shares buffers.
  func peer(_ machine: Machine, _ device: Device) -> Device? {
    machine.devices.first { other in
      other.sharesBuffers && other.isBound && other.driverID != device.driverID
    }
  }

  /// What dma-debug reports about the misdeed itself, apart from leaks when the driver leaves.
  func reports(_ machine: Machine, _ device: Device) -> Set<Report.Kind> {
    let generation = machine.options.generation
    switch self {
    case .unmapInvalid, .failedMapUsed: return [.freeInvalidAddress]
    case .doubleUnmap, .unmapOtherDevice, .unmapAttachmentTwice: return [.freeNotAllocated]
    case .unmapSize, .freeCoherentSize, .leakedIOVA: return [.freeDifferentSize]
    case .unmapFunction: return [.freeWrongFunction]
    case .unmapDirection: return [.freeDifferentDirection]
    case .unmapAttributes: return generation.comparesAttributes ? [.freeDifferentAttributes] : []
    case .unmapSGCount: return [.freeDifferentSGCount]
    case .freeCPUAddress: return [.freeDifferentCPUAddress]
    case .unchecked: return [.mapErrorNotChecked]
    case .syncUnallocated, .syncTooLong: return [.syncNotAllocated]
    case .syncOutside: return [.syncOutsideRange]
    case .syncDirection: return [.syncDifferentDirection]
    case .syncReadOnlyForCPU: return [.syncDifferentDirection, .syncReadOnlyForCPU]
    case .syncWriteOnlyToDevice: return [.syncDifferentDirection, .syncWriteOnlyToDevice]
    case .syncSGCount: return [.syncDifferentSGCount]
    case .overlap, .overlapOverflow:
      let isSilent = generation.silentOnCoherentMachines && machine.options.isCoherent
      return isSilent ? [] : [.overlappingCacheline]
    case .segmentTooLong: return [.segmentTooLong]
    case .segmentBoundary: return [.segmentAcrossBoundary]
    case .mapStack: return [.mapsStack]
    case .mapText: return [.mapsKernelText]
    case .mapInvalid: return [.mapsInvalidArea]
    case .mapRAMAsResource: return generation.comparesAttributes ? [.mapsRAMAsResource] : []
    case .mapVmalloc, .forgottenUnmap, .forgottenFree, .poolBusy, .poolDoubleFree,
      .poolUseAfterFree, .missingSyncForCPU, .missingSyncForDevice, .useAfterUnmap,
      .freeWhileMapped, .deviceOverrun, .wrongMapDirection, .sharedCacheline, .wrongMask,
      .leakedAttachment, .detachWhileMapped, .unbalancedVmap, .unbalancedKmap, .unbalancedPin,
      .leakedBuffer, .unendedCPUAccess, .cpuAccessOutside, .accessBeforeFence, .useAfterPut,
      .ignoredMove, .fenceNeverSignaled, .fenceDeadlock, .leakedRange, .unsyncedRange,
      .useAfterUnlink, .releaseInFlight, .unmapInFlight, .neverIssued:
      return []
    }
  }

  /// What the machine notices: one of these at least, and nothing else.
  func observations(_ machine: Machine, _ device: Device) -> Set<Observation.Kind> {
    let isIOMMU = if case .iommu = device.backend { true } else { false }
    switch self {
    case .failedMapUsed:
      return isIOMMU ? [.vmallocRejected, .iommuFault] : [.vmallocRejected, .busError]
    case .mapVmalloc: return [.vmallocRejected]
    case .mapRAMAsResource: return machine.options.generation.hasPhyType ? [] : [.resourceRejected]
    case .poolBusy: return [.poolBusy]
    case .poolDoubleFree: return [.poolDoubleFree]
    case .poolUseAfterFree: return [.poolCorrupted]
    case .missingSyncForCPU, .sharedCacheline: return [.staleCPURead]
    case .missingSyncForDevice: return [.staleDeviceRead]
    case .useAfterUnmap, .deviceOverrun: return isIOMMU ? [.iommuFault] : [.foreignBytes]
    case .freeWhileMapped: return [.foreignBytes]
    case .wrongMapDirection: return isIOMMU ? [.iommuFault] : [.staleCPURead]
    case .wrongMask: return [.staleDeviceRead, .foreignBytes, .busError]
    case .leakedAttachment, .unbalancedVmap: return [.kernelWarning]
    case .unendedCPUAccess: return device.losesSync ? [.staleDeviceRead] : []
    case .cpuAccessOutside: return device.losesSync ? [.staleCPURead] : []
    case .accessBeforeFence, .ignoredMove: return [.staleDeviceRead]
    case .useAfterPut: return [.foreignBytes]
    case .fenceNeverSignaled: return [.fenceTimeout]
    case .fenceDeadlock: return [.hungTask]
    case .unsyncedRange, .useAfterUnlink: return [.iommuFault]
    case .releaseInFlight: return [.channelBusy]
    case .unmapInFlight: return isIOMMU ? [.iommuFault] : [.foreignBytes]
    default: return []
    }
  }

  /// Whether bytes get lost or mixed up, or an IOMMU has to step in.
  public var corruptsData: Bool {
    switch self {
    case .missingSyncForCPU, .missingSyncForDevice, .useAfterUnmap, .freeWhileMapped,
      .deviceOverrun, .wrongMapDirection, .sharedCacheline, .wrongMask, .failedMapUsed,
      .poolUseAfterFree, .accessBeforeFence, .useAfterPut, .ignoredMove, .unsyncedRange,
      .useAfterUnlink, .unmapInFlight:
      true
    default: false
    }
  }
}

/// A mistake to make, how often, and where.
public struct FaultPlan: Sendable, Equatable {
  public var fault: Fault
  /// How often, in millionths of the driver's maps; `nil` for once.
  public var perMillion: UInt64?
  /// The device whose driver makes it; `nil` for every one that can.
  public var device: String?

  public init(_ fault: Fault, perMillion: UInt64? = nil, device: String? = nil) {
    self.fault = fault
    self.perMillion = perMillion
    self.device = device
  }

  /// Reads `NAME`, `NAME@RATE` and `all`; a rate is a share (`0.001`, `0.1%`) or `once`.
  ///
  /// Without a rate every thousandth map goes wrong.
  ///
  /// - Returns: `nil` when the name or the rate is none.
  public static func parse(_ text: some StringProtocol) -> [FaultPlan]? {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let name = parts.first else { return nil }
    var perMillion: UInt64? = 1000
    if parts.count == 2 {
      guard let rate = rate(String(parts[1])) else { return nil }
      perMillion = rate == 0 ? nil : rate
    }
    if name == "all" { return Fault.allCases.map { FaultPlan($0, perMillion: perMillion) } }
    return Fault(name: name).map { [FaultPlan($0, perMillion: perMillion)] }
  }

  /// Millionths of a rate, 0 for `once`; at least 1 otherwise.
  private static func rate(_ text: String) -> UInt64? {
    if text == "once" { return 0 }
    let isPercent = text.hasSuffix("%")
    guard let value = Double(isPercent ? String(text.dropLast()) : text), value > 0 else {
      return nil
    }
    let share = isPercent ? value / 100 : value
    guard share <= 1 else { return nil }
    return max(1, UInt64(share * 1_000_000))
  }
}

/// A mistake that was made.
public struct InjectedFault: Sendable {
  public var number: Int
  public var fault: Fault
  public var device: String
  /// Nanoseconds of simulated time.
  public var time: UInt64
  /// Events during which it was made, by number from 0.
  public var events: Range<UInt64>
  /// What dma-debug has to report of these events: exactly these kinds.
  public var reports: Set<Report.Kind>
  /// What the machine has to notice: some of these, nothing else.
  public var observations: Set<Observation.Kind>
  /// A mapping stays behind: dma-debug reports it when the driver leaves its pci device.
  public var leaksMapping: Bool
  /// Addresses or slots stay behind, which the machine notices at the end.
  public var leaksResources: Bool
  /// What the driver did, with its addresses.
  public var text: String
}
