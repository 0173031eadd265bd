// SPDX-License-Identifier: MIT
import DMADebugCore

/// Mistakes with ranges of IO virtual addresses and with channels of a DMA controller.
extension Misdeed {
  private static let page: UInt64 = 4096

  mutating func range(_ fault: Fault) {
    guard let page = machine.allocPages(order: 0) else { return }
    let state = IOVAState()
    guard machine.dmaIOVATryAlloc(device, state, page, Self.page) else {
      return machine.freePages(page, order: 0)
    }
    machine.dmaIOVALink(device, state, page, 0, Self.page, .toDevice)
    let pattern = machine.nextPattern(device)
    machine.write(AddressSpace.direct(page), Self.page, pattern)
    text = "\(fault.summary), at \(hex(state.address))"
    switch fault {
    case .leakedRange:
      machine.dmaIOVASync(device, state, 0, Self.page)
      leaksResources = true
      return
    case .unsyncedRange: machine.deviceCheck(device, state.address, Self.page, pattern)
    default:
      machine.dmaIOVASync(device, state, 0, Self.page)
      machine.dmaIOVAUnlink(device, state, 0, Self.page, .toDevice)
      machine.deviceCheck(device, state.address, Self.page, pattern)
      machine.dmaIOVAFree(device, state)
      return machine.freePages(page, order: 0)
    }
    machine.dmaIOVADestroy(device, state, Self.page, .toDevice)
    machine.freePages(page, order: 0)
  }

  /// The device is the controller; it is its own client too.
  mutating func offload(_ fault: Fault) {
    text = fault.summary
    guard let channel = machine.dmaRequestChan(device, controller: device) else { return }
    let configuration = DMASlaveConfiguration(
      direction: .fromDevice,
      fifo: Machine.deviceMemory.lowerBound
    )
    machine.dmaengineSlaveConfig(channel, configuration)
    channel.source = machine.nextPattern(device)
    guard let page = machine.allocPages(order: 0) else {
      return machine.dmaReleaseChannel(channel)
    }
    let list = ScatterList([ScatterList.Entry(address: page, length: Self.page)])
    if machine.dmaMapSG(device, list, .fromDevice) > 0 {
      offload(fault, channel, list, page)
    }
    if !channel.isReleased { machine.dmaReleaseChannel(channel) }
    machine.freePages(page, order: 0)
  }

  private mutating func offload(
    _ fault: Fault,
    _ channel: EngineChannel,
    _ list: ScatterList,
    _ page: UInt64
  ) {
    guard let descriptor = machine.dmaenginePrepSlaveSG(channel, list, .fromDevice) else { return }
    let cookie = machine.dmaengineSubmit(descriptor)
    text += ", \(channel.name) cookie \(cookie)"
    switch fault {
    case .releaseInFlight:
      machine.dmaAsyncIssuePending(channel)
      machine.dmaReleaseChannel(channel)
      machine.sleep(1_000_000)
      machine.dmaUnmapSG(device, list, .fromDevice)
    case .unmapInFlight:
      machine.dmaAsyncIssuePending(channel)
      machine.dmaUnmapSG(device, list, .fromDevice)
      let owners = machine.nextPattern(device)
      machine.write(AddressSpace.direct(page), Self.page, owners)
      machine.cache?.discard(page, Self.page)
      // What comes is later than what the next owner wrote.
      descriptor.pattern = machine.nextPattern(device)
      machine.sleep(1_000_000)
      if descriptor.status == .complete {
        machine.check(device, AddressSpace.direct(page), Self.page, owners)
      }
    default:
      machine.sleep(1_000_000)
      _ = machine.dmaengineTxStatus(channel, cookie)
      machine.dmaengineTerminateSync(channel)
      machine.dmaUnmapSG(device, list, .fromDevice)
    }
  }
}
