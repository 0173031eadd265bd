// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// What is known before the first event of a trace: the devices of a table, the mappings of a dump.
struct StartState {
  private var descriptions: [(DeviceID, DeviceDescription)] = []
  private var mappings: [DumpEntry]?

  /// Takes it from the options; its names are added to those of the reader.
  init(_ options: ReplayOptions, _ names: inout TraceNames) {
    if let table = options.devices { descriptions = table.intern(into: &names) }
    mappings = options.startDump?.entries(interning: &names)
  }

  /// Looks for the devices of the table in the trace; `nil` without a table.
  var match: TableMatch? {
    descriptions.isEmpty ? nil : TableMatch(descriptions.map(\.0), mappings ?? [])
  }

  /// Tells the engine.
  func apply(to engine: inout DMADebug) {
    for (device, description) in descriptions { engine.describe(device, description) }
    if let mappings { engine.adopt(mappings) }
  }
}

/// Whether any device of a table beside the trace is in the trace, as it should be.
struct TableMatch {
  /// By device number.
  private var isKnown: [Bool]
  private(set) var isMet = false

  fileprivate init(_ devices: [DeviceID], _ mappings: [DumpEntry]) {
    let last = devices.lazy.map(\.rawValue).max() ?? 0
    isKnown = Array(repeating: false, count: Int(last) + 1)
    for device in devices { isKnown[Int(device.rawValue)] = true }
    isMet = mappings.contains { isKnown($0.device) }
  }

  private func isKnown(_ device: DeviceID) -> Bool {
    Int(device.rawValue) < isKnown.count && isKnown[Int(device.rawValue)]
  }

  /// Looks through a batch, until a device was met.
  mutating func look(_ batch: borrowing EventBatch) {
    guard !isMet else { return }
    for event in batch.events where isKnown(event.device) {
      isMet = true
      return
    }
  }
}
