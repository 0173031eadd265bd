// SPDX-License-Identifier: MIT

/// The direction of a transfer, `enum dma_data_direction` of the kernel.
public enum Direction: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case bidirectional = 0
  case toDevice = 1
  case fromDevice = 2
  case none = 3

  /// The name that dma-debug prints: `DMA_TO_DEVICE` and so on.
  public var kernelName: StaticString {
    switch self {
    case .bidirectional: "DMA_BIDIRECTIONAL"
    case .toDevice: "DMA_TO_DEVICE"
    case .fromDevice: "DMA_FROM_DEVICE"
    case .none: "DMA_NONE"
    }
  }

  /// The name that the tracepoints print: `TO_DEVICE` and so on.
  public var traceName: StaticString {
    switch self {
    case .bidirectional: "BIDIRECTIONAL"
    case .toDevice: "TO_DEVICE"
    case .fromDevice: "FROM_DEVICE"
    case .none: "NONE"
    }
  }
}
