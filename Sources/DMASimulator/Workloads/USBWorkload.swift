// SPDX-License-Identifier: MIT
import DMADebugCore

/// A USB host: control transfers, and lists of buffers from anywhere in memory.
final class USBWorkload: Driver, Workload {
  private struct Transfer {
    var setup: (cpuAddress: UInt64, dmaAddress: UInt64)?
    var list: ScatterList
    var isIn: Bool
    var pattern: Pattern
  }

  private static let bufferSize: UInt64 = 2048

  private var contexts: Machine.Allocation?
  private var ringPool: DMAPool?
  private var rings: [Machine.Allocation] = []
  private var transfers: [Transfer] = []
  private lazy var setupSite = site(
    "xhci_mem_init",
    ["xhci_init", "usb_add_hcd", "xhci_pci_probe"]
  )
  private lazy var mapSite = site(
    "usb_hcd_map_urb_for_dma",
    ["usb_hcd_submit_urb", "usb_sg_wait", "usb_stor_bulk_transfer_sglist"]
  )
  private lazy var unmapSite = site(
    "usb_hcd_unmap_urb_for_dma",
    ["__usb_hcd_giveback_urb", "usb_giveback_urb_bh", "process_one_work"]
  )

  func start() {
    enter("kworker/0:1", pid: 41)
    machine.setMasks(device)
    machine.site = setupSite
    contexts = machine.dmaAllocCoherent(device, 4096)
    ringPool = machine.dmamPoolCreate("xHCI ring segments", device, 4096, 4096, 65536)
    if let ringPool {
      for _ in 0..<4 {
        if let ring = machine.dmaPoolZalloc(ringPool) { rings.append(ring) }
      }
    }
  }

  func run() -> UInt64 {
    enter("kworker/0:1H", pid: 43)
    machine.site = unmapSite
    for transfer in transfers { complete(transfer) }
    transfers.removeAll(keepingCapacity: true)
    enter("usb-storage", pid: 71, cpu: 1)
    machine.site = mapSite
    for _ in 0..<min(options.depth, 2) { submit() }
    return interval * UInt64(min(options.depth, 2))
  }

  private func submit() {
    let isIn = random.below(2) == 0
    let direction: Direction = isIn ? .fromDevice : .toDevice
    var setup: (UInt64, UInt64)?
    if random.below(4) == 0, let address = machine.kmalloc(8) {
      if let dma = map(address, 8, .toDevice) {
        setup = (address, dma)
      } else {
        machine.kfree(address, 8)
      }
    }
    let count = options.size > 0 ? max(1, options.size / Self.bufferSize) : random.within(1...8)
    let list = ScatterList()
    for _ in 0..<min(count, 100) {
      guard let address = machine.kmalloc(Self.bufferSize) else { break }
      list.entries.append(
        ScatterList.Entry(address: address - AddressSpace.directMap, length: Self.bufferSize)
      )
    }
    let pattern = machine.nextPattern(device)
    if !isIn { forEach(list) { machine.write($0, $1, pattern, offset: $2) } }
    guard mapList(list, direction) else {
      // The bounce buffer is full: the request comes back later.
      free(setup, list)
      return
    }
    var offset: UInt64 = 0
    for segment in list.liveSegments {
      if isIn {
        machine.deviceWrite(device, segment.address, segment.length, pattern, offset: offset)
      } else {
        machine.deviceCheck(device, segment.address, segment.length, pattern, offset: offset)
      }
      offset += segment.length
    }
    transfers.append(Transfer(setup: setup, list: list, isIn: isIn, pattern: pattern))
  }

  private func forEach(_ list: ScatterList, _ body: (UInt64, UInt64, UInt64) -> Void) {
    var offset: UInt64 = 0
    for entry in list.entries {
      body(AddressSpace.direct(entry.address), entry.length, offset)
      offset += entry.length
    }
  }

  private func complete(_ transfer: Transfer) {
    machine.dmaUnmapSG(device, transfer.list, transfer.isIn ? .fromDevice : .toDevice)
    if transfer.isIn {
      forEach(transfer.list) { address, length, offset in
        guard let word = machine.mismatch(address, length, transfer.pattern, offset: offset) else {
          return
        }
        machine.observeWrong(word, transfer.pattern, device, address)
      }
    }
    free(transfer.setup, transfer.list)
  }

  private func free(_ setup: (cpuAddress: UInt64, dmaAddress: UInt64)?, _ list: ScatterList) {
    if let setup {
      machine.dmaUnmapSingle(device, setup.dmaAddress, 8, .toDevice)
      machine.kfree(setup.cpuAddress, 8)
    }
    for entry in list.entries {
      machine.kfree(AddressSpace.direct(entry.address), Self.bufferSize)
    }
  }

  func stop() {
    enter("rmmod", pid: 3300)
    machine.site = unmapSite
    for transfer in transfers { complete(transfer) }
    transfers.removeAll()
    machine.site = setupSite
    if let ringPool {
      for ring in rings { machine.dmaPoolFree(ringPool, ring.cpuAddress, ring.dmaAddress) }
    }
    rings.removeAll()
    if let contexts {
      machine.dmaFreeCoherent(device, 4096, contexts.cpuAddress, contexts.dmaAddress)
    }
    contexts = nil
  }
}
