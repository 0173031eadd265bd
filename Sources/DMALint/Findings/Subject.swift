// SPDX-License-Identifier: MIT
import DMADebugCore

/// What a finding is about: where a view has to look.
public enum Subject: Sendable, Hashable {
  /// A mapping, by its place in the order of mapping (``Mapping/sequence``), which is the same in every
  /// replay of a capture.
  case mapping(sequence: UInt64)
  /// A dma-buf, by its inode number.
  case buffer(inode: UInt64)
  /// A fence, by its context and its number in it.
  case fence(context: UInt64, sequence: UInt64)
  /// A place in a driver that maps again and again: its function where the trace has stacks.
  case site(function: String?, device: String)
  /// A device, by its name.
  case device(name: String)
  /// The capture itself.
  case trace

  /// What a verdict is about that says no more: its mapping, else its device.
  static func of(_ mapping: Mapping?, _ device: DeviceID, _ names: TraceNames) -> Subject {
    if let mapping { return .mapping(sequence: mapping.sequence) }
    return device == .unknown ? .trace : .device(name: names.devices.string(device.rawValue))
  }
}
