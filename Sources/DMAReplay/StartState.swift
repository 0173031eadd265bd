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

  /// Tells the engine.
  func apply(to engine: inout DMADebug) {
    for (device, description) in descriptions { engine.describe(device, description) }
    if let mappings { engine.adopt(mappings) }
  }
}
