// SPDX-License-Identifier: MIT

/// What happens where addresses and memory end.
enum BackendScenarios {
  static let all: [(name: String, text: String)] = [
    (
      "swiotlb-full",
      """
      title     The bounce buffer runs full, and a driver that copes
      machine   swiotlb=4M
      device    dev0 driver=example address-bits=32 max-seg=1M
      calls
        # 2048 slots of 2 KiB: 32 mappings of 128 KiB.
        sgt = sg_alloc_table(32)
        buf = alloc_pages(GFP_KERNEL, 10)
        n = 0
        repeat 32
          sg_set_page(sgt, n, buf, 128K, n * 128K)
          n = n + 1
        end
        mapped = dma_map_sg(dev0, sgt, 32, DMA_TO_DEVICE)
        assert mapped == 32
        page = alloc_pages(GFP_KERNEL, 0)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == -ENOMEM
        dma_unmap_sg(dev0, sgt, 32, DMA_TO_DEVICE)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        dma_unmap_page(dev0, dma, 4096, DMA_TO_DEVICE)
        __free_pages(page, 0)
        __free_pages(buf, 10)
      end
      expect    swiotlb-full dev0
      """
    ),
    (
      "swiotlb-too-large",
      """
      title     A mapping larger than the bounce buffer takes
      device    dev0 driver=example address-bits=32
      calls
        page = alloc_pages(GFP_KERNEL, 8)
        assert dma_max_mapping_size(dev0) == 256K
        dma = dma_map_page(dev0, page, 0, 512K, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == -ENOMEM
        dma = dma_map_page(dev0, page, 0, 256K, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        dma_unmap_page(dev0, dma, 256K, DMA_TO_DEVICE)
        __free_pages(page, 8)
      end
      expect    swiotlb-full dev0
      """
    ),
    (
      "no-swiotlb",
      """
      title     Memory out of reach, and no bounce buffer
      machine   swiotlb=0
      device    dev0 driver=example address-bits=32
      calls
        page = alloc_pages(GFP_KERNEL, 0)
        assert page > DMA_BIT_MASK(32)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == -ENOMEM
        __free_pages(page, 0)
        page = alloc_pages(GFP_DMA32, 0)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        dma_unmap_page(dev0, dma, 4096, DMA_TO_DEVICE)
        __free_pages(page, 0)
      end
      expect    address-overflow dev0
      """
    ),
    (
      "bus-limit",
      """
      title     A bus that lets fewer address bits through than the device has
      about     The driver sets 64 bits and is right; the bus before the device has 32.
      device    dev0 driver=example bus-limit=0xffffffff
      calls
        assert dma_set_mask_and_coherent(dev0, DMA_BIT_MASK(64)) == 0
        page = alloc_pages(GFP_KERNEL, 0)
        assert page > DMA_BIT_MASK(32)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma <= DMA_BIT_MASK(32)
        dma_unmap_page(dev0, dma, 4096, DMA_TO_DEVICE)
        __free_pages(page, 0)
      end
      """
    ),
    (
      "isa",
      """
      title     24 address lines: everything above 16 MiB is out of reach
      machine   memory=128M high=0 swiotlb=0
      device    dev0 driver=example address-bits=24 mask=24
      calls
        assert dma_set_mask_and_coherent(dev0, DMA_BIT_MASK(24)) == 0
        cpu = dma_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        assert dma < 16M
        dma_free_coherent(dev0, 4096, cpu, dma)
        page = alloc_pages(GFP_KERNEL, 0)
        dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == -ENOMEM
        __free_pages(page, 0)
      end
      expect    address-overflow dev0
      """
    ),
    (
      "iova-exhausted",
      """
      title     A driver that never unmaps, until there are no addresses left
      about     16 MiB of addresses behind the IOMMU, 256 KiB a mapping.
      device    dev0 driver=example backend=iommu address-bits=24 mask=24
      calls
        function("example_leak")
        page = alloc_pages(GFP_KERNEL, 6)
        failed = 0
        repeat 100
          dma = dma_map_page(dev0, page, 0, 256K, DMA_TO_DEVICE)
          failed = failed + (dma_mapping_error(dev0, dma) != 0)
        end
        assert failed > 30
      end
      expect    iova-exhausted dev0 count=*
      expect    leak-at-unbind dev0
      expect    leaked-iova dev0
      """
    ),
    (
      "iommu-merge",
      """
      title     Lists behind an IOMMU: merged up to the segment size and never across a boundary
      device    dev0 driver=example backend=iommu max-seg=16384 boundary=0xffff
      calls
        sgt = sg_alloc_table(8)
        n = 0
        repeat 8
          page = alloc_pages(GFP_KERNEL, 0)
          sg_set_page(sgt, n, page, 4096, 0)
          n = n + 1
        end
        assert dma_map_sg(dev0, sgt, 8, DMA_FROM_DEVICE) == 2
        assert sg_dma_len(sgt, 0) == 16384
        assert sg_dma_len(sgt, 1) == 16384
        dma_unmap_sg(dev0, sgt, 8, DMA_FROM_DEVICE)
        # Entries that do not begin on a page are segments of their own.
        buf = kmalloc(4096)
        small = sg_alloc_table(2)
        sg_set_buf(small, 0, buf + 64, 512)
        sg_set_buf(small, 1, buf + 1024, 512)
        assert dma_map_sg(dev0, small, 2, DMA_TO_DEVICE) == 2
        dma_unmap_sg(dev0, small, 2, DMA_TO_DEVICE)
        kfree(buf)
      end
      """
    ),
    (
      "confidential",
      """
      title     A confidential VM: devices see shared memory only
      machine   confidential=yes
      device    dev0 driver=example backend=swiotlb
      calls
        buf = kmalloc(512)
        cpu_write(buf, 512, 1)
        dma = dma_map_single(dev0, buf, 512, DMA_TO_DEVICE)
        assert dma_mapping_error(dev0, dma) == 0
        assert dma != virt_to_phys(buf)
        assert device_check(dev0, dma, 512, 1)
        dma_unmap_single(dev0, dma, 512, DMA_TO_DEVICE)
        # The buffer itself is private.
        assert device_load(dev0, virt_to_phys(buf)) == NULL
        cpu = dma_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
        assert device_store(dev0, dma, 1) == 1
        dma_free_coherent(dev0, 4096, cpu, dma)
        kfree(buf)
      end
      expect    private-memory dev0
      """
    ),
    (
      "driver-filter",
      """
      title     The files of dma-debug: a filter hides messages, they count all the same
      device    dev0 driver=example
      device    dev1 driver=other
      calls
        write("all_errors", 0)
        write("num_errors", 2)
        write("driver_filter", "other")
        dma_unmap_single(dev0, 0x1000, 64, DMA_TO_DEVICE)
        dma_unmap_single(dev1, 0x2000, 64, DMA_TO_DEVICE)
        write("driver_filter", "")
        dma_unmap_single(dev0, 0x3000, 64, DMA_TO_DEVICE)
        write("all_errors", 1)
        dma_unmap_single(dev0, 0x4000, 64, DMA_TO_DEVICE)
      end
      expect    free-not-allocated dev0 count=3
      expect    free-not-allocated dev1
      """
    ),
  ]
}
