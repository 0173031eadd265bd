// SPDX-License-Identifier: MIT
import DMADebugCore

/// A disk of a confidential VM: a header, data and a status byte to a request, all of it bounced.
final class VirtioWorkload: Driver, Workload {
  private struct Request {
    var header: (cpuAddress: UInt64, dmaAddress: UInt64)
    var status: (cpuAddress: UInt64, dmaAddress: UInt64)
    var list: ScatterList
    var isRead: Bool
    var pattern: Pattern
    var statusPattern: Pattern
  }

  private static let headerSize: UInt64 = 16
  private static let statusSize: UInt64 = 1

  private var queue: Machine.Allocation?
  private var requests: [Request] = []
  private lazy var setupSite = site(
    "vring_create_virtqueue",
    ["vp_find_vqs", "virtblk_probe", "virtio_dev_probe"]
  )
  private lazy var addSite = site(
    "virtqueue_add_sgs",
    ["virtblk_add_req", "virtio_queue_rq", "blk_mq_dispatch_rq_list"]
  )
  private lazy var doneSite = site(
    "detach_buf_split",
    ["virtqueue_get_buf", "virtblk_done", "vring_interrupt"]
  )

  func start() {
    enter("systemd-udevd", pid: 402)
    machine.setMasks(device)
    machine.site = setupSite
    queue = machine.dmaAllocCoherent(device, 8192)
  }

  func run() -> UInt64 {
    enter("swapper/\(cpu)", pid: 0)
    machine.site = doneSite
    for request in requests { complete(request) }
    requests.removeAll(keepingCapacity: true)
    enter("postgres", pid: 977, cpu: 1)
    machine.site = addSite
    let count = min(options.depth, 4)
    for _ in 0..<count { submit() }
    return interval * UInt64(count)
  }

  private func submit() {
    guard let header = machine.kmalloc(Self.headerSize), let status = machine.kmalloc(64) else {
      return
    }
    let list = ScatterList()
    let pages = options.size > 0 ? max(1, min(options.size / 4096, 32)) : random.within(1...4)
    for _ in 0..<pages {
      guard let page = machine.allocPages(order: 0) else { break }
      list.entries.append(ScatterList.Entry(address: page, length: 4096))
    }
    let isRead = random.below(2) == 0
    let pattern = machine.nextPattern(device)
    let headerPattern = machine.nextPattern(device)
    let statusPattern = machine.nextPattern(device)
    machine.write(header, Self.headerSize, headerPattern)
    if !isRead { forEach(list) { machine.write($0, $1, pattern, offset: $2) } }
    guard let headerDMA = map(header, Self.headerSize, .toDevice) else {
      free(header, status, list)
      return
    }
    guard let statusDMA = map(status, Self.statusSize, .fromDevice) else {
      machine.dmaUnmapSingle(device, headerDMA, Self.headerSize, .toDevice)
      free(header, status, list)
      return
    }
    guard mapList(list, isRead ? .fromDevice : .toDevice) else {
      machine.dmaUnmapSingle(device, headerDMA, Self.headerSize, .toDevice)
      machine.dmaUnmapSingle(device, statusDMA, Self.statusSize, .fromDevice)
      free(header, status, list)
      return
    }
    machine.deviceCheck(device, headerDMA, Self.headerSize, headerPattern)
    var offset: UInt64 = 0
    for segment in list.liveSegments {
      if isRead {
        machine.deviceWrite(device, segment.address, segment.length, pattern, offset: offset)
      } else {
        machine.deviceCheck(device, segment.address, segment.length, pattern, offset: offset)
      }
      offset += segment.length
    }
    machine.deviceWrite(device, statusDMA, Self.statusSize, statusPattern)
    requests.append(
      Request(
        header: (header, headerDMA),
        status: (status, statusDMA),
        list: list,
        isRead: isRead,
        pattern: pattern,
        statusPattern: statusPattern
      )
    )
  }

  private func forEach(_ list: ScatterList, _ body: (UInt64, UInt64, UInt64) -> Void) {
    var offset: UInt64 = 0
    for entry in list.entries {
      body(AddressSpace.direct(entry.address), entry.length, offset)
      offset += entry.length
    }
  }

  private func complete(_ request: Request) {
    machine.dmaUnmapSingle(device, request.header.dmaAddress, Self.headerSize, .toDevice)
    machine.dmaUnmapSG(device, request.list, request.isRead ? .fromDevice : .toDevice)
    machine.dmaUnmapSingle(device, request.status.dmaAddress, Self.statusSize, .fromDevice)
    machine.check(device, request.status.cpuAddress, Self.statusSize, request.statusPattern)
    if request.isRead {
      forEach(request.list) { address, length, offset in
        guard let word = machine.mismatch(address, length, request.pattern, offset: offset) else {
          return
        }
        machine.observeWrong(word, request.pattern, device, address)
      }
    }
    free(request.header.cpuAddress, request.status.cpuAddress, request.list)
  }

  private func free(_ header: UInt64, _ status: UInt64, _ list: ScatterList) {
    machine.kfree(header, Self.headerSize)
    machine.kfree(status, 64)
    for entry in list.entries { machine.freePages(entry.address, order: 0) }
  }

  func stop() {
    enter("modprobe", pid: 3400)
    machine.site = doneSite
    for request in requests { complete(request) }
    requests.removeAll()
    machine.site = setupSite
    if let queue { machine.dmaFreeCoherent(device, 8192, queue.cpuAddress, queue.dmaAddress) }
    queue = nil
  }
}
