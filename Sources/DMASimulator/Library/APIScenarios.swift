// SPDX-License-Identifier: MIT

/// The API, group by group, used as one should. The numbers are those of the kernel's document.
enum APIScenarios {
  static let all: [(name: String, text: String)] = [
    (
      "coherent",
      """
      title     Ia: coherent memory, zeroed, seen by both sides without sync
      device    dev0 driver=example
      calls
        function("example_alloc")
        cpu = dma_alloc_coherent(dev0, 8192, &dma, GFP_KERNEL)
        assert cpu != NULL
        assert cpu_load(cpu) == 0
        assert cpu_load(cpu + 8184) == 0
        cpu_store(cpu + 64, 0x1234)
        assert device_load(dev0, dma + 64) == 0x1234
        device_store(dev0, dma + 128, 0x5678)
        assert cpu_load(cpu + 128) == 0x5678
        dma_free_coherent(dev0, 8192, cpu, dma)
        cpu = dma_alloc_attrs(dev0, 4096, &dma, GFP_KERNEL, DMA_ATTR_WRITE_COMBINE)
        assert cpu_load(cpu) == 0
        dma_free_attrs(dev0, 4096, cpu, dma, DMA_ATTR_WRITE_COMBINE)
        # The coherent mask counts, not the streaming one.
        assert dma_set_coherent_mask(dev0, DMA_BIT_MASK(32)) == 0
        cpu = dma_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        assert dma <= DMA_BIT_MASK(32)
        dma_free_coherent(dev0, 4096, cpu, dma)
      end
      """
    ),
    (
      "coherent-uncached",
      """
      title     Ia: coherent memory of a device that does not see the CPU's caches
      about     The pages are mapped a second time for the CPU, without cache.
      device    dev0 driver=example coherent=no
      calls
        cpu = dma_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        assert cpu_load(cpu) == 0
        cpu_store(cpu, 1)
        assert device_load(dev0, dma) == 1
        device_store(dev0, dma, 2)
        assert cpu_load(cpu) == 2
        dma_free_coherent(dev0, 4096, cpu, dma)
      end
      """
    ),
    (
      "pools",
      """
      title     Ib: pools of small blocks
      device    dev0 driver=example
      calls
        pool = dma_pool_create("blocks", dev0, 60, 64, 4096)
        assert pool != NULL
        a = dma_pool_alloc(pool, GFP_KERNEL, &da)
        b = dma_pool_zalloc(pool, GFP_KERNEL, &db)
        assert da % 64 == 0
        assert db % 64 == 0
        assert cpu_load(a) == 0xa9a9a9a9a9a9a9a9
        assert cpu_load(b) == 0
        cpu_store(b, 7)
        assert device_load(dev0, db) == 7
        dma_pool_free(pool, a, da)
        assert cpu_load(a) == 0xa7a7a7a7a7a7a7a7
        dma_pool_free(pool, b, db)
        dma_pool_destroy(pool)
        # Blocks do not cross the boundary: of 1000 bytes only one fits into 1024.
        pool = dma_pool_create("bounded", dev0, 1000, 8, 1024)
        a = dma_pool_alloc(pool, GFP_KERNEL, &da)
        b = dma_pool_alloc(pool, GFP_KERNEL, &db)
        assert da % 1024 == 0
        assert db % 1024 == 0
        dma_pool_free(pool, a, da)
        dma_pool_free(pool, b, db)
        dma_pool_destroy(pool)
        # What the kernel does not take: an alignment that is no power of two.
        pool = dma_pool_create("odd", dev0, 64, 48, 0)
        assert pool == NULL
      end
      """
    ),
    (
      "addressing",
      """
      title     Ic: what a device can address, and what it may ask
      machine   memory=256M high=256M
      device    wide0 driver=example
      device    narrow0 driver=example address-bits=32 mask=32
      device    iommu0 driver=example backend=iommu
      calls
        assert dma_set_mask(wide0, DMA_BIT_MASK(64)) == 0
        assert dma_set_mask_and_coherent(narrow0, DMA_BIT_MASK(32)) == 0
        assert dma_set_coherent_mask(wide0, DMA_BIT_MASK(64)) == 0
        assert dma_set_mask_and_coherent(iommu0, DMA_BIT_MASK(48)) == 0
        # Memory ends above 4 GiB: 33 bits reach it.
        assert dma_get_required_mask(wide0) == DMA_BIT_MASK(33)
        assert dma_get_required_mask(iommu0) == DMA_BIT_MASK(32)
        assert dma_addressing_limited(wide0) == 0
        assert dma_addressing_limited(narrow0) == 1
        # What does not fit is bounced: at most 128 slots of 2 KiB.
        assert dma_max_mapping_size(narrow0) == 256K
        assert dma_max_mapping_size(wide0) == 0xffffffffffffffff
        assert dma_opt_mapping_size(iommu0) == 128K
        assert dma_get_merge_boundary(iommu0) == 4095
        assert dma_get_merge_boundary(wide0) == 0
        dma_set_max_seg_size(wide0, 1M)
        dma_set_seg_boundary(wide0, 0xffffffff)
        buf = kmalloc(256)
        dma = dma_map_single(wide0, buf, 256, DMA_TO_DEVICE)
        assert dma_mapping_error(wide0, dma) == 0
        assert dma_need_sync(wide0, dma) == 0
        dma_unmap_single(wide0, dma, 256, DMA_TO_DEVICE)
        dma = dma_map_single(narrow0, buf, 256, DMA_TO_DEVICE)
        assert dma_mapping_error(narrow0, dma) == 0
        # The buffer lies above 4 GiB, so this one is bounced.
        assert dma_need_sync(narrow0, dma) == 1
        dma_unmap_single(narrow0, dma, 256, DMA_TO_DEVICE)
        kfree(buf)
      end
      """
    ),
    (
      "streaming",
      """
      title     Id: a buffer to the device and one from it
      device    dev0 driver=example
      calls
        function("example_xmit")
        buf = kmalloc(512)
        cpu_write(buf, 512, 1)
        dma = dma_map_single(dev0, buf, 512, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        assert device_check(dev0, dma, 512, 1)
        dma_unmap_single(dev0, dma, 512, DMA_TO_DEVICE)
        function("example_receive")
        dma = dma_map_single(dev0, buf, 512, DMA_FROM_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        device_write(dev0, dma, 512, 2)
        dma_unmap_single(dev0, dma, 512, DMA_FROM_DEVICE)
        assert cpu_check(dev0, buf, 512, 2)
        kfree(buf)
      end
      """
    ),
    (
      "pages",
      """
      title     Id: pages and physical addresses
      device    dev0 driver=example backend=iommu
      calls
        page = alloc_pages(GFP_KERNEL, 1)
        dma = dma_map_page(dev0, page, 512, 4096, DMA_BIDIRECTIONAL)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma % 4096 == 512
        cpu_write(page_address(page) + 512, 4096, 1)
        assert device_check(dev0, dma, 4096, 1)
        dma_unmap_page(dev0, dma, 4096, DMA_BIDIRECTIONAL)
        dma = dma_map_phys(dev0, page, 8192, DMA_FROM_DEVICE, 0)
        assert dma_mapping_error(dev0, dma) == 0
        device_write(dev0, dma, 8192, 2)
        dma_unmap_phys(dev0, dma, 8192, DMA_FROM_DEVICE, 0)
        assert cpu_check(dev0, page_address(page), 8192, 2)
        __free_pages(page, 1)
      end
      """
    ),
    (
      "resource",
      """
      title     Id: registers of another device
      device    dev0 driver=example
      device    dev1 driver=example backend=iommu
      calls
        dma = dma_map_resource(dev0, device_registers, 4096, DMA_BIDIRECTIONAL)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma == device_registers
        dma_unmap_resource(dev0, dma, 4096, DMA_BIDIRECTIONAL)
        dma = dma_map_resource(dev1, device_registers, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev1, dma) == 0
        assert dma != device_registers
        assert device_store(dev1, dma, 1) == 0
        dma_unmap_resource(dev1, dma, 4096, DMA_TO_DEVICE)
      end
      expect    iommu-fault dev1
      about     The second mapping is DMA_TO_DEVICE: a write is one too many, and the IOMMU stops it.
      """
    ),
    (
      "scatterlist",
      """
      title     Id: lists, mapped entry by entry and merged
      device    dev0 driver=example
      device    iommu0 driver=example backend=iommu
      calls
        sgt = sg_alloc_table(3)
        a = alloc_pages(GFP_KERNEL, 0)
        b = alloc_pages(GFP_KERNEL, 0)
        c = alloc_pages(GFP_KERNEL, 0)
        sg_set_page(sgt, 0, a, 4096, 0)
        sg_set_page(sgt, 1, b, 4096, 0)
        sg_set_page(sgt, 2, c, 2048, 0)
        assert dma_map_sg(dev0, sgt, 3, DMA_TO_DEVICE) == 3
        assert sg_dma_len(sgt, 2) == 2048
        # Unmapped with the count that was passed, not with the one that was returned.
        dma_unmap_sg(dev0, sgt, 3, DMA_TO_DEVICE)
        count = dma_map_sg(iommu0, sgt, 3, DMA_FROM_DEVICE)
        assert count == 1
        assert sg_dma_len(sgt, 0) == 10240
        device_write(iommu0, sg_dma_address(sgt, 0), 10240, 5)
        dma_sync_sg_for_cpu(iommu0, sgt, 3, DMA_FROM_DEVICE)
        assert cpu_check(iommu0, page_address(a), 4096, 5)
        dma_sync_sg_for_device(iommu0, sgt, 3, DMA_FROM_DEVICE)
        dma_unmap_sg(iommu0, sgt, 3, DMA_FROM_DEVICE)
        assert dma_map_sgtable(iommu0, sgt, DMA_BIDIRECTIONAL) == 0
        dma_sync_sgtable_for_cpu(iommu0, sgt, DMA_BIDIRECTIONAL)
        dma_sync_sgtable_for_device(iommu0, sgt, DMA_BIDIRECTIONAL)
        dma_unmap_sgtable(iommu0, sgt, DMA_BIDIRECTIONAL)
        __free_pages(a, 0)
        __free_pages(b, 0)
        __free_pages(c, 0)
      end
      """
    ),
    (
      "sync",
      """
      title     Id: a buffer that stays mapped, on a machine where syncs matter
      device    dev0 driver=example coherent=no
      calls
        buf = kmalloc(1024)
        dma = dma_map_single(dev0, buf, 1024, DMA_FROM_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma_need_sync(dev0, dma) == 1
        device_write(dev0, dma, 1024, 1)
        dma_sync_single_for_cpu(dev0, dma, 1024, DMA_FROM_DEVICE)
        assert cpu_check(dev0, buf, 1024, 1)
        dma_sync_single_for_device(dev0, dma, 1024, DMA_FROM_DEVICE)
        device_write(dev0, dma, 1024, 2)
        dma_sync_single_range_for_cpu(dev0, dma, 0, 512, DMA_FROM_DEVICE)
        assert cpu_check(dev0, buf, 512, 2)
        dma_sync_single_range_for_device(dev0, dma, 0, 512, DMA_FROM_DEVICE)
        dma_unmap_single(dev0, dma, 1024, DMA_FROM_DEVICE)
        assert cpu_check(dev0, buf, 1024, 2)
        kfree(buf)
      end
      """
    ),
    (
      "skip-cpu-sync",
      """
      title     Id: DMA_ATTR_SKIP_CPU_SYNC, and the syncs by hand that belong to it
      device    dev0 driver=example coherent=no
      calls
        buf = kmalloc(256)
        cpu_write(buf, 256, 1)
        dma = dma_map_single(dev0, buf, 256, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC)
        assert dma_mapping_error(dev0, dma) == 0
        dma_sync_single_for_device(dev0, dma, 256, DMA_TO_DEVICE)
        assert device_check(dev0, dma, 256, 1)
        dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC)
        kfree(buf)
      end
      """
    ),
    (
      "noncoherent",
      """
      title     II: pages for DMA that the CPU caches
      device    dev0 driver=example coherent=no
      calls
        page = dma_alloc_pages(dev0, 8192, &dma, DMA_FROM_DEVICE, GFP_KERNEL)
        assert page != NULL
        dma_sync_single_for_device(dev0, dma, 8192, DMA_FROM_DEVICE)
        device_write(dev0, dma, 8192, 1)
        dma_sync_single_for_cpu(dev0, dma, 8192, DMA_FROM_DEVICE)
        assert cpu_check(dev0, page_address(page), 8192, 1)
        assert dma_mmap_pages(dev0, &vma, 8192, page) == 0
        assert cpu_check(dev0, vma, 8192, 1)
        munmap(vma, 8192)
        assert dma_mmap_pages(dev0, &vma, 16K, page) == -ENXIO
        dma_free_pages(dev0, 8192, page, dma, DMA_FROM_DEVICE)
        cpu = dma_alloc_noncoherent(dev0, 4096, &dma, DMA_BIDIRECTIONAL, GFP_KERNEL)
        cpu_write(cpu, 4096, 2)
        dma_sync_single_for_device(dev0, dma, 4096, DMA_BIDIRECTIONAL)
        assert device_check(dev0, dma, 4096, 2)
        dma_free_noncoherent(dev0, 4096, cpu, dma, DMA_BIDIRECTIONAL)
      end
      """
    ),
    (
      "noncontiguous",
      """
      title     II: much memory that only the device sees in one piece
      device    iommu0 driver=example backend=iommu
      device    dev0 driver=example
      calls
        sgt = dma_alloc_noncontiguous(iommu0, 64K, DMA_BIDIRECTIONAL, GFP_KERNEL, 0)
        assert sgt != NULL
        assert sg_mapped(sgt) == 1
        cpu = dma_vmap_noncontiguous(iommu0, 64K, sgt)
        cpu_write(cpu, 64K, 1)
        dma_sync_sgtable_for_device(iommu0, sgt, DMA_BIDIRECTIONAL)
        assert device_check(iommu0, sg_dma_address(sgt, 0), 64K, 1)
        assert dma_mmap_noncontiguous(iommu0, &vma, 64K, sgt) == 0
        assert cpu_check(iommu0, vma, 64K, 1)
        munmap(vma, 64K)
        dma_vunmap_noncontiguous(iommu0, 64K, cpu)
        dma_free_noncontiguous(iommu0, 64K, sgt, DMA_BIDIRECTIONAL)
        sgt = dma_alloc_noncontiguous(dev0, 32K, DMA_FROM_DEVICE, GFP_KERNEL)
        assert sg_nents(sgt) == 1
        dma_free_noncontiguous(dev0, 32K, sgt, DMA_FROM_DEVICE)
      end
      """
    ),
    (
      "device-memory",
      """
      title     Memory that the device brings along
      about     Coherent allocations come from it while there is some. dma-debug makes no entries of
      about     it; the trace shows its allocations, not its frees.
      device    dev0 driver=example
      calls
        own = alloc_pages(GFP_DMA32, 4)
        assert dma_declare_coherent_memory(dev0, own, 0x80000000, 64K) == 0
        assert dma_declare_coherent_memory(dev0, own, 0x80000000, 64K) == -EBUSY
        cpu = dma_alloc_coherent(dev0, 8192, &dma, GFP_KERNEL)
        assert dma == 0x80000000
        dma_free_coherent(dev0, 8192, cpu, dma)
        assert dma_alloc_from_coherent(dev0, 4096, &dma, &cpu) == 1
        assert cpu_load(cpu) == 0
        assert dma_mmap_from_coherent(dev0, &vma, cpu, 4096) == 0
        cpu_store(vma, 5)
        assert cpu_load(cpu) == 5
        munmap(vma, 4096)
        assert dma_release_from_coherent(dev0, 0, cpu) == 1
        # More than there is comes from elsewhere.
        cpu = dma_alloc_coherent(dev0, 128K, &dma, GFP_KERNEL)
        assert dma != 0x80000000
        dma_free_coherent(dev0, 128K, cpu, dma)
        dma_release_coherent_memory(dev0)
        __free_pages(own, 4)
      end
      """
    ),
    (
      "managed",
      """
      title     Managed memory: devres frees it when the driver leaves
      device    dev0 driver=example
      calls
        cpu = dmam_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        dmam_free_coherent(dev0, 4096, cpu, dma)
        cpu = dmam_alloc_coherent(dev0, 8192, &dma, GFP_KERNEL)
        cpu = dmam_alloc_attrs(dev0, 4096, &dma, GFP_KERNEL, DMA_ATTR_WRITE_COMBINE)
        pool = dmam_pool_create("managed", dev0, 32, 32, 0)
        block = dma_pool_alloc(pool, GFP_KERNEL, &d)
        dma_pool_free(pool, block, d)
        other = dmam_pool_create("short", dev0, 32, 32, 0)
        dmam_pool_destroy(other)
        own = alloc_pages(GFP_DMA32, 2)
        assert dmam_declare_coherent_memory(dev0, own, 0x40000000, 16K) == 0
        dmam_release_declared_memory(dev0)
        assert dmam_declare_coherent_memory(dev0, own, 0x40000000, 16K) == 0
        # The driver leaves: memory, pool and declaration go with it.
        device_driver_detach(dev0)
        assert dma_alloc_from_coherent(dev0, 4096, &dma, &cpu) == 0
        __free_pages(own, 2)
      end
      """
    ),
    (
      "mmap",
      """
      title     Coherent memory in a process, and as a table
      device    dev0 driver=example
      calls
        cpu = dma_alloc_coherent(dev0, 16K, &dma, GFP_KERNEL)
        assert dma_mmap_coherent(dev0, &vma, cpu, dma, 16K) == 0
        cpu_store(vma + 4096, 9)
        assert device_load(dev0, dma + 4096) == 9
        munmap(vma, 16K)
        assert dma_mmap_wc(dev0, &vma, cpu, dma, 8192) == 0
        munmap(vma, 8192)
        assert dma_mmap_attrs(dev0, &vma, cpu, dma, 4096, DMA_ATTR_WRITE_COMBINE) == 0
        munmap(vma, 4096)
        assert dma_mmap_coherent(dev0, &vma, cpu, dma, 32K) == -ENXIO
        assert dma_get_sgtable(dev0, &sgt, cpu, dma, 16K) == 0
        assert sg_nents(sgt) == 1
        dma_free_coherent(dev0, 16K, cpu, dma)
      end
      """
    ),
    (
      "map-ops",
      """
      title     A device behind a bridge: its own dma_map_ops are asked
      device    dev0 driver=example
      calls
        set_dma_ops(dev0)
        assert dma_get_required_mask(dev0) > DMA_BIT_MASK(32)
        assert dma_set_mask(dev0, DMA_BIT_MASK(32)) == -EIO
        assert dma_set_mask_and_coherent(dev0, DMA_BIT_MASK(48)) == 0
        buf = kmalloc(128)
        cpu_write(buf, 128, 1)
        dma = dma_map_single(dev0, buf, 128, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma == virt_to_phys(buf) + 0x8000000000
        assert device_check(dev0, dma, 128, 1)
        assert dma_opt_mapping_size(dev0) == 1M
        dma_unmap_single(dev0, dma, 128, DMA_TO_DEVICE)
        kfree(buf)
      end
      expect    mask-rejected dev0
      """
    ),
    (
      "drivers",
      """
      title     Drivers come and go
      device    dev0 driver=example bind=no
      device    dev1 driver=example bind=no
      calls
        device_driver_attach(dev0)
        device_driver_attach(dev1)
        cpu = dmam_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        device_driver_detach(dev0)
        device_driver_attach(dev0)
        cpu = dmam_alloc_coherent(dev1, 4096, &dma, GFP_KERNEL)
        rmmod("example")
      end
      """
    ),
  ]
}
