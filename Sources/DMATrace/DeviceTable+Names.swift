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
