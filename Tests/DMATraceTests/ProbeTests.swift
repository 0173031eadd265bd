// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Events that are not of the `dma:` system.
@Suite struct ProbeTests {
  static let prefix = PayloadTests.prefix

  private func one(_ line: String) -> Seen? {
    let reading = Reading(Self.prefix + line + "\n")
    #expect(reading.summary.malformed.map(\.reason) == [], "\(line)")
    #expect(reading.events.count == 1, "\(line)")
    return reading.events.first
  }

  @Test(arguments: [
    ("debug_dma_map_phys+0x4f/0x2a0", DMAEvent.HookCaller.mapping),
    ("debug_dma_map_page+0x4f/0x100", .mapping),
    ("debug_dma_map_sg+0x4f/0x100", .mapping),
    ("check_unmap+0x55f/0x910", .failedUnmap),
    ("check_unmap.isra.0+0x55f/0x910", .failedUnmap),
    ("check_unmapped+0x55f/0x910", .driver),
    ("run_line+0x357/0x1630 [dmax]", .driver),
    ("0xffffffff8118f0d0", .absent),
  ])
  func mappingError(_ caller: String, _ expected: DMAEvent.HookCaller) {
    for name in ["dma_mapping_error", "my_own_name"] {
      let seen = one(
        "\(name): (debug_dma_mapping_error+0x4/0xa0) device=\"0000:00:03.0\" "
          + "dma_addr=0x76f0000 caller=\(caller)"
      )
      #expect(seen?.kind == .mappingError)
      #expect(seen?.device == "0000:00:03.0")
      #expect(seen?.event.dmaAddress == 0x76f_0000)
      #expect(seen?.event.caller == expected)
      #expect(seen?.site == caller)
    }
  }

  @Test func mappingErrorWithoutCaller() {
    for line in [
      "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"nvme0\" dma_addr=0x1000",
      "dma_mapping_error:   (ffffffff8118f0d0) dma_addr=0x1000 device=\"nvme0\"",
      "probe:dma_mapping_error: (ffffffff8118f0d0) device=nvme0 dma_addr=4096",
    ] {
      let seen = one(line)
      #expect(seen?.event.caller == .absent)
      #expect(seen?.event.dmaAddress == 0x1000)
      #expect(seen?.device == "nvme0")
      #expect(seen?.site == "?")
    }
  }

  @Test func busNotify() {
    for line in [
      "bus_notify: (dma_debug_device_change+0x4/0x1d0) action=6 device=\"0000:00:06.0\"",
      "dma_debug_device_change: (ffffffff8118f0d0) device=\"0000:00:06.0\" action=0x6",
      "p: (dma_debug_device_change+0x4/0x1d0) other=(fault) action=6 device=\"0000:00:06.0\"",
    ] {
      let seen = one(line)
      #expect(seen?.kind == .busNotify)
      #expect(seen?.event.address == 6)
      #expect(seen?.device == "0000:00:06.0")
    }
  }

  @Test func driverProbe() {
    let seen = one("p1: (really_probe+0x0/0x2a0) device=\"cpu0\" driver=\"i8042 kbd\"")
    #expect(seen?.kind == .driverProbe)
    #expect(seen?.driver == "i8042 kbd")
    #expect(seen?.device == "cpu0")
    let fault = one("driver_probe: (really_probe+0x0/0x2a0) device=\"cpu0\" driver=(fault)")
    #expect(fault?.driver == "?")
    let unknown = one("driver_probe: (really_probe+0x0/0x2a0) device=(fault) driver=\"x\"")
    #expect(unknown?.event.device == .unknown)
  }

  @Test func quotesInsideOfNames() {
    let seen = one("p1: (really_probe+0x0/0x2a0) device=\"a \"b\" c\" driver=\"d\"e\"")
    #expect(seen?.device == "a \"b\" c")
    #expect(seen?.driver == "d\"e")
  }

  @Test func driverUnbind() {
    let seen = one("p2: (device_unbind_cleanup+0x0/0x70) device=\"0000:00:06.0\"")
    #expect(seen?.kind == .driverUnbind)
    #expect(seen?.device == "0000:00:06.0")
  }

  @Test func otherProbesAreForeign() {
    for line in [
      "p_dma_map: (dma_map_page_attrs+0x0/0x2a0) dev=0xffff888100b2d0c8 size=0x1000",
      "r_dma_map: (e1000_alloc_rx_buffers+0x1c4/0x3e0 <- dma_map_page_attrs) ret=0xfffff000",
      "r: (caller+0x1c4/0x3e0 <- really_probe) ret=0x0",
      "p: (really_probe_again+0x0/0x10) device=\"x\"",
      "sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=dd",
      "map: something=1",
      "vfs_read <-ksys_read",
    ] {
      let reading = Reading(Self.prefix + line + "\n")
      #expect(reading.events.isEmpty, "\(line)")
      #expect(reading.summary.foreignEvents == 1, "\(line)")
      #expect(reading.summary.malformedLines == 0, "\(line)")
    }
  }

  @Test(arguments: [
    "tracing_mark_write: dma-api: write driver_filter  ",
    "print:                tracing_mark_write: dma-api: write driver_filter  ",
    "print:                0xffffffff81498b1a: dma-api: write driver_filter  ",
    "print:                ffffffff81498b1a: dma-api: write driver_filter  ",
    "0xffffffff81498b1a: dma-api: write driver_filter  ",
    "print:                 ip=0xffffffff81498b1a buf=dma-api: write driver_filter  ",
    "ftrace:print: tracing_mark_write: dma-api: write driver_filter  ",
  ])
  func marker(_ line: String) {
    for end in ["\n", "\r\n", ""] {
      let reading = Reading(Self.prefix + line + end)
      #expect(reading.events.map(\.kind) == [.marker])
      #expect(reading.events.first?.text == "dma-api: write driver_filter  ")
    }
  }

  @Test func markersKeepTheirBlanksAndMayBeEmpty() {
    #expect(one("tracing_mark_write:   two blanks first")?.text == "  two blanks first")
    #expect(one("tracing_mark_write: ")?.text == "")
    #expect(one("tracing_mark_write: dma_map_page: x [000] 1.5: y")?.kind == .marker)
  }

  @Test func swiotlb() {
    for line in [
      "swiotlb_bounced: dev_name: 0000:00:06.0 dma_mask=ffffffffffffffff dev_addr=62e0000 "
        + "size=4096 FORCE",
      "swiotlb:swiotlb_bounced: dev_name: 0000:00:06.0 dma_mask=ffffffff dev_addr=62e0000 "
        + "size=4096 NORMAL",
      "swiotlb_bounced:       dev_name=0000:00:06.0 dma_mask=ffffffff dev_addr=62e0000 "
        + "size=4096 force=0",
    ] {
      let seen = one(line)
      #expect(seen?.kind == .swiotlbBounced)
      #expect(seen?.device == "0000:00:06.0")
      #expect(seen?.event.dmaAddress == 0x62e_0000)
      #expect(seen?.event.size == 4096)
    }
  }

  @Test func understoodButIdle() {
    for line in [
      "map: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 paddr=0x000000010a2b3000 size=4096",
      "iommu:unmap: IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 size=1 unmapped_size=1",
    ] { #expect(one(line)?.kind == .other, "\(line)") }
  }

  @Test func probesInOtherDialects() {
    let reading = Reading(
      """
      really_probe: (really_probe+0x0/0x2a0) device="a" driver="b"
      mine: (really_probe+0x0/0x2a0) device="a" driver="b"
      tracing_mark_write: hello

      """
    )
    #expect(reading.events.map(\.kind) == [.driverProbe, .driverProbe, .marker])
  }
}
