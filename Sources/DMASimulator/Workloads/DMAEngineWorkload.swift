// SPDX-License-Identifier: MIT
import DMADebugCore

/// A serial port whose bytes a DMA controller moves: transfers in and out, copies, and a cyclic
/// receiver.
///
/// The driver maps for the controller. Copies use a range of IO virtual addresses where the
/// controller is behind an IOMMU, else a mapping for each side.
final class DMAEngineWorkload: Driver, Workload {
  private final class Transfer {
    enum Memory {
      case list(ScatterList)
      case pages(source: UInt64, target: UInt64)
      case range(IOVAState, target: UInt64)
    }

    let memory: Memory
    /// Pages, of copies the source first.
    let pages: [UInt64]
    let direction: Direction
    let pattern: Pattern
    var isDone = false
    var cookie: UInt64 = 0

    init(_ memory: Memory, _ pages: [UInt64], _ direction: Direction, _ pattern: Pattern) {
      self.memory = memory
      self.pages = pages
      self.direction = direction
      self.pattern = pattern
    }
  }

  private static let page: UInt64 = 4096
  private static let periods: UInt64 = 4
  /// Operations between two receptions: the cyclic transfer is set up anew.
  private static let operationsPerStream = 64

  private lazy var controller = partner(options.controller)
  private var slave: EngineChannel?
  private var copier: EngineChannel?
  private var receiver: EngineChannel?
  private var ring: Machine.Allocation?
  private var received = Pattern(tag: 0)
  private var transfers: [Transfer] = []
  private var operations = 0
  private lazy var openSite = site("uart_startup_dma", ["uart_port_startup", "tty_open"])
  private lazy var submitSite = site("uart_start_dma", ["uart_start", "uart_write"])
  private lazy var doneSite = site(
    "uart_dma_complete",
    ["vchan_complete", "tasklet_action_common"]
  )
  private lazy var copySite = site("copy_pages", ["process_one_work", "worker_thread"])

  func start() {
    enter("systemd-udevd", pid: 402)
    machine.setMasks(device)
  }

  private func task() { enter("getty", pid: 655) }

  private func open() {
    task()
    machine.site = openSite
    controller.isController = true
    slave = machine.dmaRequestChan(device, controller: controller)
    copier = machine.dmaRequestChan(device, controller: controller)
    receiver = machine.dmaRequestChan(device, controller: controller)
    if let slave {
      machine.dmaengineSlaveConfig(slave, DMASlaveConfiguration(direction: .toDevice, fifo: fifo))
    }
    if let receiver {
      var configuration = DMASlaveConfiguration(direction: .fromDevice, fifo: fifo)
      // Four periods to an operation of this driver would be many interrupts: one it is.
      configuration.pace = max(250, min(interval, 20_000_000) / (Self.page / 64))
      machine.dmaengineSlaveConfig(receiver, configuration)
    }
    receive()
  }

  private var fifo: UInt64 { Machine.deviceMemory.lowerBound + UInt64(device.index) << 12 }

  /// Sets up the ring into which the port writes for ever.
  private func receive() {
    guard let receiver else { return }
    task()
    machine.site = openSite
    ring = machine.dmaAllocCoherent(controller, Self.page * Self.periods)
    guard let ring else { return }
    received = machine.nextPattern(controller)
    receiver.source = received
    let descriptor = machine.dmaenginePrepDMACyclic(
      receiver,
      ring.dmaAddress,
      Self.page * Self.periods,
      period: Self.page,
      .fromDevice
    )
    guard let descriptor else { return }
    descriptor.callback = { [unowned self] descriptor in
      machine.site = doneSite
      let done = descriptor.moved / Self.page
      guard done > 0 else { return }
      let offset = (done - 1) % Self.periods * Self.page
      let word = machine.mismatch(ring.cpuAddress + offset, Self.page, received, offset: offset)
      if let word { machine.observeWrong(word, received, controller, ring.cpuAddress + offset) }
    }
    machine.dmaengineSubmit(descriptor)
    machine.dmaAsyncIssuePending(receiver)
  }

  private func stopReceiving() {
    task()
    machine.site = openSite
    if let receiver {
      machine.dmaengineTerminateAsync(receiver)
      machine.dmaengineSynchronize(receiver)
    }
    if let ring {
      machine.dmaFreeCoherent(
        controller,
        Self.page * Self.periods,
        ring.cpuAddress,
        ring.dmaAddress
      )
    }
    ring = nil
  }

  func run() -> UInt64 {
    if slave == nil { open() }
    collect()
    task()
    for _ in 0..<min(options.depth, 8) {
      switch operations % 3 {
      case 0: transfer(.toDevice)
      case 1: transfer(.fromDevice)
      default: copy()
      }
      operations += 1
    }
    if let slave { machine.dmaAsyncIssuePending(slave) }
    if let copier { machine.dmaAsyncIssuePending(copier) }
    if operations % Self.operationsPerStream < min(options.depth, 8), operations > 8 {
      stopReceiving()
      receive()
    }
    return interval
  }

  /// Between the port and two pages.
  private func transfer(_ direction: Direction) {
    guard let slave else { return }
    machine.site = submitSite
    let pages = takePages(2)
    guard !pages.isEmpty else { return }
    let list = ScatterList(pages.map { ScatterList.Entry(address: $0, length: Self.page) })
    let pattern = machine.nextPattern(controller)
    if direction == .toDevice { write(pages, pattern) }
    injector?.opportunity(controller, Self.page)
    guard machine.dmaMapSG(controller, list, direction) > 0 else { return free(pages) }
    machine.dmaengineSlaveConfig(slave, DMASlaveConfiguration(direction: direction, fifo: fifo))
    if direction == .toDevice { slave.sink = pattern } else { slave.source = pattern }
    let descriptor = machine.dmaenginePrepSlaveSG(slave, list, direction)
    submit(descriptor, Transfer(.list(list), pages, direction, pattern))
  }

  /// From two pages to two others.
  private func copy() {
    guard let copier else { return }
    machine.site = copySite
    let pages = takePages(2) + takePages(1)
    guard pages.count == 3 else { return free(pages) }
    let pattern = machine.nextPattern(controller)
    write(Array(pages[..<2]), pattern)
    injector?.opportunity(controller, Self.page)
    let target = machine.dmaMapPage(controller, pages[2], 0, Self.page, .fromDevice)
    guard machine.dmaMappingError(controller, target) == 0 else { return free(pages) }
    let state = IOVAState()
    let memory: Transfer.Memory
    let source: UInt64
    if machine.dmaIOVATryAlloc(controller, state, pages[0], Self.page * 2) {
      machine.dmaIOVALink(controller, state, pages[0], 0, Self.page, .toDevice)
      machine.dmaIOVALink(controller, state, pages[1], Self.page, Self.page, .toDevice)
      machine.dmaIOVASync(controller, state, 0, Self.page * 2)
      // The middle of both: one page, of which each half comes from another.
      source = state.address + Self.page / 2
      memory = .range(state, target: target)
    } else {
      source = machine.dmaMapPage(controller, pages[0], 0, Self.page, .toDevice)
      guard machine.dmaMappingError(controller, source) == 0 else {
        machine.dmaUnmapPage(controller, target, Self.page, .fromDevice)
        return free(pages)
      }
      memory = .pages(source: source, target: target)
    }
    let descriptor = machine.dmaenginePrepDMAMemcpy(copier, to: target, from: source, Self.page)
    submit(descriptor, Transfer(memory, pages, .bidirectional, pattern))
  }

  private func submit(_ descriptor: DMADescriptor?, _ transfer: Transfer) {
    transfers.append(transfer)
    guard let descriptor else {
      transfer.isDone = true
      return
    }
    descriptor.callback = { [unowned self, unowned transfer] _ in
      machine.site = doneSite
      transfer.isDone = true
    }
    transfer.cookie = machine.dmaengineSubmit(descriptor)
  }

  /// Waits for what was submitted, unmaps it and looks at it.
  private func collect() {
    for transfer in transfers {
      task()
      let limit = machine.now + 1_000_000_000
      if !transfer.isDone, let channel = transfer.direction == .bidirectional ? copier : slave {
        machine.site = submitSite
        _ = machine.dmaengineTxStatus(channel, transfer.cookie)
      }
      while !transfer.isDone, let next = machine.nextInterrupt, next < limit {
        machine.takeInterrupt()
      }
      machine.site = doneSite
      finish(transfer)
      free(transfer.pages)
    }
    transfers.removeAll(keepingCapacity: true)
  }

  private func finish(_ transfer: Transfer) {
    switch transfer.memory {
    case .list(let list):
      machine.dmaUnmapSG(controller, list, transfer.direction)
      guard transfer.direction == .fromDevice else { return }
      for (index, page) in transfer.pages.enumerated() {
        check(page, transfer.pattern, UInt64(index) * Self.page)
      }
    case .pages(let source, let target):
      machine.dmaUnmapPage(controller, source, Self.page, .toDevice)
      machine.dmaUnmapPage(controller, target, Self.page, .fromDevice)
      check(transfer.pages[2], transfer.pattern, 0)
    case .range(let state, let target):
      machine.dmaIOVADestroy(controller, state, Self.page * 2, .toDevice)
      machine.dmaUnmapPage(controller, target, Self.page, .fromDevice)
      check(transfer.pages[2], transfer.pattern, Self.page / 2)
    }
  }

  private func check(_ page: UInt64, _ pattern: Pattern, _ offset: UInt64) {
    let address = AddressSpace.direct(page)
    guard let word = machine.mismatch(address, Self.page, pattern, offset: offset) else { return }
    machine.observeWrong(word, pattern, controller, address)
  }

  private func write(_ pages: [UInt64], _ pattern: Pattern) {
    for (index, page) in pages.enumerated() {
      let offset = UInt64(index) * Self.page
      machine.write(AddressSpace.direct(page), Self.page, pattern, offset: offset)
    }
  }

  private func takePages(_ count: Int) -> [UInt64] {
    var pages: [UInt64] = []
    for _ in 0..<count {
      guard let page = machine.allocPages(order: 0) else {
        free(pages)
        return []
      }
      pages.append(page)
    }
    return pages
  }

  private func free(_ pages: [UInt64]) {
    for page in pages { machine.freePages(page, order: 0) }
  }

  /// The port is closed.
  func finish() {
    guard slave != nil else { return }
    collect()
    stopReceiving()
    machine.site = openSite
    for channel in [slave, copier, receiver] {
      guard let channel else { continue }
      machine.dmaengineTerminateSync(channel)
      machine.dmaReleaseChannel(channel)
    }
    (slave, copier, receiver) = (nil, nil, nil)
  }

  func stop() {}
}
