// SPDX-License-Identifier: MIT

/// How a mapping was made: the type column of a `dma-api/dump` line.
///
/// Which of them exist depends on the kernel: `single` and `resource` until 6.17, `phy` from 6.18.
public enum MappingType: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case single
  case scatterGather
  case coherent
  case resource
  case noncoherent
  case phy

  /// Whether it is of memory that the driver has, not of memory that the DMA-API allocated for it.
  @inlinable
  public var isStreaming: Bool { self != .coherent && self != .noncoherent }

  /// The name that dma-debug prints.
  public var kernelName: StaticString {
    switch self {
    case .single: "single"
    case .scatterGather: "scatter-gather"
    case .coherent: "coherent"
    case .resource: "resource"
    case .noncoherent: "noncoherent"
    case .phy: "phy"
    }
  }
}

/// Whether the driver has asked `dma_mapping_error()` about a mapping.
public enum MapErrorState: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case notApplicable
  case notChecked
  case checked

  /// The last words of a `dma-api/dump` line.
  public var kernelName: StaticString {
    switch self {
    case .notApplicable: "dma map error check not applicable"
    case .notChecked: "dma map error not checked"
    case .checked: "dma map error checked"
    }
  }
}
