// SPDX-License-Identifier: MIT

/// What is decided before the first event: boot parameters of the kernel and facts about the trace.
public struct Configuration: Sendable {
  public var generation: KernelGeneration
  /// `dma_debug_entries=`: entries asked for at boot, 1 … 2^31.
  public var entries: UInt32 = 65536
  /// `dma_debug_driver=`.
  public var driverFilter: [UInt8] = []
  /// `dma_debug=off`.
  public var isOff = false
  /// The value of `all_errors` at boot.
  public var allErrors: UInt32 = 0
  /// The value of `num_errors` at boot.
  public var numErrors: UInt32 = 1
  /// Growing the pool beyond this many entries fails, as when the kernel is out of memory.
  public var maximumEntries: UInt32 = .max
  /// `dma_get_cache_alignment()`: bytes of memory that DMA needs to have for itself. 1 on x86.
  public var dmaAlignment: UInt64 = 1
  /// The trace begins at boot: nothing was mapped before its first event.
  public var isComplete = false

  public init(generation: KernelGeneration) {
    self.generation = generation
  }

  /// The alignment is smaller than a cacheline: newer kernels are silent about overlapping cachelines.
  public var isCoherentMachine: Bool { dmaAlignment < CachelineTracker.lineSize }
}
