// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMASimulator

/// The parts of the machine: memory, caches, the bounce buffer, addresses behind an IOMMU.
@Suite struct MachineTests {
  @Test func pagesAreNeverHandedOutTwice() {
    let memory = PhysicalMemory(lowSize: 64 << 20, highSize: 8 << 20)
    var pages = PageAllocator(memory, reserved: AddressSpace.reserved)
    let all = pages.freePages
    var random = SeededRandom(seed: 3)
    var taken: [(UInt64, Int)] = []
    var used = Set<UInt64>()
    for _ in 0..<20_000 {
      if random.below(5) < 3 {
        let order = Int(random.below(6))
        guard let block = pages.allocate(order: order, from: [.normal, .dma32, .dma]) else {
          continue
        }
        #expect(block % (4096 << UInt64(order)) == 0)
        for page in 0..<UInt64(1) << UInt64(order) {
          #expect(used.insert(block + page << 12).inserted)
        }
        #expect(!AddressSpace.reserved.contains { $0.contains(block) })
        taken.append((block, order))
      } else if !taken.isEmpty {
        let index = Int(random.below(UInt64(taken.count)))
        let (block, order) = taken.remove(at: index)
        for page in 0..<UInt64(1) << UInt64(order) { used.remove(block + page << 12) }
        pages.free(block, order: order)
      }
    }
    for (block, order) in taken { pages.free(block, order: order) }
    #expect(pages.freePages == all)
    // All of it is whole again: blocks of the largest order are there.
    #expect(pages.allocate(order: PageAllocator.maximumOrder, from: [.normal]) != nil)
  }

  @Test func zonesAreKept() {
    let memory = PhysicalMemory(lowSize: 64 << 20, highSize: 8 << 20)
    var pages = PageAllocator(memory, reserved: AddressSpace.reserved)
    #expect(pages.allocate(order: 0, from: [.dma]).map { $0 < 16 << 20 } == true)
    #expect(
      pages.allocate(order: 0, from: [.dma32]).map { (16 << 20..<1 << 32).contains($0) } == true
    )
    #expect(pages.allocate(order: 0, from: [.normal]).map { $0 >= 1 << 32 } == true)
  }

  @Test func slotsOfTheBounceBuffer() throws {
    var swiotlb = SWIOTLB(start: 0x40_0000, slots: 256)
    let first = swiotlb.map(0x1_0000_0123, 100, minimumAlignment: 0)
    let small = try #require(first)
    #expect(small % 2048 == 0)
    #expect(swiotlb.original(small + 5) == 0x1_0000_0128)
    // What is a page begins on a page.
    let second = swiotlb.map(0x1_0000_2000, 4096, minimumAlignment: 0)
    let page = try #require(second)
    #expect(page % 4096 == 0)
    // The device's low bits are kept.
    let third = swiotlb.map(0x1_0000_3123, 512, minimumAlignment: 0xfff)
    let aligned = try #require(third)
    #expect(aligned & 0x7ff == 0x123)
    #expect(swiotlb.map(0, 256 << 10 + 1, minimumAlignment: 0) == nil)
    let used = swiotlb.used
    swiotlb.unmap(page, 4096)
    #expect(swiotlb.used == used - 2)
    #expect(swiotlb.original(page) == nil)
    // 128 slots a segment, and no mapping across segments.
    var mapped: [UInt64] = []
    while let slot = swiotlb.map(0x1_0000_0000, 64 << 10, minimumAlignment: 0) {
      #expect((slot - 0x40_0000) / (256 << 10) == (slot - 0x40_0000 + 65535) / (256 << 10))
      mapped.append(slot)
    }
    #expect(mapped.count >= 5)
    #expect(Set(mapped).count == mapped.count)
  }

  @Test func addressesBehindAnIOMMU() throws {
    var addresses = IOVAAllocator(aperture: (1 << 32) - 1)
    // From the top down, lengths rounded up to powers of two and aligned to them.
    #expect(addresses.allocate(1, limit: .max) == 0xffff_f000)
    #expect(addresses.allocate(3, limit: .max) == 0xffff_8000)
    #expect(addresses.allocate(1, limit: .max) != nil)
    addresses.free(0xffff_8000, 3)
    #expect(addresses.allocate(4, limit: .max) == 0xffff_8000)
    #expect(addresses.allocate(1, limit: (1 << 24) - 1).map { $0 < 1 << 24 } == true)
    var random = SeededRandom(seed: 9)
    var small = IOVAAllocator(aperture: (1 << 24) - 1)
    var live: [(UInt64, UInt64)] = []
    for _ in 0..<5000 {
      if random.below(2) == 0, let count = Optional(random.within(1...16)),
        let start = small.allocate(count, limit: .max)
      {
        for (other, pages) in live {
          #expect(start + count << 12 <= other || other + pages << 12 <= start)
        }
        #expect(start + count << 12 <= 1 << 24)
        live.append((start, count))
      } else if !live.isEmpty {
        let (start, count) = live.remove(at: Int(random.below(UInt64(live.count))))
        small.free(start, count)
      }
    }
    for (start, count) in live { small.free(start, count) }
    #expect(small.allocatedPages == 0)
  }

  @Test func translation() {
    let domain = IOMMUDomain(aperture: (1 << 48) - 1)
    domain.map(0xffff_f000, 0x20_0000, 4096, .read)
    domain.map(1 << 40, 0x40_0000, 8192, [.read, .write])
    #expect(domain.translate(0xffff_f123)?.physical == 0x20_0123)
    #expect(domain.translate(0xffff_f123)?.access == .read)
    #expect(domain.translate(1 << 40 + 4097)?.physical == 0x40_1001)
    #expect(domain.translate(0x1000) == nil)
    #expect(domain.unmap(0xffff_f000, 4096) == 4096)
    #expect(domain.translate(0xffff_f123) == nil)
    #expect(domain.mappedPages == 2)
  }

  @Test func theCacheHidesWhatDevicesWrite() {
    let memory = PhysicalMemory(lowSize: 64 << 20, highSize: 0)
    memory.prepare(0x20_0000, 4096)
    let cache = CPUCache(memory)
    func read() -> UInt64 {
      var value: UInt64 = 0
      cache.access(0x20_0000, 8, writes: false) { piece, _, _ in
        value = piece.loadUnaligned(as: UInt64.self)
      }
      return value
    }
    let bytes = memory.pointer(0x20_0000, 8)
    #expect(read() == 0)
    bytes.storeBytes(of: 5, as: UInt64.self)
    #expect(read() == 0)
    cache.invalidate(0x20_0000, 64)
    #expect(read() == 5)
    cache.access(0x20_0000, 8, writes: true) { piece, _, _ in
      piece.storeBytes(of: 6, as: UInt64.self)
    }
    #expect(bytes.load(as: UInt64.self) == 5)
    cache.clean(0x20_0000, 64)
    #expect(bytes.load(as: UInt64.self) == 6)
  }

  @Test func patternsTellWhoseTheyAre() {
    let storage = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 8)
    defer { storage.deallocate() }
    for offset in [0, 1, 3, 8] {
      for length in [0, 1, 7, 8, 9, 63, 64, 100] {
        let pattern = Pattern(owner: 4, serial: 77)
        pattern.fill(storage + offset, offset: 16, length: UInt64(length))
        #expect(pattern.mismatch(storage + offset, offset: 16, length: UInt64(length)) == nil)
        let other = Pattern(owner: 4, serial: 78)
        let found = other.mismatch(storage + offset, offset: 16, length: UInt64(length))
        #expect((found == nil) == (length < 3))
      }
    }
  }
}
