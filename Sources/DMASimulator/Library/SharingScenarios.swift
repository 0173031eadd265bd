// SPDX-License-Identifier: MIT

/// Sharing of buffers, fences, ranges and channels, used as one should.
enum SharingScenarios {
  static let all: [(name: String, text: String)] = [
    (
      "dma-buf",
      """
      title     A buffer of the system heap that two devices share
      about     The process has a descriptor; each importer gets the buffer, attaches, maps, and goes
      about     the way back. The last one to leave releases it.
      device    dev0 driver=producer coherent=no
      device    dev1 driver=consumer backend=iommu coherent=no
      calls
        buf = dma_heap_buffer_alloc("system", 16K)
        assert !IS_ERR(buf)
        fd = dma_buf_fd(buf)
        assert fd == 3
        one = dma_buf_get(fd)
        a = dma_buf_attach(one, dev0)
        two = dma_buf_get(fd)
        b = dma_buf_attach(two, dev1)
        # The first device writes.
        sgt = dma_buf_map_attachment_unlocked(a, DMA_FROM_DEVICE)
        assert !IS_ERR(sgt)
        assert sg_nents(sgt) == 4
        device_write(dev0, sg_dma_address(sgt, 0), 4096, 1)
        # The CPU reads: syncs for every device that has the buffer mapped.
        assert dma_buf_mmap_internal(buf, &vma, 16K) == 0
        assert dma_buf_begin_cpu_access(buf, DMA_FROM_DEVICE) == 0
        assert cpu_check(dev0, vma, 4096, 1)
        assert dma_buf_end_cpu_access(buf, DMA_FROM_DEVICE) == 0
        dma_buf_unmap_attachment_unlocked(a, sgt, DMA_FROM_DEVICE)
        # The CPU writes, the second device reads.
        assert dma_buf_begin_cpu_access(buf, DMA_TO_DEVICE) == 0
        cpu_write(vma, 16K, 2)
        assert dma_buf_end_cpu_access(buf, DMA_TO_DEVICE) == 0
        sgt = dma_buf_map_attachment_unlocked(b, DMA_TO_DEVICE)
        assert sg_mapped(sgt) == 1
        assert device_check(dev1, sg_dma_address(sgt, 0), 16K, 2)
        dma_buf_unmap_attachment_unlocked(b, sgt, DMA_TO_DEVICE)
        munmap(vma, 16K)
        dma_buf_detach(one, a)
        dma_buf_put(one)
        dma_buf_detach(two, b)
        dma_buf_put(two)
        assert dma_buf_count() == 1
        assert close(fd) == 0
        assert dma_buf_count() == 0
        assert dma_buf_get(fd) == -EBADF
      end
      """
    ),
    (
      "dma-buf-export",
      """
      title     Exporters: what they must have, and what fails without the rest
      device    dev0 driver=example
      calls
        least = "map_dma_buf unmap_dma_buf release"
        assert dma_buf_export("none", "", 4096) == -EINVAL
        assert dma_buf_export("half", "map_dma_buf unmap_dma_buf", 4096) == -EINVAL
        assert dma_buf_export("half", "map_dma_buf release", 4096) == -EINVAL
        assert dma_buf_export("pinned", "map_dma_buf unmap_dma_buf release pin", 4096) == -EINVAL
        buf = dma_buf_export("least", least, 8192)
        assert !IS_ERR(buf)
        # Without attach and detach importers are welcome all the same.
        att = dma_buf_attach(buf, dev0)
        sgt = dma_buf_map_attachment_unlocked(att, DMA_BIDIRECTIONAL)
        assert !IS_ERR(sgt)
        dma_buf_unmap_attachment_unlocked(att, sgt, DMA_BIDIRECTIONAL)
        dma_buf_detach(buf, att)
        # What the exporter cannot do.
        assert dma_buf_mmap(buf, &vma, 4096) == -EINVAL
        assert dma_buf_mmap_internal(buf, &vma, 4096) == -EINVAL
        dma_resv_lock(dma_buf_resv(buf))
        assert dma_buf_vmap(buf, &map) == -EINVAL
        dma_resv_unlock(dma_buf_resv(buf))
        assert dma_buf_kmap(buf, 0) == NULL
        assert dma_buf_kmap_atomic(buf, 0) == NULL
        # Nothing to sync, but fences are waited for.
        assert dma_buf_begin_cpu_access(buf, DMA_BIDIRECTIONAL) == 0
        assert dma_buf_end_cpu_access(buf, DMA_BIDIRECTIONAL) == 0
        dma_buf_put(buf)
        buf = dma_buf_export_named("all", 4096, "old")
        assert !IS_ERR(buf)
        dma_buf_put(buf)
      end
      expect    kernel-warning count=4
      """
    ),
    (
      "dma-buf-cpu",
      """
      title     How the CPU gets at a shared buffer: mmap, vmap, kmap
      device    dev0 driver=example coherent=no
      calls
        buf = dma_heap_buffer_alloc("system", 16K)
        # Into a process, by descriptor and by another exporter.
        assert dma_buf_mmap_internal(buf, &vma, 16K) == 0
        assert dma_buf_mmap(buf, &second, 4096, 3) == 0
        assert dma_buf_mmap(buf, &wrong, 8192, 3) == -EINVAL
        assert dma_buf_mmap(buf, &wrong, 8192, 0xffffffffffffffff) == -EOVERFLOW
        assert dma_buf_begin_cpu_access(buf, DMA_TO_DEVICE) == 0
        cpu_store(vma + 12288, 7)
        assert cpu_load(second) == 7
        # In one piece for the kernel: everybody gets the same address.
        dma_resv_lock(dma_buf_resv(buf))
        assert dma_buf_vmap(buf, &map) == 0
        assert dma_buf_vmap(buf, &again) == 0
        assert again == map
        assert cpu_load(map + 12288) == 7
        dma_buf_vunmap(buf, again)
        dma_buf_vunmap(buf, map)
        dma_resv_unlock(dma_buf_resv(buf))
        # Page by page, as older kernels did.
        page = dma_buf_kmap(buf, 3)
        assert cpu_load(page) == 7
        dma_buf_kunmap(buf, 3, page)
        assert dma_buf_kmap(buf, 4) == NULL
        page = dma_buf_kmap_atomic(buf, 0)
        cpu_store(page, 8)
        dma_buf_kunmap_atomic(buf, 0, page)
        assert cpu_load(vma) == 8
        assert dma_buf_end_cpu_access(buf, DMA_TO_DEVICE) == 0
        munmap(vma, 16K)
        munmap(second, 4096)
        dma_buf_put(buf)
      end
      """
    ),
    (
      "dma-buf-dynamic",
      """
      title     An exporter that moves its buffers, and importers that follow
      about     A dynamic importer locks, maps and is told of a move; a static one pins the buffer
      about     while it has it mapped.
      device    dev0 driver=follower backend=iommu
      device    dev1 driver=pinner backend=iommu
      calls
        buf = dma_buf_export("movable", "all", 64K)
        resv = dma_buf_resv(buf)
        a = dma_buf_dynamic_attach(buf, dev0)
        b = dma_buf_attach(buf, dev1)
        dma_resv_lock(resv)
        sgt = dma_buf_map_attachment(a, DMA_TO_DEVICE)
        assert !IS_ERR(sgt)
        dma_buf_unmap_attachment(a, sgt, DMA_TO_DEVICE)
        dma_buf_move_notify(buf)
        assert moves(a) == 1
        assert moves(b) == 0
        # After the move it is mapped again.
        sgt = dma_buf_map_attachment(a, DMA_TO_DEVICE)
        dma_buf_unmap_attachment(a, sgt, DMA_TO_DEVICE)
        assert dma_buf_pin(a) == 0
        dma_buf_unpin(a)
        dma_resv_unlock(resv)
        sgt = dma_buf_map_attachment_unlocked(b, DMA_TO_DEVICE)
        dma_buf_unmap_attachment_unlocked(b, sgt, DMA_TO_DEVICE)
        dma_buf_detach(buf, b)
        dma_buf_detach(buf, a)
        dma_buf_put(buf)
      end
      """
    ),
    (
      "dma-buf-heaps",
      """
      title     Heaps: pages from anywhere, one piece, memory set aside
      device    dev0 driver=example max-seg=0xffffffff
      calls
        buf = dma_heap_buffer_alloc("system", 1088K)
        att = dma_buf_attach(buf, dev0)
        sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
        # A piece of 1 MiB and one of 64 KiB.
        assert sg_nents(sgt) == 2
        assert sg_dma_len(sgt, 0) == 1M
        dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
        dma_buf_detach(buf, att)
        dma_buf_put(buf)
        buf = dma_heap_buffer_alloc("reserved", 192K)
        att = dma_buf_attach(buf, dev0)
        sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
        assert sg_nents(sgt) == 1
        assert sg_dma_len(sgt, 0) == 192K
        dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
        dma_buf_detach(buf, att)
        dma_buf_put(buf)
        buf = dma_heap_buffer_alloc("carveout", 128K)
        dma_buf_put(buf)
        # The same block again.
        buf = dma_heap_buffer_alloc("carveout", 256K)
        dma_buf_put(buf)
        assert dma_heap_buffer_alloc("carveout", 512K) == -ENOMEM
      end
      expect    allocation-failed
      """
    ),
    (
      "fences",
      """
      title     Fences: signalled by an interrupt, waited for, counted
      device    dev0 driver=example
      calls
        context = dma_fence_context_alloc(2)
        dma_fence_init(&f, "example", "ring0", context, 1)
        assert dma_fence_is_signaled(f) == 0
        told = fence_callback()
        assert dma_fence_add_callback(f, told) == 0
        gone = fence_callback()
        assert dma_fence_add_callback(f, gone) == 0
        assert dma_fence_remove_callback(f, gone) == 1
        # The device needs 300 us: the first wait is too short, the second is not.
        signal_after(f, 300)
        assert dma_fence_wait_timeout(f, 1, 100) == 0
        left = dma_fence_wait_timeout(f, 1, 1000)
        assert left > 700
        assert left < 1000
        assert calls(told) == 1
        assert calls(gone) == 0
        assert dma_fence_is_signaled(f) == 1
        assert dma_fence_signal(f) == -EINVAL
        assert dma_fence_add_callback(f, gone) == -ENOENT
        dma_fence_put(f)
        # Work that failed.
        dma_fence_init(&f, "example", "ring0", context, 2)
        dma_fence_enable_sw_signaling(f)
        dma_fence_set_error(f, -EIO)
        assert dma_fence_signal(f) == 0
        assert fence_error(f) == -EIO
        dma_fence_put(f)
        # All of several.
        dma_fence_init(&f, "example", "ring0", context, 3)
        dma_fence_init(&g, "example", "ring1", context + 1, 1)
        both = dma_fence_array_create(dma_fence_context_alloc(1), 1, dma_fence_get(f), dma_fence_get(g))
        signal_after(f, 100)
        signal_after(g, 200)
        assert dma_fence_wait_timeout(both, 1, MAX_SCHEDULE_TIMEOUT) > 0
        dma_fence_put(both)
        dma_fence_put(f)
        dma_fence_put(g)
      end
      expect    fence-timeout
      """
    ),
    (
      "reservation",
      """
      title     Reservation objects: who has to wait for whom
      about     A writer's fence makes readers wait, a reader's fence only writers; the kernel's own
      about     makes all wait, and bookkeeping none.
      device    dev0 driver=example
      calls
        buf = dma_heap_buffer_alloc("system", 4096)
        resv = dma_buf_resv(buf)
        context = dma_fence_context_alloc(4)
        dma_fence_init(&r, "example", "reader", context, 1)
        assert dma_resv_lock(resv) == 0
        assert dma_resv_reserve_fences(resv, 4) == 0
        dma_resv_add_fence(resv, r, DMA_RESV_USAGE_READ)
        assert dma_resv_test_signaled(resv, DMA_RESV_USAGE_WRITE) == 1
        assert dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ) == 0
        dma_fence_init(&w, "example", "writer", context + 1, 1)
        dma_resv_add_fence(resv, w, DMA_RESV_USAGE_WRITE)
        dma_resv_unlock(resv)
        assert dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, 1, 10) > 0
        signal_after(w, 100)
        assert dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, 1, 1000) > 0
        # A CPU that reads waits for the writer only, one that writes for the reader too.
        assert dma_buf_begin_cpu_access(buf, DMA_FROM_DEVICE) == 0
        assert dma_fence_is_signaled(r) == 0
        dma_buf_end_cpu_access(buf, DMA_FROM_DEVICE)
        signal_after(r, 100)
        assert dma_buf_begin_cpu_access(buf, DMA_TO_DEVICE) == 0
        assert dma_fence_is_signaled(r) == 1
        dma_buf_end_cpu_access(buf, DMA_TO_DEVICE)
        # What moves a buffer is waited for by whoever maps it.
        dma_fence_init(&m, "example", "copy", context + 2, 1)
        dma_resv_lock(resv)
        dma_resv_reserve_fences(resv, 1)
        dma_resv_add_fence(resv, m, DMA_RESV_USAGE_KERNEL)
        dma_resv_unlock(resv)
        signal_after(m, 100)
        att = dma_buf_attach(buf, dev0)
        sgt = dma_buf_map_attachment_unlocked(att, DMA_TO_DEVICE)
        assert dma_fence_is_signaled(m) == 1
        dma_buf_unmap_attachment_unlocked(att, sgt, DMA_TO_DEVICE)
        dma_buf_detach(buf, att)
        # A ticket that has the lock is told so, an older one makes a younger one give way.
        first = ww_acquire_init()
        second = ww_acquire_init()
        assert dma_resv_lock(resv, first) == 0
        assert dma_resv_lock(resv, first) == -EALREADY
        assert dma_resv_lock(resv, second) == -EDEADLK
        dma_resv_unlock(resv)
        dma_fence_put(r)
        dma_fence_put(w)
        dma_fence_put(m)
        dma_buf_put(buf)
      end
      """
    ),
    (
      "sync-file",
      """
      title     Sync files: fences that processes pass on
      device    dev0 driver=example
      calls
        buf = dma_heap_buffer_alloc("system", 4096)
        other = dma_heap_buffer_alloc("system", 4096)
        resv = dma_buf_resv(buf)
        context = dma_fence_context_alloc(2)
        dma_fence_init(&f, "example", "render", context, 1)
        dma_fence_init(&g, "example", "video", context + 1, 1)
        dma_resv_lock(resv)
        dma_resv_reserve_fences(resv, 2)
        dma_resv_add_fence(resv, f, DMA_RESV_USAGE_WRITE)
        dma_resv_add_fence(resv, g, DMA_RESV_USAGE_READ)
        one = dma_resv_get_singleton(resv, DMA_RESV_USAGE_WRITE)
        assert one != NULL
        dma_fence_put(one)
        dma_resv_unlock(resv)
        # A writer has to wait for both.
        fd = dma_buf_export_sync_file(buf, 1)
        both = sync_file_get_fence(fd)
        assert both != NULL
        # They become fences of another buffer.
        assert dma_buf_import_sync_file(other, fd, 0) == 0
        assert dma_resv_test_signaled(dma_buf_resv(other), DMA_RESV_USAGE_READ) == 0
        signal_after(f, 50)
        signal_after(g, 100)
        assert dma_fence_wait_timeout(both, 1, 1000) > 0
        assert poll(other, 1) == 1
        dma_fence_put(both)
        close(fd)
        # Of a buffer that nobody uses there is a fence too, signalled.
        fd = dma_buf_export_sync_file(other, 0)
        done = sync_file_get_fence(fd)
        assert dma_fence_is_signaled(done) == 1
        dma_fence_put(done)
        close(fd)
        fd = sync_file_create(f)
        assert dma_buf_import_sync_file(other, 99, 0) == -EINVAL
        close(fd)
        dma_fence_put(f)
        dma_fence_put(g)
        dma_buf_put(buf)
        dma_buf_put(other)
      end
      """
    ),
    (
      "iova",
      """
      title     A range of IO virtual addresses, filled piece by piece
      about     Pages from anywhere are one piece for the device, without a list. Only devices behind
      about     an IOMMU get a range.
      device    dev0 driver=example backend=iommu
      device    dev1 driver=example
      calls
        a = alloc_pages(GFP_KERNEL, 0)
        b = alloc_pages(GFP_KERNEL, 0)
        # The first piece may begin inside a page, and the range does then too.
        assert dma_iova_try_alloc(dev0, &state, a + 512, 7680) == 1
        assert dma_use_iova(state) == 1
        dma = dma_iova_addr(state)
        assert dma % 4096 == 512
        cpu_write(page_address(a) + 512, 3584, 1)
        cpu_write(page_address(b), 4096, 2)
        assert dma_iova_link(dev0, state, a + 512, 0, 3584, DMA_TO_DEVICE, 0) == 0
        assert dma_iova_link(dev0, state, b + 8, 3584, 64, DMA_TO_DEVICE, 0) == -EIO
        assert dma_iova_link(dev0, state, b, 3584, 4096, DMA_TO_DEVICE, 0) == 0
        assert dma_iova_link(dev0, state, b, 3584, 4096, DMA_TO_DEVICE, 0) == -EADDRINUSE
        assert dma_iova_sync(dev0, state, 0, 7680) == 0
        assert device_check(dev0, dma, 3584, 1)
        assert device_check(dev0, dma + 3584, 4096, 2)
        dma_iova_unlink(dev0, state, 3584, 4096, DMA_TO_DEVICE, 0)
        assert dma_iova_link(dev0, state, b, 3584, 4096, DMA_TO_DEVICE, 0) == 0
        assert dma_iova_sync(dev0, state, 3584, 4096) == 0
        dma_iova_destroy(dev0, state, 7680, DMA_TO_DEVICE, 0)
        assert dma_use_iova(state) == 0
        # A range that was never used is only freed.
        assert dma_iova_try_alloc(dev0, &state, a, 8192) == 1
        dma_iova_free(dev0, state)
        # Without an IOMMU each piece is mapped for itself.
        assert dma_iova_try_alloc(dev1, &state, a, 8192) == 0
        assert dma_use_iova(state) == 0
        dma = dma_map_page(dev1, a, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dev1, dma) == 0
        dma_unmap_page(dev1, dma, 4096, DMA_TO_DEVICE)
        __free_pages(a, 0)
        __free_pages(b, 0)
      end
      expect    kernel-warning dev0
      about     The warning is the piece that begins inside a page and is not the first.
      """
    ),
    (
      "dma-channel",
      """
      title     dmaengine: lists, copies, residue
      about     Memory is mapped for the controller, not for its client.
      device    dma0 driver=example backend=iommu
      device    dev0 driver=client
      calls
        chan = dma_request_chan(dev0, dma0)
        assert !IS_ERR(chan)
        # Without configuration there is no transfer to the client's device.
        sgt = sg_alloc_table(2)
        a = alloc_pages(GFP_KERNEL, 0)
        b = alloc_pages(GFP_KERNEL, 0)
        sg_set_page(sgt, 0, a, 4096, 0)
        sg_set_page(sgt, 1, b, 4096, 0)
        assert dma_map_sg(dma0, sgt, 2, DMA_FROM_DEVICE) == 1
        assert dmaengine_prep_slave_sg(chan, sgt, DMA_FROM_DEVICE, 0) == NULL
        assert dmaengine_slave_config(chan, DMA_FROM_DEVICE, device_registers, 3, 8) == -EINVAL
        assert dmaengine_slave_config(chan, DMA_FROM_DEVICE, device_registers, 4, 8) == 0
        chan_fifo(chan, 1)
        desc = dmaengine_prep_slave_sg(chan, sgt, DMA_FROM_DEVICE, 0)
        cookie = dmaengine_submit(desc)
        assert dmaengine_tx_status(chan, cookie, &residue) == DMA_IN_PROGRESS
        assert residue == 8192
        dma_async_issue_pending(chan)
        wait_us(20)
        assert dmaengine_tx_status(chan, cookie, &residue) == DMA_IN_PROGRESS
        assert residue < 8192
        assert residue > 0
        wait_us(100)
        assert dmaengine_tx_status(chan, cookie, &residue) == DMA_COMPLETE
        assert residue == 0
        assert calls(desc) == 1
        dma_unmap_sg(dma0, sgt, 2, DMA_FROM_DEVICE)
        assert cpu_check(dma0, page_address(a), 4096, 1)
        # From memory to memory.
        cpu_write(page_address(a), 4096, 2)
        src = dma_map_page(dma0, a, 0, 4096, DMA_TO_DEVICE)
        assert dma_mapping_error(dma0, src) == 0
        dst = dma_map_page(dma0, b, 0, 4096, DMA_FROM_DEVICE)
        assert dma_mapping_error(dma0, dst) == 0
        desc = dmaengine_prep_dma_memcpy(chan, dst, src, 4096, 0)
        dmaengine_submit(desc)
        dma_async_issue_pending(chan)
        wait_us(100)
        assert calls(desc) == 1
        dma_unmap_page(dma0, src, 4096, DMA_TO_DEVICE)
        dma_unmap_page(dma0, dst, 4096, DMA_FROM_DEVICE)
        assert cpu_check(dma0, page_address(b), 4096, 2)
        dma_release_channel(chan)
        __free_pages(a, 0)
        __free_pages(b, 0)
      end
      """
    ),
    (
      "dma-cyclic",
      """
      title     dmaengine: a ring that goes round until it is told to stop
      device    dma0 driver=example
      device    dev0 driver=client
      calls
        chan = dma_request_chan(dev0, dma0)
        assert dmaengine_slave_config(chan, DMA_FROM_DEVICE, device_registers, 4, 16) == 0
        cpu = dma_alloc_coherent(dma0, 16K, &ring, GFP_KERNEL)
        chan_fifo(chan, 1)
        assert dmaengine_prep_dma_cyclic(chan, ring, 16K, 3000, DMA_FROM_DEVICE, 0) == NULL
        desc = dmaengine_prep_dma_cyclic(chan, ring, 16K, 4096, DMA_FROM_DEVICE, 0)
        cookie = dmaengine_submit(desc)
        dma_async_issue_pending(chan)
        # A period takes 16 us.
        wait_us(200)
        assert calls(desc) > 8
        assert cpu_check(dev0, cpu, 16K, 1)
        assert dmaengine_tx_status(chan, cookie, &residue) == DMA_IN_PROGRESS
        # At the end of the call nothing runs any more; of the other one only after the wait.
        dmaengine_terminate_async(chan)
        dmaengine_synchronize(chan)
        periods = calls(desc)
        wait_us(200)
        assert calls(desc) == periods
        desc = dmaengine_prep_dma_cyclic(chan, ring, 16K, 4096, DMA_FROM_DEVICE, 0)
        dmaengine_submit(desc)
        dma_async_issue_pending(chan)
        wait_us(50)
        dmaengine_terminate_sync(chan)
        dma_release_channel(chan)
        dma_free_coherent(dma0, 16K, cpu, ring)
      end
      """
    ),
  ]
}
