// SPDX-License-Identifier: MIT
import DMADebugCore

extension DeviceTable {
  /// Adds the names of the table to those of a reader, before it reads.
  ///
  /// - Returns: What the engine is to be told of each device.
  public func intern(into names: inout TraceNames) -> [(DeviceID, DeviceDescription)] {
    entries.map { entry in
      let device = DeviceID(rawValue: names.devices.intern(entry.device))
      let description = DeviceDescription(
        bus: DriverID(rawValue: names.drivers.intern(entry.bus)),
        driver: entry.driver.map { DriverID(rawValue: names.drivers.intern($0)) },
        maximumSegmentSize: entry.maximumSegmentSize,
        segmentBoundary: entry.segmentBoundary,
        mask: entry.mask.map { $0 >= 64 ? .max : 1 << UInt64($0) - 1 }
      )
      return (device, description)
    }
  }
}

extension DeviceTable {
  /// The text of a ``DMAEvent/Kind/deviceDescription`` as it stands in `trace_marker`:
  /// `dma-api: device pci 0000:00:06.0 - mask=64 max_seg=65536 boundary=0xffffffff`.
  static func marker(_ event: DMAEvent, _ names: borrowing TraceNames) -> TextBuffer {
    var text = TextBuffer()
    text.append("dma-api: device ")
    text.append(names.drivers[event.driver.rawValue])
    text.append(" ")
    text.append(names.devices[event.device.rawValue])
    text.append(" -")
    if event.address != 0 {
      text.append(" mask=")
      text.append(decimal: event.address)
    }
    if event.size != 0 {
      text.append(" max_seg=")
      text.append(decimal: event.size)
    }
    if event.dmaAddress != 0 {
      text.append(" boundary=0x")
      text.append(hex: event.dmaAddress)
    }
    return text
  }
}
