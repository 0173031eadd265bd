// SPDX-License-Identifier: MIT
import DMADebugCore

/// A disk: queues in coherent memory, descriptors of large transfers from a pool.
final class NVMeWorkload: Driver, Workload {
  private struct Request {
    var list: ScatterList
    /// DMA address of a single page; `nil` for a list.
    var single: UInt64?
    var descriptors: Machine.Allocation?
    var isRead: Bool
    var pattern: Pattern
    var length: UInt64
    var due: UInt64
  }

  private static let pageSize: UInt64 = 4096
  private static let descriptorSize: UInt64 = 1024

  private var submission: Machine.Allocation?
  private var completion: Machine.Allocation?
  private var admin: Machine.Allocation?
  private var pool: DMAPool?
  @exclusivity(unchecked) private var requests: [Request] = []
  @exclusivity(unchecked) private var nextSubmit: UInt64 = 0
  private lazy var createSite = site(
    "nvme_alloc_queue",
    ["nvme_reset_work", "process_one_work", "worker_thread"]
  )
  private lazy var mapSite = site(
    "nvme_prep_rq",
    ["nvme_queue_rqs", "blk_mq_dispatch_queue_requests", "blk_mq_flush_plug_list"]
  )
  private lazy var unmapSite = site(
    "nvme_pci_complete_rq",
    ["blk_complete_reqs", "handle_softirqs", "irq_exit_rcu"]
  )
  private lazy var poolSite = site(
    "nvme_setup_descriptor_pools",
    ["nvme_probe", "local_pci_probe"]
  )

  func start() {
    enter("kworker/u8:2", pid: 88)
    machine.setMasks(device)
    machine.site = createSite
    admin = machine.dmamAllocCoherent(device, 4096)
    submission = machine.dmaAllocCoherent(device, UInt64(options.depth) * 64)
    completion = machine.dmaAllocCoherent(device, UInt64(options.depth) * 16)
    machine.site = poolSite
    pool = machine.dmaPoolCreate("nvme descriptor 1k", device, Self.descriptorSize, 256, 0)
    nextSubmit = machine.now
  }

  private var transferSize: UInt64 {
    if options.size > 0 { return (options.size + Self.pageSize - 1) & ~(Self.pageSize - 1) }
    switch random.below(16) {
    case 0..<11: return Self.pageSize
    case 11..<15: return Self.pageSize * random.within(2...8)
    default: return Self.pageSize * random.within(9...32)
    }
  }

  func run() -> UInt64 {
    enter("swapper/\(cpu)", pid: 0)
    machine.site = unmapSite
    var index = 0
    while index < requests.count {
      if requests[index].due <= machine.now {
        complete(requests[index])
        requests.swapAt(index, requests.count - 1)
        requests.removeLast()
      } else {
        index += 1
      }
    }
    enter("fio", pid: 1890, cpu: 1)
    var budget = 8
    while nextSubmit <= machine.now, budget > 0 {
      if requests.count < options.depth { submit() }
      nextSubmit += interval / 2 + random.below(interval + 1)
      budget -= 1
    }
    if nextSubmit < machine.now { nextSubmit = machine.now }
    let nextCompletion = requests.lazy.map(\.due).min() ?? .max
    return max(1000, min(nextSubmit, nextCompletion) &- machine.now)
  }

  private func submit() {
    machine.site = mapSite
    let length = transferSize
    let list = ScatterList()
    var rest = length
    while rest > 0 {
      // The page cache has larger pages too.
      let order = rest >= 4 * Self.pageSize && random.below(3) == 0 ? 2 : 0
      let bytes = Self.pageSize << UInt64(order)
      guard let page = machine.allocPages(order: order) else { break }
      list.entries.append(ScatterList.Entry(address: page, length: bytes))
      rest -= bytes
    }
    guard rest == 0 else {
      free(list)
      return
    }
    let isRead = random.below(10) < 6
    let pattern = machine.nextPattern(device)
    if !isRead { fill(list, pattern) }
    let direction: Direction = isRead ? .fromDevice : .toDevice
    var request = Request(
      list: list,
      single: nil,
      descriptors: nil,
      isRead: isRead,
      pattern: pattern,
      length: length,
      due: machine.now + 20_000 + random.below(400) * 1000
    )
    if list.entries.count == 1, length == Self.pageSize {
      guard let dma = mapPage(list.entries[0].address, 0, length, direction) else {
        free(list)
        return
      }
      request.single = dma
    } else {
      guard mapList(list, direction) else {
        free(list)
        return
      }
      if list.mappedEntries > 1 { describe(&request) }
    }
    transfer(request)
    requests.append(request)
  }

  /// Writes the segments of a list where the disk finds them.
  private func describe(_ request: inout Request) {
    guard let pool, let block = machine.dmaPoolAlloc(pool) else { return }
    for (index, segment) in request.list.liveSegments.enumerated() where index < 64 {
      machine.storeWord(block.cpuAddress + UInt64(index) * 16, segment.address)
      machine.storeWord(block.cpuAddress + UInt64(index) * 16 + 8, segment.length)
    }
    request.descriptors = block
  }

  /// The disk does its part.
  private func transfer(_ request: Request) {
    if let single = request.single {
      move(request, single, request.length, 0)
    } else if let block = request.descriptors {
      var offset: UInt64 = 0
      for index in 0..<UInt64(min(64, request.list.mappedEntries)) {
        guard let address = machine.deviceLoadWord(device, block.dmaAddress + index * 16),
          let length = machine.deviceLoadWord(device, block.dmaAddress + index * 16 + 8)
        else { return }
        move(request, address, length, offset)
        offset += length
      }
    } else {
      let segment = request.list.segments[0]
      move(request, segment.address, segment.length, 0)
    }
  }

  private func move(_ request: Request, _ address: UInt64, _ length: UInt64, _ offset: UInt64) {
    if request.isRead {
      machine.deviceWrite(device, address, length, request.pattern, offset: offset)
    } else {
      machine.deviceCheck(device, address, length, request.pattern, offset: offset)
    }
  }

  private func fill(_ list: ScatterList, _ pattern: Pattern) {
    var offset: UInt64 = 0
    for entry in list.entries {
      machine.write(AddressSpace.direct(entry.address), entry.length, pattern, offset: offset)
      offset += entry.length
    }
  }

  private func complete(_ request: Request) {
    let direction: Direction = request.isRead ? .fromDevice : .toDevice
    if let single = request.single {
      machine.dmaUnmapPage(device, single, request.length, direction)
    } else {
      machine.dmaUnmapSG(device, request.list, direction)
    }
    if let pool, let block = request.descriptors {
      machine.dmaPoolFree(pool, block.cpuAddress, block.dmaAddress)
    }
    if request.isRead {
      var offset: UInt64 = 0
      for entry in request.list.entries {
        if let word = machine.mismatch(
          AddressSpace.direct(entry.address),
          entry.length,
          request.pattern,
          offset: offset
        ) {
          machine.observeWrong(word, request.pattern, device, entry.address)
        }
        offset += entry.length
      }
    }
    free(request.list)
  }

  private func free(_ list: ScatterList) {
    for entry in list.entries {
      machine.freePages(entry.address, order: PageAllocator.order(entry.length))
    }
  }

  func stop() {
    enter("modprobe", pid: 3200)
    machine.site = unmapSite
    for request in requests { complete(request) }
    requests.removeAll()
    machine.site = poolSite
    if let pool { machine.dmaPoolDestroy(pool) }
    machine.site = createSite
    if let submission {
      machine.dmaFreeCoherent(
        device,
        UInt64(options.depth) * 64,
        submission.cpuAddress,
        submission.dmaAddress
      )
    }
    if let completion {
      machine.dmaFreeCoherent(
        device,
        UInt64(options.depth) * 16,
        completion.cpuAddress,
        completion.dmaAddress
      )
    }
    // The admin queue is managed: devres frees it.
    (pool, submission, completion) = (nil, nil, nil)
  }
}
