// SPDX-License-Identifier: MIT

/// The functions of the DMA-API that the machine has, under the kernel's names.
public enum APIFunction: Int, CaseIterable, Sendable {
  // Ia: large coherent memory
  case dmaAllocCoherent
  case dmaAllocAttrs
  case dmaFreeCoherent
  case dmaFreeAttrs
  // Ib: pools
  case dmaPoolCreate
  case dmaPoolAlloc
  case dmaPoolZalloc
  case dmaPoolFree
  case dmaPoolDestroy
  // Ic: addressing
  case dmaSetMask
  case dmaSetCoherentMask
  case dmaSetMaskAndCoherent
  case dmaGetRequiredMask
  case dmaMaxMappingSize
  case dmaOptMappingSize
  case dmaNeedSync
  case dmaGetMergeBoundary
  case dmaAddressingLimited
  case dmaSetMaxSegSize
  case dmaSetSegBoundary
  // Id: streaming
  case dmaMapSingle
  case dmaUnmapSingle
  case dmaMapPage
  case dmaUnmapPage
  case dmaMapPhys
  case dmaUnmapPhys
  case dmaMapSG
  case dmaUnmapSG
  case dmaMapSGTable
  case dmaUnmapSGTable
  case dmaMapResource
  case dmaUnmapResource
  case dmaMappingError
  case dmaSyncSingleForCPU
  case dmaSyncSingleForDevice
  case dmaSyncSingleRangeForCPU
  case dmaSyncSingleRangeForDevice
  case dmaSyncSGForCPU
  case dmaSyncSGForDevice
  case dmaSyncSGTableForCPU
  case dmaSyncSGTableForDevice
  // II: non-coherent and non-contiguous memory
  case dmaAllocPages
  case dmaFreePages
  case dmaAllocNoncoherent
  case dmaFreeNoncoherent
  case dmaAllocNoncontiguous
  case dmaFreeNoncontiguous
  case dmaVmapNoncontiguous
  case dmaVunmapNoncontiguous
  case dmaMmapNoncontiguous
  case dmaMmapPages
  // Memory of the device
  case dmaDeclareCoherentMemory
  case dmaReleaseCoherentMemory
  case dmaAllocFromCoherent
  case dmaReleaseFromCoherent
  case dmaMmapFromCoherent
  // Managed
  case dmamAllocCoherent
  case dmamAllocAttrs
  case dmamFreeCoherent
  case dmamDeclareCoherentMemory
  case dmamReleaseDeclaredMemory
  case dmamPoolCreate
  case dmamPoolDestroy
  // Mapping for processes, tables
  case dmaMmapCoherent
  case dmaMmapAttrs
  case dmaMmapWritecombine
  case dmaGetSGTable
  // Driver model
  case setDMAOps
  case driverBind
  case driverUnbind
  case moduleUnload
  // dma-buf: life, references, attachments
  case dmaBufExport
  case dmaBufExportNamed
  case dmaHeapBufferAlloc
  case dmaBufFD
  case dmaBufGet
  case dmaBufPut
  case dmaBufAttach
  case dmaBufDynamicAttach
  case dmaBufDetach
  case dmaBufMapAttachment
  case dmaBufMapAttachmentUnlocked
  case dmaBufUnmapAttachment
  case dmaBufUnmapAttachmentUnlocked
  case dmaBufPin
  case dmaBufUnpin
  case dmaBufMoveNotify
  // dma-buf: the CPU
  case dmaBufBeginCPUAccess
  case dmaBufEndCPUAccess
  case dmaBufMmap
  case dmaBufMmapInternal
  case dmaBufVmap
  case dmaBufVunmap
  case dmaBufKmap
  case dmaBufKunmap
  case dmaBufKmapAtomic
  case dmaBufKunmapAtomic
  // Fences
  case dmaFenceContextAlloc
  case dmaFenceInit
  case dmaFenceGet
  case dmaFencePut
  case dmaFenceSignal
  case dmaFenceSetError
  case dmaFenceIsSignaled
  case dmaFenceEnableSWSignaling
  case dmaFenceAddCallback
  case dmaFenceRemoveCallback
  case dmaFenceWaitTimeout
  case dmaFenceArrayCreate
  // Reservation objects and sync files
  case dmaResvLock
  case dmaResvUnlock
  case dmaResvReserveFences
  case dmaResvAddFence
  case dmaResvWaitTimeout
  case dmaResvTestSignaled
  case dmaResvGetSingleton
  case syncFileCreate
  case syncFileGetFence
  case dmaBufExportSyncFile
  case dmaBufImportSyncFile
  // IOVA-based mappings
  case dmaIOVATryAlloc
  case dmaUseIOVA
  case dmaIOVALink
  case dmaIOVASync
  case dmaIOVAUnlink
  case dmaIOVADestroy
  case dmaIOVAFree
  // dmaengine
  case dmaRequestChan
  case dmaengineSlaveConfig
  case dmaenginePrepSlaveSG
  case dmaenginePrepDMAMemcpy
  case dmaenginePrepDMACyclic
  case dmaengineSubmit
  case dmaAsyncIssuePending
  case dmaengineTxStatus
  case dmaengineTerminateSync
  case dmaengineTerminateAsync
  case dmaengineSynchronize
  case dmaReleaseChannel

  /// The name in the kernel.
  public var kernelName: String { Self.names[rawValue] }

  /// The function with a kernel's name.
  public init?(kernelName: some StringProtocol) {
    guard let number = Self.names.firstIndex(where: { $0 == kernelName }) else { return nil }
    self.init(rawValue: number)
  }

  private static let names = [
    "dma_alloc_coherent",
    "dma_alloc_attrs",
    "dma_free_coherent",
    "dma_free_attrs",
    "dma_pool_create",
    "dma_pool_alloc",
    "dma_pool_zalloc",
    "dma_pool_free",
    "dma_pool_destroy",
    "dma_set_mask",
    "dma_set_coherent_mask",
    "dma_set_mask_and_coherent",
    "dma_get_required_mask",
    "dma_max_mapping_size",
    "dma_opt_mapping_size",
    "dma_need_sync",
    "dma_get_merge_boundary",
    "dma_addressing_limited",
    "dma_set_max_seg_size",
    "dma_set_seg_boundary",
    "dma_map_single",
    "dma_unmap_single",
    "dma_map_page",
    "dma_unmap_page",
    "dma_map_phys",
    "dma_unmap_phys",
    "dma_map_sg",
    "dma_unmap_sg",
    "dma_map_sgtable",
    "dma_unmap_sgtable",
    "dma_map_resource",
    "dma_unmap_resource",
    "dma_mapping_error",
    "dma_sync_single_for_cpu",
    "dma_sync_single_for_device",
    "dma_sync_single_range_for_cpu",
    "dma_sync_single_range_for_device",
    "dma_sync_sg_for_cpu",
    "dma_sync_sg_for_device",
    "dma_sync_sgtable_for_cpu",
    "dma_sync_sgtable_for_device",
    "dma_alloc_pages",
    "dma_free_pages",
    "dma_alloc_noncoherent",
    "dma_free_noncoherent",
    "dma_alloc_noncontiguous",
    "dma_free_noncontiguous",
    "dma_vmap_noncontiguous",
    "dma_vunmap_noncontiguous",
    "dma_mmap_noncontiguous",
    "dma_mmap_pages",
    "dma_declare_coherent_memory",
    "dma_release_coherent_memory",
    "dma_alloc_from_coherent",
    "dma_release_from_coherent",
    "dma_mmap_from_coherent",
    "dmam_alloc_coherent",
    "dmam_alloc_attrs",
    "dmam_free_coherent",
    "dmam_declare_coherent_memory",
    "dmam_release_declared_memory",
    "dmam_pool_create",
    "dmam_pool_destroy",
    "dma_mmap_coherent",
    "dma_mmap_attrs",
    "dma_mmap_wc",
    "dma_get_sgtable",
    "set_dma_ops",
    "device_driver_attach",
    "device_driver_detach",
    "rmmod",
    "dma_buf_export",
    "dma_buf_export_named",
    "dma_heap_buffer_alloc",
    "dma_buf_fd",
    "dma_buf_get",
    "dma_buf_put",
    "dma_buf_attach",
    "dma_buf_dynamic_attach",
    "dma_buf_detach",
    "dma_buf_map_attachment",
    "dma_buf_map_attachment_unlocked",
    "dma_buf_unmap_attachment",
    "dma_buf_unmap_attachment_unlocked",
    "dma_buf_pin",
    "dma_buf_unpin",
    "dma_buf_move_notify",
    "dma_buf_begin_cpu_access",
    "dma_buf_end_cpu_access",
    "dma_buf_mmap",
    "dma_buf_mmap_internal",
    "dma_buf_vmap",
    "dma_buf_vunmap",
    "dma_buf_kmap",
    "dma_buf_kunmap",
    "dma_buf_kmap_atomic",
    "dma_buf_kunmap_atomic",
    "dma_fence_context_alloc",
    "dma_fence_init",
    "dma_fence_get",
    "dma_fence_put",
    "dma_fence_signal",
    "dma_fence_set_error",
    "dma_fence_is_signaled",
    "dma_fence_enable_sw_signaling",
    "dma_fence_add_callback",
    "dma_fence_remove_callback",
    "dma_fence_wait_timeout",
    "dma_fence_array_create",
    "dma_resv_lock",
    "dma_resv_unlock",
    "dma_resv_reserve_fences",
    "dma_resv_add_fence",
    "dma_resv_wait_timeout",
    "dma_resv_test_signaled",
    "dma_resv_get_singleton",
    "sync_file_create",
    "sync_file_get_fence",
    "dma_buf_export_sync_file",
    "dma_buf_import_sync_file",
    "dma_iova_try_alloc",
    "dma_use_iova",
    "dma_iova_link",
    "dma_iova_sync",
    "dma_iova_unlink",
    "dma_iova_destroy",
    "dma_iova_free",
    "dma_request_chan",
    "dmaengine_slave_config",
    "dmaengine_prep_slave_sg",
    "dmaengine_prep_dma_memcpy",
    "dmaengine_prep_dma_cyclic",
    "dmaengine_submit",
    "dma_async_issue_pending",
    "dmaengine_tx_status",
    "dmaengine_terminate_sync",
    "dmaengine_terminate_async",
    "dmaengine_synchronize",
    "dma_release_channel",
  ]
}
