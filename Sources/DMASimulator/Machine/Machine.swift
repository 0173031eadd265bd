// SPDX-License-Identifier: MIT
import DMADebugCore

/// What the simulated machine is.
public struct MachineOptions: Sendable, Equatable {
  /// Bytes of memory below 4 GiB and above, multiples of 4 MiB; at least 64 MiB below.
  public var lowMemory: UInt64 = 256 << 20
  public var highMemory: UInt64 = 256 << 20
  public var cpus = 4
  /// The kernel that is simulated.
  public var generation = KernelGeneration.linux73
  /// Whether devices may be without sight of the CPU's caches: the machine has a real cache then.
  public var isCoherent = true
  /// Bytes of the bounce buffer, a multiple of 256 KiB; 0 for none.
  public var swiotlbSize: UInt64 = 16 << 20
  /// Memory is private to the machine unless it is shared on purpose; devices see no other.
  public var isConfidential = false
  /// Whether events carry call stacks.
  public var hasStacks = false
  public var seed: UInt64 = 1

  public init() {}
}

/// A place in a driver's code.
struct Site {
  /// `function+0x1c4/0x3e0 [module]`
  let symbol: UInt32
  /// Functions, innermost first.
  let frames: [UInt32]
  let number: Int
}

/// The simulated machine: memory, devices, and a kernel with the DMA-API.
///
/// Calls of the API are methods with the kernel's names; each leaves in ``batch`` the events that a
/// tracer would have recorded. Time is simulated, in whole microseconds. One machine is used by one
/// thread, and nothing that it calls while it changes a property looks at the same one: checking that
/// at run time cost a quarter of a simulation, so it is switched off where it is hot.
public final class Machine {
  /// `DMA_MAPPING_ERROR`
  public static let mappingError = UInt64.max
  static let microsecond: UInt64 = 1000
  private static let maximumObservations = 100_000

  public let options: MachineOptions
  let memory: PhysicalMemory
  @exclusivity(unchecked) var pages: PageAllocator
  @exclusivity(unchecked) var slab: SlabAllocator
  @exclusivity(unchecked) var space = AddressSpace()
  let cache: CPUCache?
  @exclusivity(unchecked) var swiotlb: SWIOTLB?
  /// Of a confidential machine: pages that devices may see.
  @exclusivity(unchecked) var isShared: [Bool]
  public internal(set) var devices: [Device] = []
  var random: SeededRandom

  /// The names that the events use.
  public var names = TraceNames()
  /// Events since they were last taken away.
  @exclusivity(unchecked) public internal(set) var batch = EventBatch()
  /// Events ever made.
  @exclusivity(unchecked) public private(set) var eventCount: UInt64 = 0

  /// Simulated time in nanoseconds, whole microseconds.
  @exclusivity(unchecked) public internal(set) var now: UInt64 = 1_000_000_000
  @exclusivity(unchecked) var cpu: UInt32 = 0
  @exclusivity(unchecked) var pid: Int32 = 1
  @exclusivity(unchecked) var task: UInt32 = 0
  /// The code that calls the API.
  @exclusivity(unchecked) var site: Site?
  private var sites = 0
  /// Stacks by site and function.
  private var stacks: [Int: UInt32] = [:]
  private let hookSymbol: UInt32

  /// How often each function of the API was called.
  @exclusivity(unchecked) public private(set) var calls = [UInt64](
    repeating: 0,
    count: APIFunction.allCases.count
  )
  public private(set) var observations: [Observation] = []
  /// Observations beyond those that are kept.
  public private(set) var droppedObservations: UInt64 = 0
  /// Lines of the simulated kernel's log apart from those of dma-debug, the first thousand.
  public private(set) var kernelLog: [String] = []
  /// The fault whose consequences are being lived through.
  @exclusivity(unchecked) var currentFault: Int?
  @exclusivity(unchecked) var serial: UInt64 = 0
  /// Shared buffers, fences, channels, and the interrupts that are to come.
  @exclusivity(unchecked) var sharing = SharingState()
  /// Whether the kernel has the tracepoints `dma_buf:*`.
  let hasBufferTracepoints: Bool
  /// Memory of devices: addresses that are no RAM but answer.
  static let deviceMemory: Range<UInt64> = 0xfe00_0000..<0xff00_0000

  public init(_ options: MachineOptions) {
    self.options = options
    memory = PhysicalMemory(lowSize: options.lowMemory, highSize: options.highMemory)
    var pages = PageAllocator(memory, reserved: AddressSpace.reserved)
    cache = options.isCoherent ? nil : CPUCache(memory)
    slab = SlabAllocator(
      pageCount: memory.pageCount,
      minimum: options.isCoherent ? 8 : CPUCache.lineSize
    )
    isShared = options.isConfidential ? Array(repeating: false, count: memory.pageCount) : []
    random = SeededRandom(seed: options.seed)
    hasBufferTracepoints = options.generation.hasBufferTracepoints
    for range in AddressSpace.reserved {
      memory.prepare(range.lowerBound, range.upperBound - range.lowerBound)
    }
    hookSymbol = names.symbols.intern(
      options.generation.hasPhyType
        ? "debug_dma_map_phys+0x4f/0x2a0" : "debug_dma_map_page+0x4f/0x100"
    )
    swiotlb = Self.reserveBounceBuffer(options, &pages)
    self.pages = pages
    if let swiotlb { share(swiotlb.start, swiotlb.end - swiotlb.start) }
    switchTask("swapper/0", pid: 1, cpu: 0)
    tellLayout()
  }

  /// Takes blocks of 4 MiB below 4 GiB that lie one behind the other.
  private static func reserveBounceBuffer(
    _ options: MachineOptions,
    _ pages: inout PageAllocator
  ) -> SWIOTLB? {
    guard options.swiotlbSize > 0 else { return nil }
    let block = PhysicalMemory.pageSize << UInt64(PageAllocator.maximumOrder)
    var start: UInt64?
    var size: UInt64 = 0
    while size < options.swiotlbSize,
      let next = pages.allocate(order: PageAllocator.maximumOrder, from: [.dma32])
    {
      if let first = start, next != first + size {
        pages.free(next, order: PageAllocator.maximumOrder)
        break
      }
      if start == nil { start = next }
      size += block
    }
    guard let start else { return nil }
    let slots = min(size, options.swiotlbSize) / SWIOTLB.slotSize
    return SWIOTLB(start: start, slots: Int(slots))
  }

  /// Writes down where the kernel keeps what, for whoever reads the recording.
  private func tellLayout() {
    func text(_ range: Range<UInt64>) -> String {
      String(range.lowerBound, radix: 16) + "-" + String(range.upperBound, radix: 16)
    }
    let direct = AddressSpace.directMap
    func virtual(_ range: Range<UInt64>) -> String {
      text(range.lowerBound + direct..<range.upperBound + direct)
    }
    let memory = memory.ranges.map { " ram=" + text($0) }.joined()
    marker(
      "dma-api: layout direct=\(text(direct..<direct + AddressSpace.directMapSize))"
        + " vmalloc=\(text(AddressSpace.vmalloc)) text=\(virtual(AddressSpace.text))"
        + " rodata=\(virtual(AddressSpace.readOnlyData)) stacks=\(virtual(AddressSpace.stacks))"
        + " alignment=\(options.isCoherent ? 1 : CPUCache.lineSize)" + memory
    )
  }

  /// Adds a device; its driver is bound with ``driverBind(_:)``.
  public func addDevice(_ options: DeviceOptions) -> Device {
    let backend: Device.Backend
    switch options.backend {
    case .direct, .swiotlb: backend = .direct
    case .iommu:
      backend = .iommu(IOMMUDomain(aperture: Device.bitMask(min(options.addressBits, 48))))
    case .ops: backend = .ops(BridgeWindow(self))
    }
    let device = Device(
      options,
      index: devices.count,
      id: DeviceID(rawValue: names.devices.intern(options.name)),
      busID: DriverID(rawValue: names.drivers.intern(options.bus)),
      driverID: DriverID(rawValue: names.drivers.intern(options.driver)),
      backend: backend
    )
    devices.append(device)
    describe(device)
    return device
  }

  /// Writes down what a device table would say of a device.
  func describe(_ device: Device) {
    var event = event(.deviceDescription, device)
    event.driver = device.busID
    event.size = device.maximumSegmentSize
    event.dmaAddress = device.segmentBoundary
    event.address = UInt64(64 - device.dmaMask.leadingZeroBitCount)
    emit(event)
  }

  // MARK: Events

  /// Notes that a function of the API is called.
  @inline(__always)
  func enter(_ function: APIFunction) {
    calls[function.rawValue] &+= 1
    currentFunction = function
  }

  /// The function that is running, for stacks.
  @exclusivity(unchecked) var currentFunction = APIFunction.dmaMapPage

  /// An event of a device at this moment, by the task that runs.
  @inline(__always)
  func event(_ kind: DMAEvent.Kind, _ device: Device?) -> DMAEvent {
    var event = DMAEvent(kind)
    event.cpu = cpu
    event.pid = pid
    event.task = task
    if let device { event.device = device.id }
    if options.hasStacks { event.stack = stack() }
    return event
  }

  @inline(__always)
  func emit(_ event: DMAEvent) {
    var event = event
    event.time = now
    eventCount &+= 1
    event.line = eventCount
    batch.events.append(event)
    now &+= Self.microsecond
  }

  /// Text that somebody writes to `trace_marker`.
  public func marker(_ text: String) {
    var event = event(.marker, nil)
    event.payload = UInt32(batch.text.count)
    batch.text.append(contentsOf: text.utf8)
    event.segmentCount = UInt32(text.utf8.count)
    emit(event)
  }

  /// Moves the events since the last call to `target`, whose memory is used again.
  public func takeEvents(_ target: inout EventBatch) {
    target.removeAll()
    swap(&batch, &target)
  }

  private func stack() -> UInt32 {
    let key = (site?.number ?? -1) << 8 | currentFunction.rawValue
    if let known = stacks[key] { return known }
    var frames = [names.symbols.intern(currentFunction.kernelName)]
    if let site { frames += site.frames }
    let number = names.stacks.intern(frames)
    stacks[key] = number
    return number
  }

  /// A place in a driver: offset and size of the function follow from its name.
  ///
  /// - Parameter callers: functions that lead to it, innermost first.
  func makeSite(_ function: String, module: String, callers: [String] = []) -> Site {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in function.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let size = (hash >> 8 & 0x7f | 0x10) << 4
    let offset = size / 2 + hash >> 24 & 0xf
    let symbol =
      function + "+0x" + String(offset, radix: 16) + "/0x" + String(size, radix: 16)
      + (module.isEmpty ? "" : " [\(module)]")
    sites += 1
    let suffix = module.isEmpty ? "" : " [\(module)]"
    return Site(
      symbol: names.symbols.intern(symbol),
      frames: ([function + suffix] + callers).map { names.symbols.intern($0) },
      number: sites
    )
  }

  /// Another task runs from here on.
  func switchTask(_ name: String, pid: Int32, cpu: UInt32) {
    task = names.tasks.intern(name)
    self.pid = pid
    self.cpu = cpu
  }

  /// A hit of the probe on `debug_dma_mapping_error`.
  @inline(__always)
  func hook(_ device: Device, _ address: UInt64, isOwn: Bool) {
    var event = event(.mappingError, device)
    event.dmaAddress = address
    if isOwn {
      event.caller = .mapping
      event.site = hookSymbol
    } else {
      event.caller = .driver
      event.site = site?.symbol ?? NameTable.unknown
      if event.site == NameTable.unknown { event.caller = .absent }
    }
    emit(event)
  }

  /// Writes down an effect that the machine notices.
  func observe(_ kind: Observation.Kind, _ device: Device?, _ address: UInt64) {
    guard observations.count < Self.maximumObservations else {
      droppedObservations += 1
      return
    }
    observations.append(
      Observation(
        kind: kind,
        time: now,
        device: device?.options.name,
        address: address,
        fault: currentFault
      )
    )
  }

  /// A line of the kernel's log.
  func log(_ device: Device?, _ text: String) {
    guard kernelLog.count < 1000 else { return }
    let prefix = device.map {
      ($0.isBound ? $0.options.driver : $0.options.bus) + " " + $0.options.name + ": "
    }
    kernelLog.append((prefix ?? "") + text)
  }
}
