// SPDX-License-Identifier: MIT
import DMADebugCore

/// What a workload can be told.
public struct WorkloadOptions: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case nic
    case nvme
    case usb
    case audio
    case virtio
    case camera
    case gpu
    case dmaengine

    /// One line.
    public var summary: String {
      switch self {
      case .nic: "network card: rx and tx rings; mode=map, recycle, xdp or jumbo"
      case .nvme: "disk: queues, a pool of descriptors, single pages and large lists"
      case .usb: "USB host with 32 address lines: what lies above 4 GiB is bounced"
      case .audio: "sound card: cyclic coherent buffers, mapped to a process"
      case .virtio: "disk of a confidential VM: everything goes through the bounce buffer"
      case .camera: "frames shared by sensor, encoder= and display=, with fences"
      case .gpu: "rendered surfaces, shown by display=; some are evicted"
      case .dmaengine: "serial port and copies through the channels of controller="
      }
    }
  }

  /// How a network card handles its buffers.
  public enum Mode: String, Sendable, CaseIterable {
    /// A buffer is mapped for each packet.
    case map
    /// Pages stay mapped and are synchronised for each packet.
    case recycle
    /// The same, and the CPU sends what it received.
    case xdp
    /// Packets of several pages; those that are sent are lists.
    case jumbo
  }

  public var kind: Kind
  public var device: String
  /// Operations in a second of simulated time, 1 … 10 million.
  public var rate: UInt64
  /// Operations in flight, 1 … 4096.
  public var depth: Int
  /// Bytes of an operation; 0 for a mixture.
  public var size: UInt64 = 0
  public var mode = Mode.map
  /// Names of the other devices that take part; `nil` for the device itself.
  public var encoder: String?
  public var display: String?
  public var controller: String?

  public init(_ kind: Kind, device: String) {
    self.kind = kind
    self.device = device
    switch kind {
    case .nic: (rate, depth) = (20_000, 64)
    case .nvme: (rate, depth) = (4_000, 32)
    case .usb: (rate, depth) = (1_000, 8)
    case .audio: (rate, depth) = (100, 4)
    case .virtio: (rate, depth) = (2_000, 16)
    case .camera: (rate, depth) = (30, 4)
    case .gpu: (rate, depth) = (60, 3)
    case .dmaengine: (rate, depth) = (200, 2)
    }
  }
}

/// A driver at work. It is run by the simulation whenever its time has come.
protocol Workload: AnyObject {
  /// The driver's `probe`.
  func start()
  /// Does what is due at this time and tells when to be called again.
  func run() -> UInt64
  /// The driver's `remove`: everything is given back.
  func stop()
  /// The processes that use the device end, before any driver leaves.
  func finish()
}

extension Workload {
  func finish() {}
}

/// What drivers have in common: their device, the code that runs, and the mistakes they may make.
class Driver {
  let machine: Machine
  let device: Device
  let options: WorkloadOptions
  let injector: FaultInjector?
  @exclusivity(unchecked) var random: SeededRandom
  /// The CPU that takes the device's interrupts.
  let cpu: UInt32

  init(_ machine: Machine, _ device: Device, _ options: WorkloadOptions, _ injector: FaultInjector?)
  {
    self.machine = machine
    self.device = device
    self.options = options
    self.injector = injector
    random = SeededRandom(seed: machine.options.seed &+ UInt64(device.index) &* 0x9e37_79b9)
    cpu = UInt32(device.index % max(1, machine.options.cpus))
  }

  /// The module of a driver, as symbols name it.
  private func module(_ device: Device) -> String {
    String(device.options.driver.map { $0 == "-" ? "_" : $0 })
  }

  func site(_ function: String, _ callers: [String]) -> Site {
    site(device, function, callers)
  }

  /// A place in the driver of another device.
  func site(_ device: Device, _ function: String, _ callers: [String]) -> Site {
    machine.makeSite(function, module: module(device), callers: callers)
  }

  /// Another device that takes part; the driver's own when none is named.
  func partner(_ name: String?) -> Device {
    machine.devices.first { $0.options.name == name } ?? device
  }

  /// The interrupt or the thread of this driver runs now.
  func enter(_ task: String, pid: Int32, cpu offset: UInt32 = 0) {
    machine.switchTask(task, pid: pid, cpu: (cpu + offset) % UInt32(max(1, machine.options.cpus)))
  }

  /// Nanoseconds between two operations.
  var interval: UInt64 { max(1_000_000_000 / max(1, options.rate), 1) }

  /// Maps a buffer and asks for the error, as one should.
  func map(
    _ address: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64? {
    injector?.opportunity(device, size)
    let dma = machine.dmaMapSingle(device, address, size, direction, attributes)
    return machine.dmaMappingError(device, dma) == 0 ? dma : nil
  }

  /// The same for a page.
  func mapPage(
    _ page: UInt64,
    _ offset: UInt64,
    _ size: UInt64,
    _ direction: Direction,
    _ attributes: DMAAttributes = []
  ) -> UInt64? {
    injector?.opportunity(device, size)
    let dma = machine.dmaMapPage(device, page, offset, size, direction, attributes)
    return machine.dmaMappingError(device, dma) == 0 ? dma : nil
  }

  /// The same for a list.
  func mapList(_ list: ScatterList, _ direction: Direction) -> Bool {
    injector?.opportunity(device, list.entries.first?.length ?? 0)
    return machine.dmaMapSG(device, list, direction) > 0
  }

  static func make(
    _ machine: Machine,
    _ device: Device,
    _ options: WorkloadOptions,
    _ injector: FaultInjector?
  ) -> any Workload {
    switch options.kind {
    case .nic: NICWorkload(machine, device, options, injector)
    case .nvme: NVMeWorkload(machine, device, options, injector)
    case .usb: USBWorkload(machine, device, options, injector)
    case .audio: AudioWorkload(machine, device, options, injector)
    case .virtio: VirtioWorkload(machine, device, options, injector)
    case .camera: CameraWorkload(machine, device, options, injector)
    case .gpu: GPUWorkload(machine, device, options, injector)
    case .dmaengine: DMAEngineWorkload(machine, device, options, injector)
    }
  }
}
