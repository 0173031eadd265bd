// SPDX-License-Identifier: MIT
import DMADebugCore

/// A sound card: a cyclic buffer of coherent memory that a process has mapped.
final class AudioWorkload: Driver, Workload {
  private static let bufferSize: UInt64 = 65536
  /// Periods between two songs: the stream is set up anew.
  private static let periodsPerStream = 64

  private var commands: Machine.Allocation?
  private var buffer: Machine.Allocation?
  private var window: UInt64?
  private var period = 0
  private lazy var probeSite = site("azx_probe", ["local_pci_probe", "pci_device_probe"])
  private lazy var paramsSite = site("azx_pcm_hw_params", ["snd_pcm_hw_params", "snd_pcm_ioctl"])

  private var bytes: UInt64 { options.size > 0 ? (options.size + 4095) & ~4095 : Self.bufferSize }
  private var periodBytes: UInt64 { max(64, bytes / UInt64(max(1, options.depth)) & ~7) }

  func start() {
    enter("systemd-udevd", pid: 402)
    machine.setMasks(device)
    machine.site = probeSite
    commands = machine.dmamAllocCoherent(device, 4096)
    open()
  }

  private func open() {
    enter("pipewire", pid: 1105)
    machine.site = paramsSite
    buffer = machine.dmaAllocCoherent(device, bytes)
    guard let buffer else { return }
    if case .address(let address) = machine.dmaMmapCoherent(
      device,
      buffer.cpuAddress,
      pages: bytes / 4096
    ) {
      window = address
    }
  }

  private func close() {
    enter("pipewire", pid: 1105)
    machine.site = paramsSite
    if let window { machine.munmap(window, pages: bytes / 4096) }
    if let buffer { machine.dmaFreeCoherent(device, bytes, buffer.cpuAddress, buffer.dmaAddress) }
    (buffer, window) = (nil, nil)
  }

  func run() -> UInt64 {
    if let injector {
      machine.site = paramsSite
      injector.opportunity(device, 4096)
    }
    if let buffer, let window {
      // The card records a period, the process reads it; it plays one, the process wrote it.
      let offset = UInt64(period % max(1, options.depth)) * periodBytes
      let recorded = machine.nextPattern(device)
      machine.deviceWrite(device, buffer.dmaAddress + offset, periodBytes, recorded)
      machine.check(device, window + offset, periodBytes, recorded)
      let played = machine.nextPattern(device)
      machine.write(window + offset, periodBytes, played)
      machine.deviceCheck(device, buffer.dmaAddress + offset, periodBytes, played)
    }
    period += 1
    if period % Self.periodsPerStream == 0 {
      close()
      open()
    }
    return interval
  }

  func stop() {
    close()
    // The commands' memory is managed.
  }
}
