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
  ]
}
