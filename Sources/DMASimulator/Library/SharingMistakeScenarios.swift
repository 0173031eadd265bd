// SPDX-License-Identifier: MIT

/// Mistakes with shared buffers, fences, ranges and channels, one each.
enum SharingMistakeScenarios {
  /// A buffer of the system heap with an attachment of the device.
  private static let attached = """
    buf = dma_heap_buffer_alloc("system", 4096)
    att = dma_buf_attach(buf, dev0)
    """

  private static let left = """
    dma_buf_detach(buf, att)
    dma_buf_put(buf)
    """

  static let all: [(name: String, text: String)] = [
    MistakeScenarios.calls(
      "detach-while-mapped",
      "Detaches from a buffer that it has mapped: nobody can unmap it any more",
      """
      \(attached)
      sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
      dma_buf_detach(buf, att)
      """,
      "leak-at-unbind dev0",
      "leaked-dma-buf"
    ),
    MistakeScenarios.calls(
      "leaked-attachment",
      "Never detaches: the buffer lives on",
      """
      \(attached)
      fd = dma_buf_fd(buf)
      imported = dma_buf_get(fd)
      close(fd)
      assert dma_buf_count() == 1
      """,
      "leaked-dma-buf"
    ),
    MistakeScenarios.calls(
      "put-while-attached",
      "Puts the last reference while a device is attached",
      """
      \(attached)
      dma_buf_put(buf)
      """,
      "kernel-warning"
    ),
    MistakeScenarios.calls(
      "unmap-attachment-twice",
      "Unmaps an attachment twice",
      """
      \(attached)
      sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
      \(left)
      """,
      "free-not-allocated dev0"
    ),
    MistakeScenarios.calls(
      "map-unlocked",
      "Maps an attachment without the lock of the reservation object",
      """
      \(attached)
      sgt = dma_buf_map_attachment(att, DMA_TO_DEVICE)
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
      \(left)
      """,
      "kernel-warning"
    ),
    MistakeScenarios.calls(
      "unbalanced-vmap",
      "Puts a buffer that is still in vmap, and ends a vmap that never began",
      """
      \(attached)
      resv = dma_buf_resv(buf)
      dma_resv_lock(resv)
      dma_buf_vunmap(buf, 0)
      assert dma_buf_vmap(buf, &map) == 0
      dma_resv_unlock(resv)
      \(left)
      """,
      "kernel-warning count=2"
    ),
    MistakeScenarios.calls(
      "cpu-access-direction",
      "Ends an access of the CPU with another direction than a device has mapped",
      head: "about     The exporter syncs every mapping with the direction that the caller gave.",
      """
      \(attached)
      sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
      assert dma_buf_begin_cpu_access(buf, DMA_FROM_DEVICE) == 0
      assert dma_buf_end_cpu_access(buf, DMA_TO_DEVICE) == 0
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
      \(left)
      """,
      "sync-direction dev0",
      "sync-read-only-for-cpu dev0"
    ),
    MistakeScenarios.calls(
      "cpu-access-outside",
      "Reads a mapped buffer outside of begin and end",
      device: "dev0 driver=example coherent=no",
      """
      \(attached)
      assert dma_buf_mmap_internal(buf, &vma, 4096) == 0
      dma_buf_begin_cpu_access(buf, DMA_TO_DEVICE)
      cpu_write(vma, 4096, 1)
      dma_buf_end_cpu_access(buf, DMA_TO_DEVICE)
      sgt = dma_buf_map_attachment_unlocked(att, DMA_FROM_DEVICE)
      device_write(dev0, sg_dma_address(sgt, 0), 4096, 2)
      assert cpu_check(dev0, vma, 4096, 2) == 0
      dma_buf_begin_cpu_access(buf, DMA_FROM_DEVICE)
      assert cpu_check(dev0, vma, 4096, 2)
      dma_buf_end_cpu_access(buf, DMA_FROM_DEVICE)
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_FROM_DEVICE)
      munmap(vma, 4096)
      \(left)
      """,
      "stale-cpu-read dev0"
    ),
    MistakeScenarios.calls(
      "access-before-fence",
      "Reads a buffer before the fence of its writer",
      device: "dev0 driver=writer\ndevice    dev1 driver=reader backend=iommu",
      """
      \(attached)
      other = dma_buf_attach(buf, dev1)
      dma_fence_init(&f, "writer", "ring", dma_fence_context_alloc(1), 1)
      resv = dma_buf_resv(buf)
      dma_resv_lock(resv)
      dma_resv_reserve_fences(resv, 1)
      dma_resv_add_fence(resv, f, DMA_RESV_USAGE_WRITE)
      dma_resv_unlock(resv)
      sgt = dma_buf_map_attachment_unlocked(att, DMA_FROM_DEVICE)
      device_write_after(dev0, sg_dma_address(sgt, 0), 4096, 1, 100)
      signal_after(f, 101)
      map = dma_buf_map_attachment_unlocked(other, DMA_TO_DEVICE)
      assert device_check(dev1, sg_dma_address(map, 0), 4096, 1) == 0
      assert dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, 1, 1000) > 0
      assert device_check(dev1, sg_dma_address(map, 0), 4096, 1)
      dma_buf_unmap_attachment_unlocked(other, map, DMA_TO_DEVICE)
      dma_buf_unmap_attachment_unlocked(att, sgt, DMA_FROM_DEVICE)
      dma_buf_detach(buf, other)
      dma_fence_put(f)
      \(left)
      """,
      "stale-device-read dev1"
    ),
    MistakeScenarios.calls(
      "fence-never-signaled",
      "Waits for a fence that nobody signals",
      """
      dma_fence_init(&f, "example", "ring", dma_fence_context_alloc(1), 1)
      assert dma_fence_wait_timeout(f, 1, 5000) == 0
      # Without a time to wait the task hangs until somebody kills it.
      dma_fence_wait_timeout(f, 1, MAX_SCHEDULE_TIMEOUT)
      """,
      "fence-timeout",
      "hung-task"
    ),
    MistakeScenarios.calls(
      "fence-released",
      "Puts the last reference of a fence that somebody waits for",
      """
      dma_fence_init(&f, "example", "ring", dma_fence_context_alloc(1), 1)
      told = fence_callback()
      dma_fence_add_callback(f, told)
      dma_fence_put(f)
      assert calls(told) == 1
      assert fence_error(f) == -EDEADLK
      """,
      "kernel-warning"
    ),
    MistakeScenarios.calls(
      "lock-deadlock",
      "Locks a reservation object that it has locked",
      """
      buf = dma_heap_buffer_alloc("system", 4096)
      dma_resv_lock(dma_buf_resv(buf))
      dma_resv_lock(dma_buf_resv(buf))
      dma_resv_unlock(dma_buf_resv(buf))
      dma_buf_put(buf)
      """,
      "lock-deadlock"
    ),
    MistakeScenarios.calls(
      "iova-unsynced",
      "Uses a range before dma_iova_sync(), and after dma_iova_unlink()",
      device: "dev0 driver=example backend=iommu",
      """
      page = alloc_pages(GFP_KERNEL, 0)
      dma_iova_try_alloc(dev0, &state, page, 4096)
      dma = dma_iova_addr(state)
      dma_iova_link(dev0, state, page, 0, 4096, DMA_BIDIRECTIONAL, 0)
      assert device_store(dev0, dma, 1) == 0
      dma_iova_sync(dev0, state, 0, 4096)
      assert device_store(dev0, dma, 1)
      dma_iova_unlink(dev0, state, 0, 4096, DMA_BIDIRECTIONAL, 0)
      assert device_store(dev0, dma, 1) == 0
      dma_iova_free(dev0, state)
      __free_pages(page, 0)
      """,
      "iommu-fault dev0 count=2"
    ),
    MistakeScenarios.calls(
      "iova-leaked",
      "Never destroys its range",
      device: "dev0 driver=example backend=iommu",
      """
      page = alloc_pages(GFP_KERNEL, 0)
      dma_iova_try_alloc(dev0, &state, page, 4096)
      dma_iova_link(dev0, state, page, 0, 4096, DMA_TO_DEVICE, 0)
      dma_iova_sync(dev0, state, 0, 4096)
      """,
      "leaked-iova dev0"
    ),
    MistakeScenarios.calls(
      "channel-release-busy",
      "Releases a channel with a transfer in flight",
      device: "dev0 driver=example",
      """
      chan = dma_request_chan(dev0, dev0)
      cpu = dma_alloc_coherent(dev0, 8192, &ring, GFP_KERNEL)
      cpu_write(cpu, 4096, 1)
      desc = dmaengine_prep_dma_memcpy(chan, ring + 4096, ring, 4096, 0)
      dmaengine_submit(desc)
      dma_async_issue_pending(chan)
      dma_release_channel(chan)
      wait_us(100)
      dma_free_coherent(dev0, 8192, cpu, ring)
      """,
      "channel-busy dev0"
    ),
    MistakeScenarios.calls(
      "channel-unmap-early",
      "Unmaps a buffer before its transfer is done",
      device: "dev0 driver=example backend=iommu",
      """
      chan = dma_request_chan(dev0, dev0)
      dmaengine_slave_config(chan, DMA_FROM_DEVICE, device_registers, 4, 8)
      buf = kmalloc(4096)
      sgt = sg_alloc_table(1)
      sg_set_buf(sgt, 0, buf, 4096)
      dma_map_sg(dev0, sgt, 1, DMA_FROM_DEVICE)
      desc = dmaengine_prep_slave_sg(chan, sgt, DMA_FROM_DEVICE, 0)
      cookie = dmaengine_submit(desc)
      dma_async_issue_pending(chan)
      dma_unmap_sg(dev0, sgt, 1, DMA_FROM_DEVICE)
      kfree(buf)
      wait_us(100)
      dma_release_channel(chan)
      """,
      "iommu-fault dev0"
    ),
  ]
}
