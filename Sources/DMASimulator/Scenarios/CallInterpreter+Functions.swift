// SPDX-License-Identifier: MIT
import DMADebugCore

/// The functions that hand-written calls may use.
extension CallInterpreter {
  /// How many arguments a function takes, for each name.
  private static let helperArguments: [String: ClosedRange<Int>] = [
    "kmalloc": 1...2, "kfree": 1...1, "vmalloc": 1...1, "vfree": 1...1, "alloc_pages": 2...2,
    "__free_pages": 2...2, "virt_to_page": 1...1, "page_address": 1...1, "virt_to_phys": 1...1,
    "stack_buffer": 0...0, "kernel_rodata": 0...0, "ioremap": 2...2, "iounmap": 2...2,
    "sg_alloc_table": 1...1, "sg_set_buf": 4...4, "sg_set_page": 5...5, "sg_dma_address": 2...2,
    "sg_dma_len": 2...2, "sg_nents": 1...1, "sg_mapped": 1...1, "cpu_write": 3...3,
    "cpu_check": 4...4, "device_write": 4...4, "device_check": 4...4, "DMA_BIT_MASK": 1...1,
    "marker": 1...1, "write": 2...2, "task": 3...3, "function": 1...1, "wait_us": 1...1,
    "munmap": 2...2, "cpu_load": 1...1, "cpu_store": 2...2, "device_load": 2...2,
    "device_store": 3...3,
  ]

  private static let apiArguments: [APIFunction: ClosedRange<Int>] = [
    .dmaAllocCoherent: 3...4, .dmaAllocAttrs: 5...5, .dmaFreeCoherent: 4...4, .dmaFreeAttrs: 5...5,
    .dmaPoolCreate: 5...5, .dmaPoolAlloc: 2...3, .dmaPoolZalloc: 2...3, .dmaPoolFree: 3...3,
    .dmaPoolDestroy: 1...1, .dmaSetMask: 2...2, .dmaSetCoherentMask: 2...2,
    .dmaSetMaskAndCoherent: 2...2, .dmaGetRequiredMask: 1...1, .dmaMaxMappingSize: 1...1,
    .dmaOptMappingSize: 1...1, .dmaNeedSync: 2...2, .dmaGetMergeBoundary: 1...1,
    .dmaAddressingLimited: 1...1, .dmaSetMaxSegSize: 2...2, .dmaSetSegBoundary: 2...2,
    .dmaMapSingle: 4...5, .dmaUnmapSingle: 4...5, .dmaMapPage: 5...6, .dmaUnmapPage: 4...5,
    .dmaMapPhys: 5...5, .dmaUnmapPhys: 5...5, .dmaMapSG: 4...5, .dmaUnmapSG: 4...5,
    .dmaMapSGTable: 3...4, .dmaUnmapSGTable: 3...4, .dmaMapResource: 4...5,
    .dmaUnmapResource: 4...5, .dmaMappingError: 2...2, .dmaSyncSingleForCPU: 4...4,
    .dmaSyncSingleForDevice: 4...4, .dmaSyncSingleRangeForCPU: 5...5,
    .dmaSyncSingleRangeForDevice: 5...5, .dmaSyncSGForCPU: 4...4, .dmaSyncSGForDevice: 4...4,
    .dmaSyncSGTableForCPU: 3...3, .dmaSyncSGTableForDevice: 3...3, .dmaAllocPages: 4...5,
    .dmaFreePages: 5...5, .dmaAllocNoncoherent: 4...5, .dmaFreeNoncoherent: 5...5,
    .dmaAllocNoncontiguous: 3...5, .dmaFreeNoncontiguous: 4...4, .dmaVmapNoncontiguous: 3...3,
    .dmaVunmapNoncontiguous: 3...3, .dmaMmapNoncontiguous: 4...4, .dmaMmapPages: 4...4,
    .dmaDeclareCoherentMemory: 4...4, .dmaReleaseCoherentMemory: 1...1,
    .dmaAllocFromCoherent: 4...4, .dmaReleaseFromCoherent: 3...3, .dmaMmapFromCoherent: 4...4,
    .dmamAllocCoherent: 3...4, .dmamAllocAttrs: 5...5, .dmamFreeCoherent: 4...4,
    .dmamDeclareCoherentMemory: 4...4, .dmamReleaseDeclaredMemory: 1...1, .dmamPoolCreate: 5...5,
    .dmamPoolDestroy: 1...1, .dmaMmapCoherent: 5...5, .dmaMmapAttrs: 6...6,
    .dmaMmapWritecombine: 5...5, .dmaGetSGTable: 5...5, .setDMAOps: 1...1, .driverBind: 1...1,
    .driverUnbind: 1...1, .moduleUnload: 1...1,
  ]

  mutating func call(
    _ name: String,
    _ arguments: [Expression],
    _ column: Int
  ) throws(ScenarioError) -> Value {
    if let function = APIFunction(kernelName: name) {
      let count = Self.apiArguments[function] ?? Self.sharingArguments[function]
      try check(name, arguments, count, column)
      return try call(function, arguments)
    }
    guard let count = Self.helperArguments[name] ?? Self.sharingHelpers[name] else {
      throw failure("there is no function '\(name)'; docs/SCENARIOS.md lists them")
    }
    try check(name, arguments, count, column)
    return try helper(name, arguments)
  }

  private mutating func check(
    _ name: String,
    _ arguments: [Expression],
    _ count: ClosedRange<Int>?,
    _ column: Int
  ) throws(ScenarioError) {
    guard let count, !count.contains(arguments.count) else { return }
    self.column = column
    let wanted =
      count.count == 1 ? "\(count.lowerBound)" : "\(count.lowerBound) to \(count.upperBound)"
    throw failure("\(name)() takes \(wanted) arguments, not \(arguments.count)")
  }

  /// -ERRNO as the two's complement that C makes of it.
  func result(_ value: Int) -> Value { .number(UInt64(bitPattern: Int64(value))) }

  // MARK: The API

  private mutating func call(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    switch function {
    case .dmaAllocCoherent, .dmaAllocAttrs, .dmamAllocCoherent, .dmamAllocAttrs:
      return try allocate(function, a)
    case .dmaFreeCoherent, .dmaFreeAttrs, .dmamFreeCoherent: try free(function, a)
    case .dmaPoolCreate, .dmamPoolCreate, .dmaPoolAlloc, .dmaPoolZalloc, .dmaPoolFree,
      .dmaPoolDestroy, .dmamPoolDestroy:
      return try pools(function, a)
    case .dmaSetMask: return result(machine.dmaSetMask(try device(a[0]), try number(a[1])))
    case .dmaSetCoherentMask:
      return result(machine.dmaSetCoherentMask(try device(a[0]), try number(a[1])))
    case .dmaSetMaskAndCoherent:
      return result(machine.dmaSetMaskAndCoherent(try device(a[0]), try number(a[1])))
    case .dmaGetRequiredMask: return .number(machine.dmaGetRequiredMask(try device(a[0])))
    case .dmaMaxMappingSize: return .number(machine.dmaMaxMappingSize(try device(a[0])))
    case .dmaOptMappingSize: return .number(machine.dmaOptMappingSize(try device(a[0])))
    case .dmaGetMergeBoundary: return .number(machine.dmaGetMergeBoundary(try device(a[0])))
    case .dmaNeedSync:
      return .number(machine.dmaNeedSync(try device(a[0]), try number(a[1])) ? 1 : 0)
    case .dmaAddressingLimited:
      return .number(machine.dmaAddressingLimited(try device(a[0])) ? 1 : 0)
    case .dmaSetMaxSegSize: machine.dmaSetMaxSegSize(try device(a[0]), try number(a[1]))
    case .dmaSetSegBoundary: machine.dmaSetSegBoundary(try device(a[0]), try number(a[1]))
    case .dmaMapSingle, .dmaMapPage, .dmaMapPhys, .dmaMapResource: return try map(function, a)
    case .dmaUnmapSingle, .dmaUnmapPage, .dmaUnmapPhys, .dmaUnmapResource: try unmap(function, a)
    case .dmaMapSG, .dmaMapSGTable, .dmaUnmapSG, .dmaUnmapSGTable, .dmaSyncSGForCPU,
      .dmaSyncSGForDevice, .dmaSyncSGTableForCPU, .dmaSyncSGTableForDevice, .dmaGetSGTable:
      return try lists(function, a)
    case .dmaMappingError:
      return result(machine.dmaMappingError(try device(a[0]), try number(a[1])))
    case .dmaSyncSingleForCPU, .dmaSyncSingleForDevice, .dmaSyncSingleRangeForCPU,
      .dmaSyncSingleRangeForDevice:
      try sync(function, a)
    case .dmaAllocPages, .dmaFreePages, .dmaAllocNoncoherent, .dmaFreeNoncoherent,
      .dmaAllocNoncontiguous, .dmaFreeNoncontiguous, .dmaVmapNoncontiguous,
      .dmaVunmapNoncontiguous:
      return try noncoherent(function, a)
    case .dmaMmapNoncontiguous, .dmaMmapPages, .dmaMmapFromCoherent, .dmaMmapCoherent,
      .dmaMmapAttrs, .dmaMmapWritecombine:
      return try mmap(function, a)
    case .dmaDeclareCoherentMemory, .dmamDeclareCoherentMemory, .dmaReleaseCoherentMemory,
      .dmamReleaseDeclaredMemory, .dmaAllocFromCoherent, .dmaReleaseFromCoherent:
      return try declared(function, a)
    case .setDMAOps: machine.setDMAOps(try device(a[0]))
    case .driverBind:
      let device = try device(a[0])
      machine.driverBind(device) { machine.setMasks(device) }
    case .driverUnbind: machine.driverUnbind(try device(a[0]))
    case .moduleUnload: machine.moduleUnload(try text(a[0]))
    default: return try share(function, a)
    }
    return .null
  }

  private mutating func allocate(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    let size = try number(a[1])
    let memory: Machine.Allocation?
    switch function {
    case .dmaAllocCoherent: memory = machine.dmaAllocCoherent(device, size)
    case .dmamAllocCoherent: memory = machine.dmamAllocCoherent(device, size)
    case .dmaAllocAttrs: memory = machine.dmaAllocAttrs(device, size, try attributes(a[4]))
    default: memory = machine.dmamAllocAttrs(device, size, try attributes(a[4]))
    }
    try set(a[2], memory?.dmaAddress ?? 0)
    return memory.map { .number($0.cpuAddress) } ?? .null
  }

  private mutating func free(_ function: APIFunction, _ a: [Expression]) throws(ScenarioError) {
    let device = try device(a[0])
    let (size, address, dma) = (try number(a[1]), try number(a[2]), try number(a[3]))
    switch function {
    case .dmaFreeCoherent: machine.dmaFreeCoherent(device, size, address, dma)
    case .dmamFreeCoherent: machine.dmamFreeCoherent(device, size, address, dma)
    default: machine.dmaFreeAttrs(device, size, address, dma, try attributes(a[4]))
    }
  }

  private mutating func pools(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    switch function {
    case .dmaPoolCreate, .dmamPoolCreate:
      let name = try text(a[0])
      let device = try device(a[1])
      let (size, alignment, boundary) = (try number(a[2]), try number(a[3]), try number(a[4]))
      let pool =
        function == .dmaPoolCreate
        ? machine.dmaPoolCreate(name, device, size, alignment, boundary)
        : machine.dmamPoolCreate(name, device, size, alignment, boundary)
      return pool.map { .pool($0) } ?? .null
    case .dmaPoolAlloc, .dmaPoolZalloc:
      let pool = try pool(a[0])
      let block =
        function == .dmaPoolAlloc ? machine.dmaPoolAlloc(pool) : machine.dmaPoolZalloc(pool)
      try set(a[a.count - 1], block?.dmaAddress ?? 0)
      return block.map { .number($0.cpuAddress) } ?? .null
    case .dmaPoolFree: machine.dmaPoolFree(try pool(a[0]), try number(a[1]), try number(a[2]))
    case .dmaPoolDestroy: machine.dmaPoolDestroy(try pool(a[0]))
    default: machine.dmamPoolDestroy(try pool(a[0]))
    }
    return .null
  }

  private mutating func map(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    let address = try number(a[1])
    switch function {
    case .dmaMapSingle:
      let flags = a.count > 4 ? try attributes(a[4]) : []
      return .number(
        machine.dmaMapSingle(device, address, try number(a[2]), try direction(a[3]), flags)
      )
    case .dmaMapPage:
      let flags = a.count > 5 ? try attributes(a[5]) : []
      let (offset, size) = (try number(a[2]), try number(a[3]))
      return .number(
        machine.dmaMapPage(device, address, offset, size, try direction(a[4]), flags)
      )
    case .dmaMapPhys:
      return .number(
        machine.dmaMapPhys(
          device,
          address,
          try number(a[2]),
          try direction(a[3]),
          try attributes(a[4])
        )
      )
    default:
      let flags = a.count > 4 ? try attributes(a[4]) : []
      return .number(
        machine.dmaMapResource(device, address, try number(a[2]), try direction(a[3]), flags)
      )
    }
  }

  private mutating func unmap(_ function: APIFunction, _ a: [Expression]) throws(ScenarioError) {
    let device = try device(a[0])
    let (address, size) = (try number(a[1]), try number(a[2]))
    let direction = try direction(a[3])
    let flags = a.count > 4 ? try attributes(a[4]) : []
    switch function {
    case .dmaUnmapSingle: machine.dmaUnmapSingle(device, address, size, direction, flags)
    case .dmaUnmapPage: machine.dmaUnmapPage(device, address, size, direction, flags)
    case .dmaUnmapPhys: machine.dmaUnmapPhys(device, address, size, direction, flags)
    default: machine.dmaUnmapResource(device, address, size, direction, flags)
    }
  }

  private mutating func sync(_ function: APIFunction, _ a: [Expression]) throws(ScenarioError) {
    let device = try device(a[0])
    let address = try number(a[1])
    let first = try number(a[2])
    switch function {
    case .dmaSyncSingleForCPU:
      machine.dmaSyncSingleForCPU(device, address, first, try direction(a[3]))
    case .dmaSyncSingleForDevice:
      machine.dmaSyncSingleForDevice(device, address, first, try direction(a[3]))
    case .dmaSyncSingleRangeForCPU:
      let size = try number(a[3])
      machine.dmaSyncSingleRangeForCPU(device, address, first, size, try direction(a[4]))
    default:
      let size = try number(a[3])
      machine.dmaSyncSingleRangeForDevice(device, address, first, size, try direction(a[4]))
    }
  }

  private mutating func lists(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    if function == .dmaGetSGTable {
      // dma_get_sgtable(dev, &sgt, cpu_addr, dma_addr, size)
      guard case .out(let name, _) = a[1] else { throw failure("&name is wanted, for the table") }
      let address = try number(a[2])
      guard let list = machine.dmaGetSGTable(device, address, try number(a[4])) else {
        return result(-6)
      }
      names[name] = .list(list)
      return .number(0)
    }
    let list = try list(a[1])
    func count(_ value: UInt64) -> Int { Int(min(value, UInt64(list.entries.count))) }
    switch function {
    case .dmaMapSG:
      let entries = count(try number(a[2]))
      let flags = a.count > 4 ? try attributes(a[4]) : []
      return .number(
        UInt64(machine.dmaMapSG(device, list, try direction(a[3]), count: entries, flags))
      )
    case .dmaUnmapSG:
      let entries = count(try number(a[2]))
      let flags = a.count > 4 ? try attributes(a[4]) : []
      machine.dmaUnmapSG(device, list, try direction(a[3]), count: entries, flags)
    case .dmaMapSGTable:
      let flags = a.count > 3 ? try attributes(a[3]) : []
      return result(machine.dmaMapSGTable(device, list, try direction(a[2]), flags))
    case .dmaUnmapSGTable:
      let flags = a.count > 3 ? try attributes(a[3]) : []
      machine.dmaUnmapSGTable(device, list, try direction(a[2]), flags)
    case .dmaSyncSGForCPU:
      let entries = count(try number(a[2]))
      machine.dmaSyncSGForCPU(device, list, try direction(a[3]), count: entries)
    case .dmaSyncSGForDevice:
      let entries = count(try number(a[2]))
      machine.dmaSyncSGForDevice(device, list, try direction(a[3]), count: entries)
    case .dmaSyncSGTableForCPU: machine.dmaSyncSGTableForCPU(device, list, try direction(a[2]))
    default: machine.dmaSyncSGTableForDevice(device, list, try direction(a[2]))
    }
    return .null
  }

  private mutating func noncoherent(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    switch function {
    case .dmaAllocPages, .dmaAllocNoncoherent:
      let size = try number(a[1])
      let direction = try direction(a[3])
      let memory =
        function == .dmaAllocPages
        ? machine.dmaAllocPages(device, size, direction)
        : machine.dmaAllocNoncoherent(device, size, direction)
      try set(a[2], memory?.dmaAddress ?? 0)
      guard let memory else { return .null }
      // dma_alloc_pages() returns a page, the other one its address.
      let isPage = function == .dmaAllocPages
      return .number(isPage ? memory.cpuAddress - AddressSpace.directMap : memory.cpuAddress)
    case .dmaFreePages, .dmaFreeNoncoherent:
      let (size, address, dma) = (try number(a[1]), try number(a[2]), try number(a[3]))
      let direction = try direction(a[4])
      if function == .dmaFreePages {
        machine.dmaFreePages(device, size, address &+ AddressSpace.directMap, dma, direction)
      } else {
        machine.dmaFreeNoncoherent(device, size, address, dma, direction)
      }
    case .dmaAllocNoncontiguous:
      let size = try number(a[1])
      let flags = a.count > 4 ? try attributes(a[4]) : []
      let list = machine.dmaAllocNoncontiguous(device, size, try direction(a[2]), flags)
      return list.map { .list($0) } ?? .null
    case .dmaFreeNoncontiguous:
      let size = try number(a[1])
      machine.dmaFreeNoncontiguous(device, size, try list(a[2]), try direction(a[3]))
    case .dmaVmapNoncontiguous:
      let size = try number(a[1])
      return .number(machine.dmaVmapNoncontiguous(device, size, try list(a[2])))
    default: machine.dmaVunmapNoncontiguous(device, try number(a[2]), try number(a[1]))
    }
    return .null
  }

  private mutating func mmap(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    func pages(_ bytes: UInt64) -> UInt64 { (bytes &+ 4095) / 4096 }
    let window: Machine.UserMapping
    switch function {
    case .dmaMmapNoncontiguous:
      // dma_mmap_noncontiguous(dev, &vma, size, sgt)
      let size = try number(a[2])
      window = machine.dmaMmapNoncontiguous(device, try list(a[3]), pages: pages(size))
    case .dmaMmapPages:
      // dma_mmap_pages(dev, &vma, size, page)
      let size = try number(a[2])
      let page = try number(a[3])
      window = machine.dmaMmapPages(device, page &+ AddressSpace.directMap, pages: pages(size))
    case .dmaMmapFromCoherent:
      // dma_mmap_from_coherent(dev, &vma, cpu_addr, size)
      let address = try number(a[2])
      let found = machine.dmaMmapFromCoherent(device, address, pages: pages(try number(a[3])))
      guard let found else {
        try set(a[1], 0)
        return result(-6)
      }
      window = found
    case .dmaMmapCoherent, .dmaMmapWritecombine, .dmaMmapAttrs:
      // dma_mmap_coherent(dev, &vma, cpu_addr, dma_addr, size)
      let address = try number(a[2])
      let count = pages(try number(a[4]))
      switch function {
      case .dmaMmapCoherent: window = machine.dmaMmapCoherent(device, address, pages: count)
      case .dmaMmapWritecombine:
        window = machine.dmaMmapWritecombine(device, address, pages: count)
      default:
        window = machine.dmaMmapAttrs(device, address, pages: count, try attributes(a[5]))
      }
    default: return .null
    }
    switch window {
    case .address(let address):
      try set(a[1], address)
      return .number(0)
    case .failed(let error):
      try set(a[1], 0)
      return result(error)
    }
  }

  private mutating func declared(
    _ function: APIFunction,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let device = try device(a[0])
    switch function {
    case .dmaDeclareCoherentMemory, .dmamDeclareCoherentMemory:
      let (physical, base, size) = (try number(a[1]), try number(a[2]), try number(a[3]))
      return result(
        function == .dmaDeclareCoherentMemory
          ? machine.dmaDeclareCoherentMemory(device, physical, base, size)
          : machine.dmamDeclareCoherentMemory(device, physical, base, size)
      )
    case .dmaReleaseCoherentMemory: machine.dmaReleaseCoherentMemory(device)
    case .dmamReleaseDeclaredMemory: machine.dmamReleaseDeclaredMemory(device)
    case .dmaAllocFromCoherent:
      // dma_alloc_from_coherent(dev, size, &dma, &cpu_addr)
      let memory = machine.dmaAllocFromCoherent(device, try number(a[1]))
      try set(a[2], memory?.dmaAddress ?? 0)
      try set(a[3], memory?.cpuAddress ?? 0)
      return .number(memory == nil ? 0 : 1)
    default:
      let order = Int(min(try number(a[1]), 20))
      return .number(machine.dmaReleaseFromCoherent(device, order, try number(a[2])) ? 1 : 0)
    }
    return .null
  }
}
