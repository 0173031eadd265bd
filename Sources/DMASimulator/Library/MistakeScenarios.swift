// SPDX-License-Identifier: MIT

/// The mistakes that the kernel's documentation warns of, one each.
enum MistakeScenarios {
  /// A scenario of one device and its calls.
  static func calls(
    _ name: String,
    _ title: String,
    device: String = "dev0 driver=example",
    head: String = "",
    _ body: String,
    _ expected: String...
  ) -> (name: String, text: String) {
    let lines = body.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
    var text = "title     \(title)\n"
    if !head.isEmpty { text += head + "\n" }
    text += "device    \(device)\ncalls\n" + lines.joined(separator: "\n") + "\nend"
    for line in expected { text += "\nexpect    " + line }
    return (name, text)
  }

  /// Takes a buffer, maps it and asks for the error.
  private static func mapped(_ direction: String) -> String {
    """
    buf = kmalloc(256)
    dma = dma_map_single(dev0, buf, 256, \(direction))
    assert dma_mapping_error(dev0, dma) == 0
    """
  }

  static let all: [(name: String, text: String)] = [
    calls(
      "unmap-size",
      "Unmaps another size than it mapped",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_unmap_single(dev0, dma, 128, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "free-size dev0"
    ),
    calls(
      "unmap-direction",
      "Unmaps with another direction",
      """
      \(mapped("DMA_FROM_DEVICE"))
      dma_unmap_single(dev0, dma, 256, DMA_BIDIRECTIONAL)
      kfree(buf)
      """,
      "free-direction dev0"
    ),
    calls(
      "unmap-function",
      "Frees a list with dma_unmap_page()",
      """
      sgt = sg_alloc_table(1)
      page = alloc_pages(GFP_KERNEL, 0)
      sg_set_page(sgt, 0, page, 4096, 0)
      dma_map_sg(dev0, sgt, 1, DMA_TO_DEVICE)
      dma_unmap_page(dev0, sg_dma_address(sgt, 0), 4096, DMA_TO_DEVICE)
      __free_pages(page, 0)
      """,
      "free-function dev0"
    ),
    calls(
      "double-unmap",
      "Unmaps twice: what was unmapped is nobody's",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "free-not-allocated dev0"
    ),
    calls(
      "unmap-attributes",
      "Unmaps with an attribute that it did not map with",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE, DMA_ATTR_PRIVILEGED)
      kfree(buf)
      """,
      "free-attributes dev0 from=7.2"
    ),
    calls(
      "sg-count-returned",
      "Unmaps a list with the count that dma_map_sg() returned",
      device: "dev0 driver=example backend=iommu",
      head:
        "about     The IOMMU merges the pages: 4 are passed, 1 comes back. Unmapping needs the 4.",
      """
      sgt = sg_alloc_table(4)
      n = 0
      repeat 4
        page = alloc_pages(GFP_KERNEL, 0)
        sg_set_page(sgt, n, page, 4096, 0)
        n = n + 1
      end
      count = dma_map_sg(dev0, sgt, 4, DMA_TO_DEVICE)
      assert count == 1
      dma_unmap_sg(dev0, sgt, count, DMA_TO_DEVICE)
      """,
      "free-sg-count dev0"
    ),
    calls(
      "free-cpu-address",
      "Frees coherent memory with another CPU address",
      """
      cpu = dma_alloc_coherent(dev0, 4096, &dma, GFP_KERNEL)
      dma_free_coherent(dev0, 4096, cpu + 64, dma)
      """,
      "free-cpu-address dev0"
    ),
    calls(
      "free-coherent-size",
      "Frees less coherent memory than it allocated",
      """
      cpu = dma_alloc_coherent(dev0, 8192, &dma, GFP_KERNEL)
      dma_free_coherent(dev0, 4096, cpu, dma)
      """,
      "free-size dev0"
    ),
    calls(
      "howto-incorrect-1",
      "The HOWTO's first incorrect example: compares the address itself",
      head: "about     The driver looks at the address (`dma_handle & 0xffff`) and never asks"
        + " dma_mapping_error().",
      """
      buf = kmalloc(256)
      dma = dma_map_single(dev0, buf, 256, DMA_TO_DEVICE)
      bad = (dma & 0xffff) == 0xffff
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "map-error-unchecked dev0"
    ),
    calls(
      "howto-incorrect-2",
      "The HOWTO's second incorrect example: compares with DMA_ERROR_CODE",
      """
      buf = kmalloc(256)
      dma = dma_map_single(dev0, buf, 256, DMA_TO_DEVICE)
      bad = dma == DMA_MAPPING_ERROR
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "map-error-unchecked dev0"
    ),
    calls(
      "howto-unwinding",
      "The HOWTO's example of an error path, done right",
      head: "about     The second map fails; the first one is taken back.",
      """
      first = kmalloc(256)
      second = vmalloc(4096)
      dma1 = dma_map_single(dev0, first, 256, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma1) == 0
      dma2 = dma_map_single(dev0, second, 256, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma2) != 0
      dma_unmap_single(dev0, dma1, 256, DMA_TO_DEVICE)
      kfree(first)
      vfree(second)
      """,
      "vmalloc-rejected dev0"
    ),
    calls(
      "forgotten-unwinding",
      "An error path that forgets what was mapped before",
      """
      first = kmalloc(256)
      second = vmalloc(4096)
      dma1 = dma_map_single(dev0, first, 256, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma1) == 0
      dma2 = dma_map_single(dev0, second, 256, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma2) != 0
      vfree(second)
      """,
      "vmalloc-rejected dev0",
      "leak-at-unbind dev0"
    ),
    calls(
      "failed-map-used",
      "Goes on with the address of a map that failed",
      """
      buf = vmalloc(4096)
      dma = dma_map_single(dev0, buf, 256, DMA_FROM_DEVICE)
      device_write(dev0, dma, 256, 1)
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      """,
      "vmalloc-rejected dev0",
      "bus-error dev0",
      "free-invalid-address dev0"
    ),
    calls(
      "map-stack",
      "Maps a variable on the stack",
      """
      dma = dma_map_single(dev0, stack_buffer(), 64, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      dma_unmap_single(dev0, dma, 64, DMA_TO_DEVICE)
      """,
      "map-stack dev0"
    ),
    calls(
      "map-kernel-image",
      "Maps a constant of the kernel's image",
      """
      dma = dma_map_single(dev0, kernel_rodata(), 64, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      dma_unmap_single(dev0, dma, 64, DMA_TO_DEVICE)
      """,
      "map-kernel-text dev0"
    ),
    calls(
      "map-vmalloc",
      "Maps vmalloc memory by its CPU address, which the kernel refuses",
      """
      buf = vmalloc(8192)
      dma = dma_map_single(dev0, buf, 8192, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == -ENOMEM
      vfree(buf)
      """,
      "vmalloc-rejected dev0"
    ),
    calls(
      "map-registers",
      "Maps the CPU address of device registers with dma_map_single()",
      """
      page = alloc_pages(GFP_DMA32, 0)
      io = ioremap(page, 4096)
      dma = dma_map_single(dev0, io, 64, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      dma_unmap_single(dev0, dma, 64, DMA_TO_DEVICE)
      iounmap(io, 4096)
      """,
      "map-invalid-area dev0"
    ),
    calls(
      "ram-as-resource",
      "Maps RAM with dma_map_resource()",
      """
      page = alloc_pages(GFP_DMA32, 0)
      dma = dma_map_resource(dev0, page, 4096, DMA_TO_DEVICE)
      failed = dma_mapping_error(dev0, dma)
      repeat failed == 0
        dma_unmap_resource(dev0, dma, 4096, DMA_TO_DEVICE)
      end
      """,
      "map-ram-as-resource dev0 from=7.2",
      "resource-rejected dev0 until=6.18"
    ),
    calls(
      "cacheline-sharing",
      "Maps two buffers that share a cacheline",
      """
      buf = kmalloc(128)
      one = dma_map_single(dev0, buf, 32, DMA_FROM_DEVICE)
      assert dma_mapping_error(dev0, one) == 0
      two = dma_map_single(dev0, buf + 32, 32, DMA_FROM_DEVICE)
      assert dma_mapping_error(dev0, two) == 0
      dma_unmap_single(dev0, two, 32, DMA_FROM_DEVICE)
      dma_unmap_single(dev0, one, 32, DMA_FROM_DEVICE)
      kfree(buf)
      """,
      "cacheline-overlap dev0 until=7.1"
    ),
    calls(
      "cacheline-neighbour",
      "Writes beside a buffer in the same cacheline, and loses what the device wrote",
      device: "dev0 driver=example coherent=no",
      """
      buf = kmalloc(128)
      cpu_write(buf, 128, 1)
      dma = dma_map_single(dev0, buf, 96, DMA_FROM_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      # A counter of the driver lies behind the buffer.
      cpu_store(buf + 96, 1)
      device_write(dev0, dma, 96, 2)
      dma_unmap_single(dev0, dma, 96, DMA_FROM_DEVICE)
      assert cpu_check(dev0, buf, 96, 2) == 0
      kfree(buf)
      """,
      "stale-cpu-read dev0"
    ),
    calls(
      "sync-direction",
      "Syncs with another direction than mapped",
      """
      \(mapped("DMA_FROM_DEVICE"))
      dma_sync_single_for_cpu(dev0, dma, 256, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      kfree(buf)
      """,
      "sync-direction dev0"
    ),
    calls(
      "sync-read-only",
      "Syncs for the CPU what the device only reads, and to the device what it only writes",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_sync_single_for_cpu(dev0, dma, 256, DMA_FROM_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      dma = dma_map_single(dev0, buf, 256, DMA_FROM_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      dma_sync_single_for_device(dev0, dma, 256, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      kfree(buf)
      """,
      "sync-direction dev0 count=2",
      "sync-read-only-for-cpu dev0",
      "sync-write-only-to-device dev0"
    ),
    calls(
      "sync-after-unmap",
      "Syncs what it has unmapped, and more than it has mapped",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_sync_single_for_device(dev0, dma, 512, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      dma_sync_single_for_cpu(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "sync-not-allocated dev0 count=2"
    ),
    calls(
      "sync-underflow",
      "Syncs a length that has gone below zero",
      """
      \(mapped("DMA_TO_DEVICE"))
      length = 32
      dma_sync_single_for_device(dev0, dma + 64, length - 64, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "sync-outside-range dev0"
    ),
    calls(
      "sync-sg-count",
      "Syncs fewer entries of a list than it mapped",
      """
      sgt = sg_alloc_table(2)
      a = alloc_pages(GFP_KERNEL, 0)
      b = alloc_pages(GFP_KERNEL, 0)
      sg_set_page(sgt, 0, a, 4096, 0)
      sg_set_page(sgt, 1, b, 4096, 0)
      dma_map_sg(dev0, sgt, 2, DMA_FROM_DEVICE)
      dma_sync_sg_for_cpu(dev0, sgt, 1, DMA_FROM_DEVICE)
      dma_unmap_sg(dev0, sgt, 2, DMA_FROM_DEVICE)
      """,
      "sync-sg-count dev0"
    ),
    calls(
      "missing-sync-for-cpu",
      "Reads a mapped buffer without sync",
      device: "dev0 driver=example coherent=no",
      """
      buf = kmalloc(256)
      cpu_write(buf, 256, 1)
      dma = dma_map_single(dev0, buf, 256, DMA_FROM_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      device_write(dev0, dma, 256, 2)
      assert cpu_check(dev0, buf, 256, 2) == 0
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      kfree(buf)
      """,
      "stale-cpu-read dev0"
    ),
    calls(
      "missing-sync-for-device",
      "Writes a mapped buffer without sync",
      device: "dev0 driver=example backend=swiotlb",
      """
      buf = kmalloc(256)
      cpu_write(buf, 256, 1)
      dma = dma_map_single(dev0, buf, 256, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      cpu_write(buf, 256, 2)
      assert device_check(dev0, dma, 256, 2) == 0
      dma_sync_single_for_device(dev0, dma, 256, DMA_TO_DEVICE)
      assert device_check(dev0, dma, 256, 2)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "stale-device-read dev0"
    ),
    calls(
      "use-after-unmap-iommu",
      "The device writes after the unmap: the IOMMU stops it",
      device: "dev0 driver=example backend=iommu",
      """
      \(mapped("DMA_FROM_DEVICE"))
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      assert device_write(dev0, dma, 256, 1) == 0
      kfree(buf)
      """,
      "iommu-fault dev0"
    ),
    calls(
      "use-after-unmap-direct",
      "The device writes after the unmap: without an IOMMU nobody stops it",
      """
      \(mapped("DMA_FROM_DEVICE"))
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      cpu_write(buf, 256, 1)
      assert device_write(dev0, dma, 256, 2)
      assert cpu_check(dev0, buf, 256, 1) == 0
      kfree(buf)
      """,
      "foreign-bytes dev0"
    ),
    calls(
      "free-while-mapped",
      "Frees memory before it unmaps it: its next owner loses data",
      """
      \(mapped("DMA_FROM_DEVICE"))
      kfree(buf)
      other = kmalloc(256)
      assert other == buf
      cpu_write(other, 256, 1)
      device_write(dev0, dma, 256, 2)
      assert cpu_check(dev0, other, 256, 1) == 0
      dma_unmap_single(dev0, dma, 256, DMA_FROM_DEVICE)
      kfree(other)
      """,
      "foreign-bytes dev0"
    ),
    calls(
      "leak",
      "Leaves with memory mapped and allocated",
      """
      function("example_probe")
      \(mapped("DMA_FROM_DEVICE"))
      cpu = dma_alloc_coherent(dev0, 4096, &ring, GFP_KERNEL)
      device_driver_detach(dev0)
      """,
      "leak-at-unbind dev0"
    ),
    calls(
      "pool-busy",
      "Destroys a pool with a block in use",
      """
      pool = dma_pool_create("busy", dev0, 64, 64, 0)
      block = dma_pool_alloc(pool, GFP_KERNEL, &dma)
      dma_pool_destroy(pool)
      """,
      "pool-busy dev0",
      "leak-at-unbind dev0"
    ),
    calls(
      "pool-double-free",
      "Frees a block of a pool twice, and writes to a free one",
      """
      pool = dma_pool_create("blocks", dev0, 64, 64, 0)
      block = dma_pool_alloc(pool, GFP_KERNEL, &dma)
      dma_pool_free(pool, block, dma)
      dma_pool_free(pool, block, dma)
      cpu_store(block + 8, 1)
      block = dma_pool_alloc(pool, GFP_KERNEL, &dma)
      dma_pool_free(pool, block, dma)
      dma_pool_destroy(pool)
      """,
      "pool-double-free dev0",
      "pool-corrupted dev0"
    ),
    calls(
      "segment-limits",
      "Maps segments longer than the device takes, and across its boundary",
      """
      dma_set_max_seg_size(dev0, 4096)
      dma_set_seg_boundary(dev0, 0xffff)
      page = alloc_pages(GFP_KERNEL, 5)
      sgt = sg_alloc_table(1)
      sg_set_page(sgt, 0, page, 8192, 0)
      dma_map_sg(dev0, sgt, 1, DMA_TO_DEVICE)
      dma_unmap_sg(dev0, sgt, 1, DMA_TO_DEVICE)
      sg_set_page(sgt, 0, page, 4096, 0xf800)
      dma_map_sg(dev0, sgt, 1, DMA_TO_DEVICE)
      dma_unmap_sg(dev0, sgt, 1, DMA_TO_DEVICE)
      """,
      "sg-segment-length dev0",
      "sg-segment-boundary dev0"
    ),
    calls(
      "wrong-mask",
      "Sets a mask wider than the device's address lines",
      device: "dev0 driver=example address-bits=32 mask=32",
      head: "machine   memory=64M high=256M",
      """
      # The data sheet says 32, the driver says 64: nothing is bounced any more.
      assert dma_set_mask(dev0, DMA_BIT_MASK(64)) == 0
      page = alloc_pages(GFP_KERNEL, 0)
      assert page > DMA_BIT_MASK(32)
      cpu_write(page_address(page), 4096, 1)
      dma = dma_map_page(dev0, page, 0, 4096, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, dma) == 0
      assert dma > DMA_BIT_MASK(32)
      assert device_check(dev0, dma, 4096, 1) == 0
      dma_unmap_page(dev0, dma, 4096, DMA_TO_DEVICE)
      __free_pages(page, 0)
      """,
      "stale-device-read dev0"
    ),
    calls(
      "unmap-other-device",
      "Unmaps for another device than it mapped for",
      device: "dev0 driver=example\ndevice    dev1 driver=example",
      """
      \(mapped("DMA_TO_DEVICE"))
      dma_unmap_single(dev1, dma, 256, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "free-not-allocated dev1"
    ),
    calls(
      "ambiguous",
      "Maps one buffer twice and unmaps neither as it was mapped",
      head:
        "about     With two mappings of one address the kernel wants a perfect match, and finds none.",
      """
      \(mapped("DMA_TO_DEVICE"))
      again = dma_map_single(dev0, buf, 128, DMA_TO_DEVICE)
      assert dma_mapping_error(dev0, again) == 0
      dma_unmap_single(dev0, dma, 64, DMA_TO_DEVICE)
      dma_unmap_single(dev0, dma, 256, DMA_TO_DEVICE)
      dma_unmap_single(dev0, again, 128, DMA_TO_DEVICE)
      kfree(buf)
      """,
      "free-not-allocated dev0"
    ),
  ]
}
