// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// The payloads of `dma:*` events, of every generation of the tracepoints.
@Suite struct PayloadTests {
  static let prefix = "        modprobe-1234    [000] d..1.  1234.567890: "

  /// One event, written in several ways.
  struct Same: Sendable, CustomTestStringConvertible {
    var name: String
    var meaning: String
    var lines: [String]
    var testDescription: String { name }
  }

  /// kind device driver direction flags caller attributes dma size address nents ents …
  static func meaning(
    _ kind: DMAEvent.Kind,
    _ direction: Direction,
    dma: UInt64 = 0,
    size: UInt64 = 0,
    address: UInt64 = 0,
    attributes: DMAAttributes = [],
    flags: DMAEvent.Flags = [],
    entries: (UInt32, UInt32) = (0, 0),
    addresses: [UInt64] = [],
    lengths: [UInt64] = [],
    physical: [UInt64] = [],
    device: String = "0000:00:03.0"
  ) -> String {
    """
    \(kind) \(device) ? \(direction) \(flags.rawValue) absent \(attributes.rawValue) \(dma) \
    \(size) \(address) \(entries.0) \(entries.1) \(addresses) \(lengths) \(physical) ? 
    """
  }

  static let raw =
    "[FAILED TO PARSE] device=0000:00:03.0 full_nents=2 full_ents=1 truncated=0 "
    + "phys_addrs=ARRAY[00, 30, 2b, 0a, 01, 00, 00, 00, 00, 50, 2b, 0a, 01, 00, 00, 00] "
    + "dma_addrs=ARRAY[00, e0, ff, ff, 00, 00, 00, 00] lengths=ARRAY[00, 20, 00, 00] "

  static let groups: [Same] = [
    Same(
      name: "map_page",
      meaning: meaning(
        .mapPage,
        .fromDevice,
        dma: 0xffff_f000,
        size: 4096,
        address: 0x1_0a2b_3000,
        attributes: .skipCPUSync
      ),
      lines: [
        "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 "
          + "phys_addr=10a2b3000 attrs=SKIP_CPU_SYNC",
        "dma_map_page:          device=0000:00:03.0 phys_addr=10a2b3000 dma_addr=fffff000 "
          + "size=4096 dir=2 attrs=0x20",
        "dma_map_page: device=0000:00:03.0 phys_addr=0x10a2b3000 (4473958400) "
          + "dma_addr=0xfffff000 (4294963200) size=0x1000 (4096) dir=0x2 (2) attrs=0x20 (32)",
        "dma_map_page: attrs=0x20 (32) dir=0x2 (2) size=0x1000 (4096) "
          + "dma_addr=0xfffff000 (4294963200) phys_addr=0x10a2b3000 (4473958400) "
          + "device=0000:00:03.0",
        "dma:dma_map_page: 0000:00:03.0 new=key {x=1 y} dir=FROM_DEVICE list={0x1,0x2} "
          + "dma_addr=FFFFF000 size=4096 phys_addr=0x10a2b3000 attrs=SKIP_CPU_SYNC|NO_SUCH_FLAG",
      ]
    ),
    Same(
      name: "map_resource",
      meaning: meaning(
        .mapResource,
        .bidirectional,
        dma: 0xfea0_0000,
        size: 4096,
        address: 0xfea0_0000
      ),
      lines: [
        "dma_map_resource: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=fea00000 size=4096 "
          + "phys_addr=fea00000 attrs="
      ]
    ),
    Same(
      name: "map_phys, several flags",
      meaning: meaning(
        .mapPhys,
        .toDevice,
        dma: .max,
        size: 18,
        address: 0,
        attributes: [.mmio, .ignoreCachelines, .ccShared, DMAAttributes(rawValue: 0x8000_0000)]
      ),
      lines: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=18 phys_addr=0 "
          + "attrs=MMIO|CACHELINES_OVERLAP|CC_SHARED|0x80000000",
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=ffffffffffffffff size=18 phys_addr=0 "
          + "attrs=MMIO|CACHE_CLEAN|CC_SHARED|0x80000000",
        "dma_map_phys: device=0000:00:03.0 phys_addr=0 dma_addr=ffffffffffffffff size=18 dir=1 "
          + "attrs=0x80002c00",
      ]
    ),
    Same(
      name: "unmap_page",
      meaning: meaning(.unmapPage, .fromDevice, dma: 0xffff_f000, size: 4096),
      lines: [
        "dma_unmap_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=",
        "dma_unmap_page:        device=0000:00:03.0 addr=fffff000 size=4096 dir=2 attrs=0x0",
      ]
    ),
    Same(
      name: "unmap_phys",
      meaning: meaning(.unmapPhys, .none, dma: 0x61f_5000, size: 4096),
      lines: [
        "dma_unmap_phys: 0000:00:03.0 dir=NONE dma_addr=61f5000 size=4096 attrs=",
        "dma_unmap_phys:        device=0000:00:03.0 addr=61f5000 size=4096 dir=3 attrs=0x0",
      ]
    ),
    Same(
      name: "alloc without direction",
      meaning: meaning(
        .alloc,
        .bidirectional,
        dma: 0x123_4000,
        size: 4096,
        address: 0xffff_8881_0123_4000,
        flags: .noDirection
      ),
      lines: [
        "dma_alloc: 0000:00:03.0 dma_addr=1234000 size=4096 virt_addr=ffff888101234000 "
          + "flags=GFP_KERNEL attrs="
      ]
    ),
    Same(
      name: "alloc with direction",
      meaning: meaning(
        .alloc,
        .bidirectional,
        dma: 0x123_4000,
        size: 4096,
        address: 0xffff_8881_0123_4000
      ),
      lines: [
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1234000 size=4096 "
          + "virt_addr=ffff888101234000 flags=GFP_KERNEL attrs=",
        "dma_alloc:             0000:00:03.0 dir=BIDIRECTIONAL dma_addr=1234000 size=4096 "
          + "virt_addr=0xffff888101234000 flags=GFP_KERNEL|__GFP_ZERO attrs=",
        "dma_alloc:             device=0000:00:03.0 virt_addr=0xffff888101234000 "
          + "dma_addr=1234000 size=4096 flags=2080 dir=0 attrs=0x0",
        "dma_alloc: device=0000:00:03.0 virt_addr=0xffff888101234000 (-131387) "
          + "dma_addr=0x1234000 (19087360) size=0x1000 (4096) flags=0xcc0 (3264) dir=0x0 (0) "
          + "attrs=0x0 (0)",
      ]
    ),
    Same(
      name: "alloc with a hashed pointer",
      meaning: meaning(
        .allocPages,
        .toDevice,
        dma: 0x123_4000,
        size: 4096,
        address: 0x4cff_46c5,
        flags: .hashedPointer
      ),
      lines: [
        "dma_alloc_pages: 0000:00:03.0 dir=TO_DEVICE dma_addr=1234000 size=4096 "
          + "virt_addr=000000004cff46c5 flags=GFP_KERNEL attrs="
      ]
    ),
    Same(
      name: "alloc that failed",
      meaning: meaning(.alloc, .bidirectional, dma: 0, size: 4096, address: 0),
      lines: [
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=0 size=4096 "
          + "virt_addr=0000000000000000 flags=GFP_KERNEL attrs=",
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=0 size=4096 virt_addr=(nil) "
          + "flags=GFP_KERNEL attrs=",
        "dma_alloc: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=0 size=4096 virt_addr=(null) "
          + "flags=GFP_KERNEL attrs=",
      ]
    ),
    Same(
      name: "alloc of a release candidate",
      meaning: meaning(
        .alloc,
        .bidirectional,
        dma: 0x123_4000,
        size: 4096,
        address: 0x9_0000,
        flags: .noDirection
      ),
      lines: [
        "dma_alloc: 0000:00:03.0 dma_addr=1234000 size=4096 phys_addr=90000 flags=GFP_KERNEL attrs="
      ]
    ),
    Same(
      name: "free",
      meaning: meaning(
        .free,
        .bidirectional,
        dma: 0x6f5_3000,
        size: 64,
        address: 0xff11_0000_05e6_5000
      ),
      lines: [
        "dma_free: 0000:00:03.0 dir=BIDIRECTIONAL dma_addr=6f53000 size=64 "
          + "virt_addr=ff11000005e65000 attrs="
      ]
    ),
    Same(
      name: "alloc_sgt",
      meaning: meaning(
        .allocSGTable,
        .fromDevice,
        dma: 0x663_0000,
        size: 32768,
        entries: (2, 0),
        physical: [0x663_0000, 0x664_0000]
      ),
      lines: [
        "dma_alloc_sgt: 0000:00:03.0 dir=FROM_DEVICE dma_addr=6630000 size=32768 "
          + "phys_addrs={0x6630000,0x6640000} flags=GFP_KERNEL attrs=",
        "dma_alloc_sgt: [FAILED TO PARSE] device=0000:00:03.0 "
          + "phys_addrs=ARRAY[00, 00, 63, 06, 00, 00, 00, 00, 00, 00, 64, 06, 00, 00, 00, 00] "
          + "dma_addr=0x6630000 size=32768 flags=3264 dir=2 attrs=0x0",
      ]
    ),
    Same(
      name: "free_sgt",
      meaning: meaning(
        .freeSGTable,
        .fromDevice,
        dma: 0x663_0000,
        size: 32768,
        entries: (1, 0),
        physical: [0x663_0000]
      ),
      lines: [
        "dma_free_sgt: 0000:00:03.0 dir=FROM_DEVICE dma_addr=6630000 size=32768 "
          + "phys_addrs={0x6630000}"
      ]
    ),
    Same(
      name: "alloc_sgt_err",
      meaning: meaning(.allocSGTableError, .toDevice, dma: 0, size: 8192, address: 0),
      lines: [
        "dma_alloc_sgt_err: 0000:00:03.0 dir=TO_DEVICE dma_addr=0 size=8192 "
          + "virt_addr=0000000000000000 flags=GFP_KERNEL attrs="
      ]
    ),
    Same(
      name: "map_sg",
      meaning: meaning(
        .mapSG,
        .toDevice,
        dma: 0xffff_e000,
        size: 0x2000,
        entries: (2, 1),
        addresses: [0xffff_e000],
        lengths: [0x2000],
        physical: [0x1_0a2b_3000, 0x1_0a2b_5000]
      ),
      lines: [
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE dma_addrs={0xffffe000} sizes={0x2000} "
          + "phys_addrs={0x10a2b3000,0x10a2b5000} attrs=",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=2/2 ents=1/1 dma_addrs={0xffffe000} "
          + "sizes={0x2000} phys_addrs={0x10a2b3000,0x10a2b5000} attrs=",
        "dma_map_sg: phys_addrs={0x10a2b3000,0x10a2b5000} device=0000:00:03.0 sizes={0x2000} "
          + "dma_addrs={0xffffe000} attrs=0x0 dir=TO_DEVICE",
        "dma_map_sg: \(raw)dir=1 attrs=0x0",
      ]
    ),
    Same(
      name: "map_sg, truncated",
      meaning: meaning(
        .mapSG,
        .toDevice,
        dma: 0xffff_e000,
        size: 0x2000,
        flags: .truncated,
        entries: (300, 200),
        addresses: [0xffff_e000],
        lengths: [0x2000],
        physical: [0x1_0a2b_3000]
      ),
      lines: [
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/300 ents=1/200 [TRUNCATED] "
          + "dma_addrs={0xffffe000} sizes={0x2000} phys_addrs={0x10a2b3000} attrs=",
        "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/300 ents=1/200 "
          + "dma_addrs={0xffffe000} sizes={0x2000} phys_addrs={0x10a2b3000} attrs=",
        "dma_map_sg: [FAILED TO PARSE] device=0000:00:03.0 full_nents=300 full_ents=200 "
          + "truncated=1 phys_addrs=ARRAY[00, 30, 2b, 0a, 01, 00, 00, 00] "
          + "dma_addrs=ARRAY[00, e0, ff, ff, 00, 00, 00, 00] lengths=ARRAY[00, 20, 00, 00] "
          + "dir=1 attrs=0x0",
      ]
    ),
    Same(
      name: "map_sg_err",
      meaning: meaning(.mapSGError, .toDevice, entries: (2, 0), physical: [0x1000, 0x2000]),
      lines: [
        "dma_map_sg_err: 0000:00:03.0 dir=TO_DEVICE dma_addrs={0x1000,0x2000} err=-5 attrs=",
        "dma_map_sg_err: [FAILED TO PARSE] device=0000:00:03.0 "
          + "phys_addrs=ARRAY[00, 10, 00, 00, 00, 00, 00, 00, 00, 20, 00, 00, 00, 00, 00, 00] "
          + "err=-5 dir=1 attrs=0x0",
      ]
    ),
    Same(
      name: "unmap_sg",
      meaning: meaning(
        .unmapSG,
        .toDevice,
        entries: (2, 0),
        physical: [0x1_0a2b_3000, 0x1_0a2b_5000]
      ),
      lines: [
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x10a2b3000,0x10a2b5000} attrs=",
        "dma_unmap_sg:         [FAILED TO PARSE] device=0000:00:03.0 "
          + "addrs=ARRAY[00, 30, 2b, 0a, 01, 00, 00, 00, 00, 50, 2b, 0a, 01, 00, 00, 00] "
          + "dir=1 attrs=0x0",
      ]
    ),
    Same(
      name: "sync_single",
      meaning: meaning(.syncSingleForCPU, .fromDevice, dma: 0x72f_0000, size: 256),
      lines: [
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr=72f0000 size=256",
        "dma_sync_single_for_cpu: device=0000:00:03.0 dma_addr=72f0000 size=256 dir=2",
      ]
    ),
    Same(
      name: "sync_sg",
      meaning: meaning(
        .syncSGForDevice,
        .fromDevice,
        dma: 0x732_0000,
        size: 0x13e8,
        entries: (2, 2),
        addresses: [0x732_0000, 0x733_0000],
        lengths: [0x1000, 0x3e8]
      ),
      lines: [
        "dma_sync_sg_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addrs={0x7320000,0x7330000} "
          + "sizes={0x1000,0x3e8}",
        "dma_sync_sg_for_device: [FAILED TO PARSE] device=0000:00:03.0 "
          + "dma_addrs=ARRAY[00, 00, 32, 07, 00, 00, 00, 00, 00, 00, 33, 07, 00, 00, 00, 00] "
          + "lengths=ARRAY[00, 10, 00, 00, e8, 03, 00, 00] dir=2",
      ]
    ),
    Same(
      name: "lists of nothing",
      meaning: meaning(.unmapSG, .toDevice),
      lines: [
        "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={} attrs=",
        "dma_unmap_sg: device=0000:00:03.0 addrs=ARRAY[] dir=1 attrs=0x0",
      ]
    ),
    Same(
      name: "lists that option fields does not print",
      meaning: meaning(.unmapSG, .toDevice, flags: .truncated),
      lines: [
        "dma_unmap_sg: device=0000:00:03.0 addrs=0x100050 (1048656) dir=0x1 (1) attrs=0x0 (0)"
      ]
    ),
    Same(
      name: "a device with blanks in its name",
      meaning: meaning(
        .unmapPage,
        .fromDevice,
        dma: 0x1000,
        size: 1,
        device: "Fixed MDIO bus.0"
      ),
      lines: [
        "dma_unmap_page: Fixed MDIO bus.0 dir=FROM_DEVICE dma_addr=1000 size=1 attrs=",
        "dma_unmap_page: device=Fixed MDIO bus.0 addr=1000 size=1 dir=2 attrs=0x0",
      ]
    ),
    Same(
      name: "a direction that is none",
      meaning: meaning(.unmapPage, .bidirectional, dma: 0x1000, size: 1, flags: .noDirection),
      lines: ["dma_unmap_page: 0000:00:03.0 dir=0x7 dma_addr=1000 size=1 attrs="]
    ),
  ]

  @Test(arguments: groups)
  func sameMeaning(_ group: Same) {
    for line in group.lines {
      let reading = Reading(Self.prefix + line + "\n")
      #expect(reading.summary.malformed.map(\.reason) == [], "\(line)")
      #expect(reading.events.map(\.meaning) == [group.meaning], "\(line)")
    }
  }

  /// The last line of a file without a line end counts when it is complete.
  @Test(arguments: groups)
  func withoutLineEnd(_ group: Same) {
    for line in group.lines where !line.contains("NO_SUCH_FLAG") {
      let reading = Reading(Self.prefix + line)
      #expect(reading.events.map(\.meaning) == [group.meaning], "\(line)")
      #expect(!reading.summary.cutOff)
    }
  }
}
