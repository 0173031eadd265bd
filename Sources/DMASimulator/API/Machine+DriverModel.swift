// SPDX-License-Identifier: MIT
import DMADebugCore

/// Drivers come and go (`drivers/base/dd.c`).
extension Machine {
  private enum Notification {
    static let bind: UInt64 = 3
    static let bound: UInt64 = 4
    static let unbind: UInt64 = 5
    static let unbound: UInt64 = 6
  }

  /// A driver binds to its device: `really_probe()`, and in it the driver's `probe`.
  ///
  /// - Parameter probe: what the driver does then.
  public func driverBind(_ device: Device, _ probe: () -> Void = {}) {
    enter(.driverBind)
    var event = event(.driverProbe, device)
    event.driver = device.driverID
    emit(event)
    notify(device, Notification.bind)
    device.isBound = true
    probe()
    notify(device, Notification.bound)
  }

  /// What a driver does first: it sets the masks that its device is said to have.
  func setMasks(_ device: Device) {
    let bits = device.options.maskBits ?? device.options.addressBits
    let coherentBits = device.options.coherentMaskBits ?? bits
    dmaSetMask(device, Device.bitMask(bits))
    dmaSetCoherentMask(device, Device.bitMask(coherentBits))
    describe(device)
  }

  /// The driver leaves: its `remove`, then managed memory is released, then dma-debug looks.
  public func driverUnbind(_ device: Device, _ remove: () -> Void = {}) {
    enter(.driverUnbind)
    guard device.isBound else { return }
    notify(device, Notification.unbind)
    remove()
    releaseResources(device)
    device.isBound = false
    notify(device, Notification.unbound)
    // What the driver left there is nobody's any more.
  }

  /// `rmmod`: the driver leaves all its devices.
  public func moduleUnload(_ driver: String, _ remove: (Device) -> Void = { _ in }) {
    enter(.moduleUnload)
    for device in devices where device.options.driver == driver && device.isBound {
      driverUnbind(device) { remove(device) }
    }
  }

  /// Only buses that told dma-debug so pass notifications on (`dma_debug_add_bus`): pci does.
  private func notify(_ device: Device, _ action: UInt64) {
    guard device.options.bus == "pci" else { return }
    var event = event(.busNotify, device)
    event.address = action
    emit(event)
  }

  /// `set_dma_ops()`: from here on the device maps through functions of its own, a bridge's window.
  ///
  /// Only for a device that has nothing mapped.
  public func setDMAOps(_ device: Device) {
    enter(.setDMAOps)
    device.backend = .ops(BridgeWindow(self))
  }

  /// Looks for what nobody gave back, once all drivers have left.
  public func lookForLeaks() {
    for device in devices {
      if case .iommu(let domain) = device.backend, domain.addresses.allocatedPages > 0 {
        observe(.leakedIOVA, device, domain.addresses.allocatedPages)
      }
    }
    if let swiotlb, swiotlb.used > 0 { observe(.leakedSlots, nil, UInt64(swiotlb.used)) }
    if !sharing.buffers.isEmpty { observe(.leakedBuffer, nil, UInt64(sharing.buffers.count)) }
  }
}
