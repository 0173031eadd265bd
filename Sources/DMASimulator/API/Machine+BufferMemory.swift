// SPDX-License-Identifier: MIT
import DMADebugCore

/// Where an exporter takes memory from.
public enum DMAHeap: String, Sendable, CaseIterable {
  /// Pages from anywhere, in pieces as large as there are (`system_heap.c`).
  case system
  /// One piece (`cma_heap.c`).
  case contiguous = "reserved"
  /// One piece of memory that was set aside at boot.
  case carveout
}

/// The memory behind a buffer.
final class BufferMemory {
  /// Physical pieces; orders count for those that go back to the page allocator.
  @exclusivity(unchecked) var blocks: [(address: UInt64, order: Int)]
  let heap: DMAHeap
  let size: UInt64

  init(blocks: [(address: UInt64, order: Int)], heap: DMAHeap, size: UInt64) {
    self.blocks = blocks
    self.heap = heap
    self.size = size
  }

  /// The pieces as a list, no longer than the buffer.
  var entries: [ScatterList.Entry] {
    var rest = size
    return blocks.compactMap { block in
      let length = min(PhysicalMemory.pageSize << UInt64(block.order), rest)
      rest -= length
      return length > 0 ? ScatterList.Entry(address: block.address, length: length) : nil
    }
  }

  /// Its pages, in order.
  var pages: [UInt64] {
    entries.flatMap { entry in
      stride(from: entry.address, to: entry.address + entry.length, by: 4096).map { $0 }
    }
  }
}

extension Machine {
  /// The orders that the system heap tries: 1 MiB, 64 KiB, 4 KiB.
  private static let systemOrders = [8, 4, 0]
  /// Blocks of the carve-out: 64 of 256 KiB.
  private static let carveoutOrder = 6
  private static let carveoutBlocks = 64

  /// Memory of a heap, zeroed; `nil` when there is none.
  ///
  /// - Parameter size: bytes, whole pages, at most 64 MiB.
  func takeMemory(_ heap: DMAHeap, _ size: UInt64) -> BufferMemory? {
    guard size > 0, size % PhysicalMemory.pageSize == 0, size <= 64 << 20 else { return nil }
    var blocks: [(address: UInt64, order: Int)] = []
    switch heap {
    case .system:
      var rest = size
      while rest > 0 {
        var found: (address: UInt64, order: Int)?
        for order in Self.systemOrders where PhysicalMemory.pageSize << UInt64(order) <= rest {
          if let address = allocPages(order: order) {
            found = (address, order)
            break
          }
        }
        guard let found else {
          for block in blocks { freePages(block.address, order: block.order) }
          observe(.allocationFailed, nil, size)
          return nil
        }
        blocks.append(found)
        rest -= PhysicalMemory.pageSize << UInt64(found.order)
      }
    case .contiguous:
      let order = PageAllocator.order(size)
      guard let address = allocPages(order: order) else {
        observe(.allocationFailed, nil, size)
        return nil
      }
      blocks = [(address, order)]
    case .carveout:
      guard let address = takeCarveout(size) else {
        observe(.allocationFailed, nil, size)
        return nil
      }
      blocks = [(address, Self.carveoutOrder)]
    }
    for block in blocks {
      let length = PhysicalMemory.pageSize << UInt64(block.order)
      cache?.discard(block.address, length)
      memory.zero(block.address, length)
    }
    return BufferMemory(blocks: blocks, heap: heap, size: size)
  }

  private func takeCarveout(_ size: UInt64) -> UInt64? {
    if sharing.carveout.isEmpty {
      for _ in 0..<Self.carveoutBlocks {
        guard let address = allocPages(order: Self.carveoutOrder, isLow: true) else { break }
        sharing.carveout.append(CarveoutBlock(address: address))
      }
    }
    guard size <= PhysicalMemory.pageSize << UInt64(Self.carveoutOrder),
      let index = sharing.carveout.firstIndex(where: { !$0.isUsed })
    else { return nil }
    sharing.carveout[index].isUsed = true
    return sharing.carveout[index].address
  }

  /// Gives the memory of a buffer back.
  func giveBack(_ memory: BufferMemory) {
    for block in memory.blocks {
      if memory.heap == .carveout {
        let index = sharing.carveout.firstIndex { $0.address == block.address }
        if let index { sharing.carveout[index].isUsed = false }
      } else {
        freePages(block.address, order: block.order)
      }
    }
    memory.blocks = []
  }

  /// The operations of a heap: each device has a copy of the list, and the CPU's accesses sync every
  /// device that has it mapped (`system_heap.c`).
  func heapOperations(_ memory: BufferMemory) -> DMABufOperations {
    var operations = DMABufOperations()
    operations.attach = { attachment in
      attachment.list = ScatterList(memory.entries)
      return 0
    }
    operations.detach = { $0.list = nil }
    operations.mapDMABuf = { [unowned self] attachment, direction in
      let list = attachment.list ?? ScatterList(memory.entries)
      attachment.list = list
      guard dmaMapSGTable(attachment.device, list, direction) == 0 else {
        return .failure(KernelError.io)
      }
      return .success(list)
    }
    operations.unmapDMABuf = { [unowned self] attachment, list, direction in
      dmaUnmapSGTable(attachment.device, list, direction)
    }
    operations.release = { [unowned self] _ in giveBack(memory) }
    operations.beginCPUAccess = { [unowned self] buffer, direction in
      for attachment in buffer.attachments where attachment.isMapped {
        guard let list = attachment.list else { continue }
        dmaSyncSGTableForCPU(attachment.device, list, direction)
      }
      return 0
    }
    operations.endCPUAccess = { [unowned self] buffer, direction in
      for attachment in buffer.attachments where attachment.isMapped {
        guard let list = attachment.list else { continue }
        dmaSyncSGTableForDevice(attachment.device, list, direction)
      }
      return 0
    }
    addWindows(&operations, memory)
    return operations
  }

  /// How the CPU gets at the pages: for processes, in one piece, and a page at a time.
  func addWindows(_ operations: inout DMABufOperations, _ memory: BufferMemory) {
    operations.mmap = { [unowned self] _, first, count in
      .success(space.map(Array(memory.pages.dropFirst(Int(first)).prefix(Int(count))), .user))
    }
    operations.vmap = { [unowned self] _ in .success(space.map(memory.pages, .vmalloc)) }
    operations.vunmap = { [unowned self] buffer, address in
      space.unmap(address, pages: buffer.size / PhysicalMemory.pageSize)
    }
    let page: (SharedBuffer, UInt64) -> UInt64 = { _, number in
      let pages = memory.pages
      return number < UInt64(pages.count) ? AddressSpace.direct(pages[Int(number)]) : 0
    }
    operations.kmap = page
    operations.kmapAtomic = page
    operations.kunmap = { _, _, _ in }
    operations.kunmapAtomic = { _, _, _ in }
  }

  /// The same, of an exporter that may move the buffer: it can be pinned.
  func movableOperations(_ memory: BufferMemory) -> DMABufOperations {
    var operations = heapOperations(memory)
    operations.pin = { attachment in
      attachment.pinCount += 1
      return 0
    }
    operations.unpin = { attachment in attachment.pinCount -= 1 }
    return operations
  }
}
