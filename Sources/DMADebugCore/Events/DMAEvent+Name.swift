// SPDX-License-Identifier: MIT

extension DMAEvent.Kind {
  /// The name in every output: that of the tracepoint, or of the probe.
  public var name: String {
    switch self {
    case .mapPage: "dma_map_page"
    case .mapResource: "dma_map_resource"
    case .mapPhys: "dma_map_phys"
    case .unmapPage: "dma_unmap_page"
    case .unmapResource: "dma_unmap_resource"
    case .unmapPhys: "dma_unmap_phys"
    case .mapSG: "dma_map_sg"
    case .mapSGError: "dma_map_sg_err"
    case .unmapSG: "dma_unmap_sg"
    case .alloc: "dma_alloc"
    case .free: "dma_free"
    case .allocPages: "dma_alloc_pages"
    case .freePages: "dma_free_pages"
    case .allocSGTable: "dma_alloc_sgt"
    case .allocSGTableError: "dma_alloc_sgt_err"
    case .freeSGTable: "dma_free_sgt"
    case .syncSingleForCPU: "dma_sync_single_for_cpu"
    case .syncSingleForDevice: "dma_sync_single_for_device"
    case .syncSGForCPU: "dma_sync_sg_for_cpu"
    case .syncSGForDevice: "dma_sync_sg_for_device"
    case .mappingError: "dma_mapping_error"
    case .driverProbe: "driver_probe"
    case .busNotify: "bus_notify"
    case .driverUnbind: "driver_unbind"
    case .marker: "marker"
    case .mapSingleCheck: "dma_map_single"
    case .deviceDescription: "device"
    case .swiotlbBounced: "swiotlb_bounced"
    case .iommuFault: "io_page_fault"
    case .lost: "lost"
    case .other: "other"
    case .bufferExport: "dma_buf_export"
    case .bufferFD: "dma_buf_fd"
    case .bufferGet: "dma_buf_get"
    case .bufferPut: "dma_buf_put"
    case .bufferMmap: "dma_buf_mmap"
    case .bufferMmapInternal: "dma_buf_mmap_internal"
    case .bufferAttach: "dma_buf_dynamic_attach"
    case .bufferDetach: "dma_buf_detach"
    case .bufferMapAttachment: "dma_buf_map_attachment"
    case .bufferUnmapAttachment: "dma_buf_unmap_attachment"
    case .bufferPin: "dma_buf_pin"
    case .bufferUnpin: "dma_buf_unpin"
    case .bufferMoveNotify: "dma_buf_move_notify"
    case .bufferBeginAccess: "dma_buf_begin_cpu_access"
    case .bufferEndAccess: "dma_buf_end_cpu_access"
    case .bufferVmap: "dma_buf_vmap"
    case .bufferVunmap: "dma_buf_vunmap"
    case .bufferKmap: "dma_buf_kmap"
    case .bufferKunmap: "dma_buf_kunmap"
    case .bufferAccess: "dma_buf_access"
    case .fenceInit: "dma_fence_init"
    case .fenceEmit: "dma_fence_emit"
    case .fenceEnableSignal: "dma_fence_enable_signal"
    case .fenceSignaled: "dma_fence_signaled"
    case .fenceWaitStart: "dma_fence_wait_start"
    case .fenceWaitEnd: "dma_fence_wait_end"
    case .fenceDestroy: "dma_fence_destroy"
    case .fenceAdd: "dma_resv_add_fence"
    case .iovaAlloc: "dma_iova_try_alloc"
    case .iovaLink: "dma_iova_link"
    case .iovaSync: "dma_iova_sync"
    case .iovaUnlink: "dma_iova_unlink"
    case .iovaDestroy: "dma_iova_destroy"
    case .iovaFree: "dma_iova_free"
    case .channelRequest: "dma_request_chan"
    case .channelConfigure: "dmaengine_slave_config"
    case .descriptorPrepare: "dmaengine_prep"
    case .descriptorSubmit: "dmaengine_submit"
    case .channelIssuePending: "dma_async_issue_pending"
    case .descriptorComplete: "dmaengine_callback"
    case .channelStatus: "dmaengine_tx_status"
    case .channelTerminate: "dmaengine_terminate"
    case .channelRelease: "dma_release_channel"
    }
  }

  /// Other names under which tracers show it: functions that a probe stands on, and those of other
  /// kernels.
  public var aliases: [String] {
    switch self {
    case .mappingError: ["debug_dma_mapping_error"]
    case .mapSingleCheck: ["debug_dma_map_single"]
    case .busNotify: ["dma_debug_device_change"]
    case .driverProbe: ["really_probe"]
    case .driverUnbind: ["device_unbind_cleanup"]
    case .bufferMoveNotify: ["dma_buf_invalidate_mappings"]
    case .bufferKmap: ["dma_buf_kmap_atomic"]
    case .bufferKunmap: ["dma_buf_kunmap_atomic"]
    case .channelTerminate: ["dmaengine_terminate_sync", "dmaengine_terminate_async"]
    default: []
    }
  }

  /// All names under which tracers show it.
  public var spellings: [String] { [name] + aliases }
}
