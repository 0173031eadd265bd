// SPDX-License-Identifier: MIT
import DMADebugCore

/// A network card: descriptors in coherent memory, buffers in rings.
final class NICWorkload: Driver, Workload {
  private struct Buffer {
    var cpuAddress: UInt64
    var dmaAddress: UInt64
    var uses = 0
  }

  private struct Sending {
    var buffers: [(cpuAddress: UInt64, dmaAddress: UInt64, size: UInt64, isPage: Bool)]
    var list: ScatterList?
  }

  private static let bufferSize: UInt64 = 2048
  private static let pageSize: UInt64 = 4096
  /// Packets that a page is used for before it goes up the stack.
  private static let recycling = 64

  private var ring: Machine.Allocation?
  @exclusivity(unchecked) private var received: [Buffer?] = []
  @exclusivity(unchecked) private var head = 0
  @exclusivity(unchecked) private var sending: [Sending] = []
  private var frames = 0
  private lazy var refillSite = site(
    "alloc_rx_buffers",
    ["clean_rx_irq", "poll", "__napi_poll", "net_rx_action"]
  )
  private lazy var receiveSite = site(
    "clean_rx_irq",
    ["poll", "__napi_poll", "net_rx_action", "handle_softirqs"]
  )
  private lazy var sendSite = site(
    "xmit_frame",
    ["dev_hard_start_xmit", "sch_direct_xmit", "__dev_queue_xmit", "ip_finish_output2"]
  )
  private lazy var cleanSite = site("clean_tx_irq", ["poll", "__napi_poll", "net_rx_action"])
  private lazy var openSite = site(
    "setup_rx_resources",
    ["open", "__dev_open", "dev_change_flags"]
  )

  private var direction: Direction { options.mode == .xdp ? .bidirectional : .fromDevice }
  private var keepsPages: Bool { options.mode == .recycle || options.mode == .xdp }

  func start() {
    enter("NetworkManager", pid: 612)
    machine.setMasks(device)
    machine.site = openSite
    ring = machine.dmaAllocCoherent(device, UInt64(options.depth) * 16)
    received = Array(repeating: nil, count: options.depth)
    machine.site = refillSite
    for index in received.indices { refill(index) }
  }

  /// Puts a fresh buffer into the ring and tells the card.
  private func refill(_ index: Int) {
    let size = keepsPages || options.mode == .jumbo ? Self.pageSize : Self.bufferSize
    guard received[index] == nil else { return }
    if keepsPages || options.mode == .jumbo {
      guard let page = machine.allocPages(order: 0) else { return }
      guard let dma = mapPage(page, 0, size, direction) else {
        machine.freePages(page, order: 0)
        return
      }
      received[index] = Buffer(cpuAddress: AddressSpace.direct(page), dmaAddress: dma)
    } else {
      guard let address = machine.kmalloc(size) else { return }
      guard let dma = map(address, size, direction) else {
        machine.kfree(address, size)
        return
      }
      received[index] = Buffer(cpuAddress: address, dmaAddress: dma)
    }
    post(index)
  }

  private func post(_ index: Int) {
    guard let ring, let buffer = received[index] else { return }
    machine.storeWord(ring.cpuAddress + UInt64(index) * 16, buffer.dmaAddress)
  }

  func run() -> UInt64 {
    // A poll handles a few packets of each direction.
    let budget = 8
    enter("ksoftirqd/\(cpu)", pid: 20)
    for _ in 0..<budget / 2 { receive() }
    complete()
    enter("iperf3", pid: 2210, cpu: 1)
    for _ in 0..<budget / 2 { send() }
    return interval * UInt64(budget)
  }

  private var packetSize: UInt64 {
    if options.size > 0 { return min(options.size, keepsPages ? Self.pageSize : Self.bufferSize) }
    return random.below(4) == 0 ? 64 + random.below(200) : 1500
  }

  private func receive() {
    guard let ring else { return }
    let pieces = options.mode == .jumbo ? 3 : 1
    for piece in 0..<pieces {
      let index = head
      head = (head + 1) % received.count
      guard let buffer = received[index] else {
        machine.site = refillSite
        refill(index)
        continue
      }
      let isLast = piece == pieces - 1
      let length = options.mode == .jumbo && !isLast ? Self.pageSize : packetSize
      // The card reads where to write.
      guard
        let target = machine.deviceLoadWord(device, ring.dmaAddress + UInt64(index) * 16)
      else { continue }
      let pattern = machine.nextPattern(device)
      machine.deviceWrite(device, target, length, pattern)
      machine.site = receiveSite
      if keepsPages {
        keep(index, buffer, length, pattern)
      } else {
        let size = options.mode == .jumbo ? Self.pageSize : Self.bufferSize
        if options.mode == .jumbo {
          machine.dmaUnmapPage(device, buffer.dmaAddress, size, direction)
        } else {
          machine.dmaUnmapSingle(device, buffer.dmaAddress, size, direction)
        }
        machine.check(device, buffer.cpuAddress, length, pattern)
        release(buffer)
        received[index] = nil
        machine.site = refillSite
        refill(index)
      }
    }
  }

  /// Hands the packet up and uses the page again.
  private func keep(_ index: Int, _ buffer: Buffer, _ length: UInt64, _ pattern: Pattern) {
    machine.dmaSyncSingleForCPU(device, buffer.dmaAddress, length, direction)
    machine.check(device, buffer.cpuAddress, length, pattern)
    if options.mode == .xdp {
      // The program changes the packet and sends it back from the same page.
      let answer = machine.nextPattern(device)
      machine.write(buffer.cpuAddress, length, answer)
      machine.dmaSyncSingleForDevice(device, buffer.dmaAddress, length, direction)
      machine.deviceCheck(device, buffer.dmaAddress, length, answer)
    }
    guard buffer.uses < Self.recycling else {
      machine.dmaUnmapPage(device, buffer.dmaAddress, Self.pageSize, direction)
      release(buffer)
      received[index] = nil
      machine.site = refillSite
      refill(index)
      return
    }
    machine.dmaSyncSingleForDevice(device, buffer.dmaAddress, Self.pageSize, direction)
    received[index]?.uses += 1
    post(index)
  }

  private func release(_ buffer: Buffer) {
    if keepsPages || options.mode == .jumbo {
      machine.freePages(buffer.cpuAddress - AddressSpace.directMap, order: 0)
    } else {
      machine.kfree(buffer.cpuAddress, Self.bufferSize)
    }
  }

  private func send() {
    machine.site = sendSite
    if options.mode == .jumbo {
      sendList()
      return
    }
    let length = packetSize
    guard let address = machine.kmalloc(length) else { return }
    let pattern = machine.nextPattern(device)
    machine.write(address, length, pattern)
    guard let dma = map(address, length, .toDevice) else {
      machine.kfree(address, length)
      return
    }
    machine.deviceCheck(device, dma, length, pattern)
    sending.append(Sending(buffers: [(address, dma, length, false)]))
  }

  /// A head and three pages, as a list.
  private func sendList() {
    guard let head = machine.kmalloc(256) else { return }
    var entries = [ScatterList.Entry(address: head - AddressSpace.directMap, length: 256)]
    for _ in 0..<3 {
      guard let page = machine.allocPages(order: 0) else { break }
      entries.append(ScatterList.Entry(address: page, length: Self.pageSize))
    }
    let list = ScatterList(entries)
    let pattern = machine.nextPattern(device)
    var offset: UInt64 = 0
    for entry in entries {
      machine.write(AddressSpace.direct(entry.address), entry.length, pattern, offset: offset)
      offset += entry.length
    }
    if mapList(list, .toDevice) {
      offset = 0
      for segment in list.liveSegments {
        machine.deviceCheck(device, segment.address, segment.length, pattern, offset: offset)
        offset += segment.length
      }
      sending.append(Sending(buffers: [], list: list))
    } else {
      free(list)
    }
  }

  private func free(_ list: ScatterList) {
    machine.kfree(AddressSpace.direct(list.entries[0].address), 256)
    for entry in list.entries.dropFirst() { machine.freePages(entry.address, order: 0) }
  }

  /// The card has sent the packets.
  private func complete() {
    machine.site = cleanSite
    for packet in sending {
      for buffer in packet.buffers {
        machine.dmaUnmapSingle(device, buffer.dmaAddress, buffer.size, .toDevice)
        machine.kfree(buffer.cpuAddress, buffer.size)
      }
      if let list = packet.list {
        machine.dmaUnmapSG(device, list, .toDevice)
        free(list)
      }
    }
    sending.removeAll(keepingCapacity: true)
  }

  func stop() {
    enter("ip", pid: 3120)
    complete()
    machine.site = receiveSite
    for index in received.indices {
      guard let buffer = received[index] else { continue }
      if keepsPages || options.mode == .jumbo {
        machine.dmaUnmapPage(device, buffer.dmaAddress, Self.pageSize, direction)
      } else {
        machine.dmaUnmapSingle(device, buffer.dmaAddress, Self.bufferSize, direction)
      }
      release(buffer)
      received[index] = nil
    }
    machine.site = openSite
    if let ring {
      machine.dmaFreeCoherent(device, UInt64(options.depth) * 16, ring.cpuAddress, ring.dmaAddress)
    }
    ring = nil
  }
}
