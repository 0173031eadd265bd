// SPDX-License-Identifier: MIT

extension TraceNames {
  /// The innermost function of a stack that is not part of the DMA-API or the tracer.
  public func callSite(stack: UInt32) -> String? {
    for frame in stacks[stack] {
      let name = symbols[frame].prefix { $0 != 0x2b && $0 != 0x20 }
      if !Self.isAPIFunction(name) {
        return symbols.string(frame)
      }
    }
    return nil
  }

  /// Whether a function, by its name without offset, is part of the DMA-API or the tracer.
  public static func isAPIFunction(_ name: some Collection<UInt8>) -> Bool {
    apiFunctions.contains { name.starts(with: $0) }
  }

  private static let apiFunctions: [[UInt8]] = [
    "trace_event_", "__traceiter_", "__trace_", "__bpf_trace_", "__ftrace_trace_stack",
    "trace_buffer_", "dma_map_", "__dma_map_", "dma_unmap_", "__dma_unmap_", "dma_alloc_",
    "__dma_alloc_", "dma_free_", "__dma_free_", "dmam_", "__dma_sync_", "dma_sync_", "dma_pool_",
    "debug_dma_", "iommu_dma_", "dma_direct_",
  ].map { Array($0.utf8) }
}
