// SPDX-License-Identifier: MIT

extension DMADebug {
  /// A driver begins to bind (`really_probe`).
  mutating func driverProbe(_ event: DMAEvent, _ names: TraceNames) {
    let index = state(of: event.device)
    guessBus(index, event.device, names)
    devices[index].binding = .bound(event.driver)
    // What the device maps from now on is all in the trace.
    devices[index].bornAtLoss = losses
  }

  /// A notification of the device's bus.
  mutating func busNotify(_ event: DMAEvent, _ names: TraceNames, to output: inout EngineOutput) {
    switch event.busAction {
    case 6:  // BUS_NOTIFY_UNBOUND_DRIVER
      leavingDevices.removeAll { $0.event.device == event.device }
      released(event.device, event, number: eventCount - 1, names, to: &output)
    case 7:  // BUS_NOTIFY_DRIVER_NOT_BOUND
      let index = state(of: event.device)
      guessBus(index, event.device, names)
      devices[index].binding = .unbound
    default:
      break
    }
  }

  /// `device_unbind_cleanup`, on kernels without dma-debug: managed memory is released behind it,
  /// so the device is looked at when that is over.
  mutating func driverUnbind(_ event: DMAEvent) {
    leavingDevices.append(LeavingDevice(event: event, number: eventCount - 1))
  }

  /// Looks at devices whose driver has left once their task does something else.
  mutating func finishLeaving(
    before event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    var position = 0
    while position < leavingDevices.count {
      let leaving = leavingDevices[position]
      let isSameTask = leaving.event.pid == event.pid && leaving.event.cpu == event.cpu
      let isRelease: Bool
      switch event.kind {
      case .free, .freePages, .freeSGTable, .unmapPage, .unmapPhys, .unmapSG, .unmapResource:
        isRelease = event.device == leaving.event.device
      case .busNotify:
        isRelease = event.device == leaving.event.device
      default:
        isRelease = false
      }
      let isLate = leaving.number + 4096 < eventCount
      if isLate || isSameTask && !isRelease {
        leavingDevices.remove(at: position)
        released(leaving.event.device, leaving.event, number: leaving.number, names, to: &output)
      } else {
        position += 1
      }
    }
  }

  /// `dma_debug_device_change`: what is still mapped when a driver has left is leaked.
  mutating func released(
    _ device: DeviceID,
    _ event: DMAEvent,
    number: UInt64,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let index = state(of: device)
    guessBus(index, device, names)
    devices[index].binding = .unbound
    if !sharing.isEmpty { sharing.released(device, event, to: &output.incidentLog) }
    if isDisabled || devices[index].live == 0 && devices[index].hidden == 0 { return }
    // The kernel counts in the order of its hash and shows the entry that it met last.
    var count: UInt64 = 0
    var last: Mapping?
    forEachLiveMapping { mapping in
      guard mapping.device == device else { return }
      guard mapping.sequence >= lossSequence else { return }
      count += 1
      if let current = last, (current.bucket, current.sequence) > (mapping.bucket, mapping.sequence)
      {
        return
      }
      last = mapping
    }
    guard let last else {
      undecided.afterLoss += 1
      return
    }
    report(
      .pendingAtUnbind,
      event,
      device: device,
      names: names,
      mapping: last,
      value: count + UInt64(devices[index].hidden),
      number: number,
      to: &output
    )
  }

  /// Fills in the bus of a device that no table describes, when its name gives it away.
  private mutating func guessBus(_ index: Int, _ device: DeviceID, _ names: TraceNames) {
    guard devices[index].bus == .unknown, Self.isPCIName(names.devices[device.rawValue]) else {
      return
    }
    devices[index].bus = .pci
  }

  /// `0000:00:1f.2`: domain, bus, device and function.
  private static func isPCIName(_ name: ArraySlice<UInt8>) -> Bool {
    let parts = name.split(separator: 0x3a, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].count >= 4, parts[1].count == 2, parts[2].count == 4 else {
      return false
    }
    let digits = [parts[0], parts[1], parts[2].prefix(2), parts[2].suffix(1)].joined()
    return parts[2].dropFirst(2).first == 0x2e
      && digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
