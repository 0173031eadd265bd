// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMATrace

/// Kernel logs of every tool and generation.
@Suite struct LogTests {
  static func records(_ bytes: [UInt8]) throws -> (records: [LogRecord], reader: LogReader) {
    var reader = LogReader(bytes: bytes, name: "log")
    var records: [LogRecord] = []
    while let record = try reader.next() { records.append(record) }
    return (records, reader)
  }

  static func records(_ text: String) throws -> [LogRecord] {
    try records(Array(text.utf8)).records
  }

  private static func fixture(_ name: String) throws -> [LogRecord] {
    try records(try #require(Fixtures.bytes("\(Fixtures.root)/fixtures/logs/\(name)"))).records
  }

  private static let words =
    "device driver frees DMA memory with different size [device address=0x000000002f840000] "
    + "[map size=1500 bytes] [unmap size=1400 bytes]"
  private static let message = "DMA-API: alpha beta 0000:00:03.0: " + words

  // MARK: Prefixes

  @Test(arguments: [
    "[    4.632287] ", "<4>[    4.632287] ", "kern  :warn  : [    4.632287] ",
    "[    4.632287][    T1] ", "[    4.632287] [  T123] ", "[    4.632287][    C0] ",
    "Nov 21 04:34:50 host kernel: [    4.632287] ",
    "2026-11-21T04:34:50.123456+00:00 host kernel: [    4.632287] ",
    "[    4.632287] host kernel: ", "[    4.632287] kernel: ", "kernel: [    4.632287] ",
    "[2026-11-21 04:34:50] [    4.632287] ", "ttyS0> [    4.632287] ",
  ])
  func stampsOfTheKernel(_ prefix: String) throws {
    let record = try #require(try Self.records(prefix + Self.message + "\n").first)
    #expect(record.time == 4_632_287_000)
    #expect(record.kind == .report(.freeDifferentSize))
    #expect(record.driver == "alpha beta")
    #expect(record.device == "0000:00:03.0")
    #expect(record.message == Self.words)
    #expect(record.line == 1)
  }

  @Test(arguments: [
    ("[Sat Nov 21 04:34:50 2026] ", 1_795_235_690_000_000_000 as UInt64?),
    ("2026-11-21T04:34:50,250000+00:00 ", 1_795_235_690_250_000_000),
    ("2026-11-21T06:34:50+0200 host kernel: ", 1_795_235_690_000_000_000),
    ("2026-11-21T04:34:50.000001-00:00 host kernel: ", 1_795_235_690_000_001_000),
    ("Sat 2026-11-21 04:34:50 UTC host kernel: ", 1_795_235_690_000_000_000),
    ("1795235690.250000 host kernel: ", 1_795_235_690_250_000_000),
    ("Nov 21 04:34:50 host kernel: ", 0), ("Nov 21 04:34:50.123456 host kernel: ", 0),
    ("<4>", nil), ("", nil), ("[+0.000012] ", nil),
  ])
  func dates(_ prefix: String, _ time: UInt64?) throws {
    let record = try #require(try Self.records(prefix + Self.message + "\n").first)
    #expect(record.wallTime == time)
    #expect(record.message == Self.words)
    #expect(record.driver == "alpha beta")
  }

  @Test func lineEndsOfAllKinds() throws {
    for end in ["\n", "\r\n", "\r\r\n", "", "\0\n"] {
      #expect(try Self.records("[    4.632287] " + Self.message + end).first?.message == Self.words)
    }
    // A second message in one line, of another CPU.
    let both = try Self.records("[    1.000000] usb 1-1: new\r[    4.632287] \(Self.message)\n")
    #expect(both.map(\.time) == [4_632_287_000])
    let glued = try Self.records("[    1.000000] usb 1-1: [    4.632287] \(Self.message)\n")
    #expect(glued.map(\.message) == [Self.words])
  }

  @Test func journalsAsJSON() throws {
    let text = #"""
      {"__REALTIME_TIMESTAMP":"1795235690000000","__MONOTONIC_TIMESTAMP":"9000000","_SOURCE_MONOTONIC_TIMESTAMP":"4632287","_TRANSPORT":"kernel","MESSAGE":"DMA-API: alpha 0000:00:03.0: device driver maps memory from stack [addr=00000000aa217c54]"}
      {"_TRANSPORT":"stdout","MESSAGE":"DMA-API: x y: device driver maps memory from stack [addr=1]"}
      {"MESSAGE":[68,77,65,45,65,80,73,58,32,97,32,98,58,32,100,101,118,105,99,101,32,100,114,105,118,101,114,32,109,97,112,115,32,109,101,109,111,114,121,32,102,114,111,109,32,115,116,97,99,107,7],"__MONOTONIC_TIMESTAMP":"5000001","X":["a","b"],"_TRANSPORT":"kernel"}
      {"__MONOTONIC_TIMESTAMP" : "5000001", "MESSAGE" : "DMA-API: p\u0031 0000:00:03.0: device driver has pending DMA allocations while released from device [count=2]\nOne of leaked entries details: [device address=0x00000000094aa000] [size=4096 bytes] [mapped with DMA_BIDIRECTIONAL] [mapped as coherent]", "N":null}
      """#
    let (records, reader) = try Self.records(Array(text.utf8))
    #expect(records.map(\.line) == [1, 3, 4])
    #expect(records.first?.time == 4_632_287_000)
    #expect(records.first?.wallTime == 1_795_235_690_000_000_000)
    #expect(records.first?.kind == .report(.mapsStack))
    #expect(records.last?.driver == "p1")
    #expect(records.last?.values.count == 2)
    #expect(records.last?.values.mappedType == .coherent)
    #expect(reader.summary.dialect == "kernel log (journal, JSON)")
    #expect(records.map(\.device) == ["0000:00:03.0", "b", "0000:00:03.0"])
    #expect(records.map(\.time) == [4_632_287_000, 5_000_001_000, 5_000_001_000])
  }

  // MARK: Generations

  @Test func namesBeforeAndBehindTheTag() throws {
    let old = try #require(
      try Self.records(
        "[    9.075226] dwc_otg bcm2708_usb: DMA-API: device driver maps memory from stack "
          + "[addr=aa217c54]\n"
      ).first
    )
    #expect(old.kind == .report(.mapsStack))
    #expect(old.driver == "dwc_otg")
    #expect(old.device == "bcm2708_usb")
    #expect(
      old.normalised
        == "DMA-API: dwc_otg bcm2708_usb: device driver maps memory from stack [addr=aa217c54]"
    )
    let colon = try #require(
      try Self.records(
        "DMA-API: a: b 1e670000.x: y: mapping sg segment longer than device claims to "
          + "support [len=9] [max=8]\n"
      ).first
    )
    #expect(colon.kind == .report(.segmentTooLong))
    #expect(colon.device == "y" && colon.driver == "a: b 1e670000.x:")
  }

  @Test func misspeltAndShiftedTypes() throws {
    func mapped(_ words: String, _ tag: String) throws -> (String?, String) {
      let text =
        tag + "device driver frees DMA memory with wrong function "
        + "[device address=0x0000000000001000] [size=8 bytes] \(words)\n"
      let record = try #require(try Self.records(text).first)
      return (
        record.values.mappedType?.kernelName.description,
        String(record.message.split(separator: "bytes] ")[1])
      )
    }
    let new = "DMA-API: a b: "
    #expect(
      try mapped("[mapped as scather-gather] [unmapped as coherent]", new)
        == ("scatter-gather", "[mapped as scatter-gather] [unmapped as coherent]")
    )
    // `page` behind the newer prefix: 5.0 … 5.6, where each name is that of the type before.
    #expect(
      try mapped("[mapped as page] [unmapped as coherent]", new)
        == ("scatter-gather", "[mapped as scatter-gather] [unmapped as resource]")
    )
    #expect(
      try mapped("[mapped as page] [unmapped as coherent]", "a b: DMA-API: ")
        == ("single", "[mapped as single] [unmapped as coherent]")
    )
  }

  @Test func valuesOfMessages() throws {
    let doubled = try #require(
      try Self.records(
        "DMA-API: a b: device driver frees DMA memory with different CPU address "
          + "[device address=0x0000000000001000] [size=8 bytes] "
          + "[cpu alloc address=0x0x0000000000001000] [cpu free address=0x0x0000000000002000]\n"
      ).first
    )
    #expect(doubled.kind == .report(.freeDifferentCPUAddress))
    #expect(doubled.values.dmaAddress == 0x1000)
    let glued = try #require(
      try Self.records(
        "DMA-API: a b: device driver failed to check map error[device address=0x0000000000001000] "
          + "[size=8 bytes] [mapped as single]WARNING: CPU: 0 PID: 1 at x\n"
      ).first
    )
    #expect(glued.message.hasSuffix("[mapped as single]"))
    #expect(glued.values.mappedType == .single)
    let grown = try #require(
      try Self.records("DMA-API: dma_debug_entry pool grown to 131072 (200%)\n").first
    )
    #expect(grown.kind == .report(.poolGrown))
    #expect(grown.values.count == 131_072)
    #expect(grown.device == nil)
    let end = try Self.records(
      "DMA-API: debugging out of memory - disabling\nDMA-API: cacheline tracking ENOMEM, dma-debug "
        + "disabled\nDMA-API: exceeded 7 overlapping mappings of cacheline 0x0000000000243c00\n"
        + "DMA-API: preallocated 65536 debug entries\n"
    )
    #expect(
      end.map(\.kind) == [
        .report(.outOfMemory), .trackingOutOfMemory, .report(.exceededOverlap), .note,
      ]
    )
    let touch = try Self.records(
      "mlx4_core 0000:00:07.0: DMA-API: cpu touching an active dma mapped cacheline "
        + "[cln=0x000000001f405880]\n"
    )
    #expect(touch.first?.kind == .cpuTouch)
    #expect(touch.first?.device == "0000:00:07.0")
  }

  // MARK: Blocks

  @Test(arguments: [
    ("linux-6.1-bug-unmap-function.txt", "dmax_edu", "6.1.192-dmatest"),
    ("linux-6.12-bug-sync-direction.txt", "dmax_edu", "6.12.117-dmatest"),
    ("linux-7.3-bug-unmap-function.txt", "dmax_edu", "7.3.4-dmatest"),
  ])
  func blocksOfRealKernels(_ name: String, _ driver: String, _ release: String) throws {
    let bytes = try #require(Fixtures.bytes("\(Fixtures.root)/fixtures/logs/\(name)"))
    let (all, reader) = try Self.records(bytes)
    #expect(reader.summary.kernelRelease == release)
    let records = all.filter { $0.kind != .note }
    #expect(records.count >= 5)
    for record in records {
      #expect(record.driver == driver)
      #expect(record.task == "init" && record.pid == 1)
      #expect(record.cpu != nil && record.time != nil)
      #expect(record.site?.hasPrefix("run_line+0x") == true, "\(record.stack)")
      #expect(record.site?.hasSuffix(" [dmax]") == true)
      #expect(record.stack.first?.hasPrefix("debug_dma_") == true)
      #expect(!record.stack.contains { $0.contains("_kstrtoull") }, "doubtful frames")
      guard record.kind != .report(.freeNotAllocated) else {
        #expect(record.mappedAt.isEmpty)
        continue
      }
      #expect(record.mappedAt.count == 5)
      #expect(record.mapSite?.hasPrefix("run_line+0x") == true)
      #expect(record.mappedType != nil)
    }
  }

  @Test func leaksHaveTwoLines() throws {
    let records = try Self.fixture("linux-6.12-bug-leak-on-unbind.txt").filter { $0.kind != .note }
    #expect(records.map(\.values.count) == [2, 1])
    #expect(records.map(\.values.mappedType) == [.coherent, .single])
    #expect(records.map(\.values.dmaAddress) == [0x94a_a000, 0x905_0000])
    #expect(records.map(\.driver) == ["pci", "pci"])
    #expect(records.allSatisfy { $0.message.contains("\nOne of leaked entries details: [device") })
    #expect(records.first?.site == "device_release_driver_internal+0x1db/0x220")
  }

  /// The WARNING line first, and frames as ARM prints them.
  @Test func blocksOfOtherMachines() throws {
    let text = """
      [    5.149278] ------------[ cut here ]------------
      [    5.149828] WARNING: CPU: 0 PID: 0 at kernel/dma/debug.c:973 check_unmap+0x1f8/0x9c4
      [    5.152714] DMA-API: ftgmac100 1e670000.ftgmac: device driver frees DMA memory with different size [device address=0x0000000081f7f8c2] [map size=1536 bytes] [unmap size=42 bytes]
      [    5.153883] CPU: 0 PID: 0 Comm: swapper/0 Not tainted 5.11.0-00002-g65303e260692 #14
      [    5.154692] Hardware name: Generic DT based system
      [    5.155353] Backtrace:
      [    5.155816] [<80867a20>] (dump_backtrace) from [<80867c74>] (show_stack+0x20/0x24)
      [    5.156449]  r7:00000009 r6:60000193 r5:00000000 r4:80c8fbb4
      [    5.158731] [<80868354>] (warn_slowpath_fmt) from [<8019f4fc>] (check_unmap+0x1f8/0x9c4)
      [    5.159378] [<8019f304>] (check_unmap) from [<8019fd6c>] (debug_dma_unmap_page+0xa4/0xb4)
      [    5.160000] [<8019fcc8>] (debug_dma_unmap_page) from [<80500000>] (ftgmac100_poll+0x1b0/0x6a4 [ftgmac100 1234abcd])
      [    5.161000] ---[ end trace 0123456789abcdef ]---
      [    5.162000] eth0: something of somebody else
      [    5.163000] Mapped at:
      [    5.164000]  [<ffffffff8143d6c0>] debug_dma_map_page+0x80/0x120
      [    5.165000]  ftgmac100_hard_start_xmit+0x10/0x20
      [    5.166000]  done
      """
    let record = try #require(try Self.records(text).first)
    #expect(record.line == 3)
    #expect(record.task == "swapper/0")
    #expect(record.pid == 0 && record.cpu == 0)
    #expect(
      record.stack == [
        "show_stack+0x20/0x24", "check_unmap+0x1f8/0x9c4", "debug_dma_unmap_page+0xa4/0xb4",
        "ftgmac100_poll+0x1b0/0x6a4 [ftgmac100]",
      ]
    )
    #expect(record.site == "ftgmac100_poll+0x1b0/0x6a4 [ftgmac100]")
    #expect(
      record.mappedAt == ["debug_dma_map_page+0x80/0x120", "ftgmac100_hard_start_xmit+0x10/0x20"]
    )
    #expect(record.mappedLine == 14)
    #expect(record.values.size == 42 && record.values.mappedSize == 1536)
  }

  /// Two CPUs at once: the callers tell the lines apart, and without them stacks are left out.
  @Test func interleavedBlocks() throws {
    func block(_ caller: String, _ device: String, _ function: String) -> [String] {
      [
        "------------[ cut here ]------------",
        "DMA-API: alpha \(device): device driver tries to free DMA memory it has not allocated "
          + "[device address=0x0000000000001000] [size=8 bytes]",
        "WARNING: CPU: 0 PID: 1 at kernel/dma/debug.c:984 check_unmap+0x3ac/0x920",
        "Call Trace:", " debug_dma_unmap_page+0x5b/0x60", " \(function)+0x1/0x20",
        "---[ end trace 0000000000000000 ]---",
      ].map { "[    1.000000]\(caller) \($0)" }
    }
    func interleaved(_ first: String, _ second: String) -> String {
      zip(block(first, "one", "first"), block(second, "two", "second"))
        .map { "\($0)\n\($1)\n" }.joined()
    }
    let apart = try Self.records(interleaved("[    T1]", "[    T2]"))
    #expect(apart.map(\.device) == ["one", "two"])
    #expect(apart.map(\.site) == ["first+0x1/0x20", "second+0x1/0x20"])
    #expect(apart.allSatisfy { !$0.isMixed })
    let mixed = try Self.records(interleaved("", ""))
    #expect(mixed.count == 2)
    #expect(Set(mixed.map(\.device)) == ["one", "two"])
    #expect(mixed.allSatisfy { $0.isMixed && $0.stack.isEmpty })
  }

  // MARK: Faults and bounce buffers

  @Test(arguments: [
    (
      "DMAR: [DMA Write NO_PASID] Request device [06:00.0] fault addr 0xbdf5f000 [fault reason 0x05] "
        + "PTE Write access is not set",
      "0000:06:00.0", 0xbdf5_f000 as UInt64, true as Bool?,
      "IOMMU fault: DMA write at 0x00000000bdf5f000, fault reason 5: PTE Write access is not set"
    ),
    (
      "DMAR: [DMA Read] Request device [00:02.0] PASID ffffffff fault addr 9c000000 "
        + "[fault reason 06] PTE Read access is not set",
      "0000:00:02.0", 0x9c00_0000, false,
      "IOMMU fault: DMA read at 0x000000009c000000, fault reason 6: PTE Read access is not set"
    ),
    (
      "kernel: DMAR: [DMA Read NO_PASID] Request device [0x00:0x02.0] fault addr 0x70ad5000 "
        + "[fault reason 0x07] Next page table ptr is invalid",
      "0000:00:02.0", 0x70ad_5000, false,
      "IOMMU fault: DMA read at 0x0000000070ad5000, fault reason 7: Next page table ptr is invalid"
    ),
    (
      "DMAR:[DMA Write] Request device [00:1f.2] fault addr bdf5f000 \n[    1.000001] "
        + "DMAR:[fault reason 05] PTE Write access is not set",
      "0000:00:1f.2", 0xbdf5_f000, true,
      "IOMMU fault: DMA write at 0x00000000bdf5f000, fault reason 5: PTE Write access is not set"
    ),
    (
      "nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 address=0xfc189000 "
        + "flags=0x0000]",
      "0000:01:00.0", 0xfc18_9000, false, "IOMMU fault: DMA read at 0x00000000fc189000, flags 0x0"
    ),
    (
      "AMD-Vi: Event logged [IO_PAGE_FAULT device=05:00.0 domain=0x0012 address=0x00000000ff6101b0 "
        + "flags=0x0070]",
      "0000:05:00.0", 0xff61_01b0, true, "IOMMU fault: DMA write at 0x00000000ff6101b0, flags 0x70"
    ),
    (
      "AMD-Vi: Event logged [\n[    1.000001] IO_PAGE_FAULT device=05:00.0 domain=0x0012 "
        + "address=0x00000000ff6101c0 flags=0x0070]",
      "0000:05:00.0", 0xff61_01c0, true, "IOMMU fault: DMA write at 0x00000000ff6101c0, flags 0x70"
    ),
    (
      "arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402, iova=0xfd7ff000, fsynr=0x540003, "
        + "cbfrsynra=0x19c3, cb=10",
      "15000000.iommu", 0xfd7f_f000, false,
      "IOMMU fault: DMA read at 0x00000000fd7ff000, stream 0x19c3"
    ),
    (
      "arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:00:01.0 sid: 0x8 ssid: 0x0 "
        + "iova: 0x1000 ipa: 0x0",
      "0000:00:01.0", 0x1000, nil, "IOMMU fault: F_TRANSLATION at 0x0000000000001000"
    ),
  ])
  func faults(
    _ line: String,
    _ device: String,
    _ address: UInt64,
    _ isWrite: Bool?,
    _ message: String
  ) throws {
    let records = try Self.records("[    1.000000] \(line)\n[    2.000000] other\n")
    #expect(records.count == 1)
    let record = try #require(records.first)
    #expect(record.kind == .iommuFault)
    #expect(record.device == device)
    #expect(record.values.dmaAddress == address)
    #expect(record.values.isWrite == isWrite)
    #expect(record.message == message)
    #expect(record.time == 1_000_000_000 || record.time == 1_000_001_000)
  }

  @Test func bounceBuffersAndWhatWasKeptBack() throws {
    let text = """
      [    1.000000] nvme 0000:00:06.0: swiotlb buffer is full (sz: 65536 bytes), total 32768 (slots), used 32760 (slots)
      [    1.000001] DMA: Out of SW-IOMMU space for 4096 bytes at device 0000:00:1d.0
      [    1.000002] dmar_fault: 893 callbacks suppressed
      [    1.000003] ** 12 printk messages dropped **
      [    1.000004] DMAR: DRHD: handling fault status reg 3
      [    1.000005] DMAR: IOMMU enabled
      [    1.000006] AMD-Vi: Interrupt remapping enabled
      """
    let (records, reader) = try Self.records(Array(text.utf8))
    #expect(records.map(\.kind) == [.swiotlbFull, .swiotlbFull])
    #expect(records.map(\.device) == ["0000:00:06.0", "0000:00:1d.0"])
    #expect(records.map(\.values.size) == [65536, 4096])
    #expect(reader.summary.lostEvents == 905)
    #expect(reader.timeRange == 1_000_000_000...1_000_006_000)
  }

  // MARK: Recognition

  @Test func kindsOfInputs() throws {
    func kind(_ text: String) -> CaptureFormat {
      Array(text.utf8).withUnsafeBufferPointer { CaptureFormat.detect($0) }
    }
    #expect(kind("[    0.000000] Linux version 6.1\n") == .log)
    #expect(kind("DMA-API: preallocated 65536 debug entries\n") == .log)
    #expect(kind("U-Boot 2026\nStarting kernel ...\n[    0.000000] Booting Linux\n") == .log)
    #expect(kind(#"{"MESSAGE":"x","_TRANSPORT":"kernel"}"# + "\n") == .log)
    #expect(kind("# tracer: nop\n#\n") == .text)
    #expect(kind("") == .text)
    #expect(kind("hello\n") == .text)
    #expect(kind("a 1.0: kernel\n") == .text)
    let line = "  init-1  [001] .....  3.565391: dma_unmap_page: 0000:00:03.0 dir=FROM_DEVICE\n"
    #expect(kind(line) == .text)
    // A marker may say anything.
    let marker = "  sh-1 [000] ..... 1.000000: tracing_mark_write: DMA-API: a b: [    1.000000] x\n"
    #expect(kind(marker + marker) == .text)
    for capture in KernelCase.all {
      let bytes = try #require(Fixtures.bytes(capture.trace))
      #expect(bytes.withUnsafeBufferPointer { CaptureFormat.detect($0) } == .text, "\(capture)")
      let log = try #require(Fixtures.bytes(capture.directory + "/log.txt"))
      #expect(log.withUnsafeBufferPointer { CaptureFormat.detect($0) } == .log, "\(capture)")
    }
  }

  // MARK: Hostile input

  @Test func truncationsAndFlips() throws {
    var generator = SeededGenerator(seed: 7)
    for name in Fixtures.list(Fixtures.root + "/fixtures/logs") {
      let bytes = try #require(Fixtures.bytes("\(Fixtures.root)/fixtures/logs/\(name)"))
      let whole = try Self.records(bytes).records.count
      for _ in 0..<200 {
        let cut = Int.random(in: 0...bytes.count, using: &generator)
        #expect(try Self.records(Array(bytes[..<cut])).records.count <= whole + 1)
      }
      for _ in 0..<60 {
        var broken = bytes
        for _ in 0..<40 {
          broken[Int.random(in: 0..<broken.count, using: &generator)] =
            UInt8.random(in: 0...255, using: &generator)
        }
        _ = try Self.records(broken)
        _ = try Capture.open(broken, name: "broken")
      }
    }
  }

  @Test func numbersAndLinesWithoutEnd() throws {
    let nines = String(repeating: "9", count: 400)
    let lines = [
      "[\(nines).\(nines)] DMA-API: a b: device driver maps memory from stack",
      "[    1.000000][T\(nines)] DMA-API: x", "WARNING: CPU: \(nines) PID: \(nines) at x",
      "CPU: \(nines) PID: -\(nines) Comm: a Tainted: x #",
      "WARNING: a at b, CPU#\(nines): x/\(nines)",
      "DMA-API: a b: device driver frees DMA memory with different size [size=\(nines) bytes]",
      "DMA-API: dma_debug_entry pool grown to \(nines)", "DMAR: fault addr 0x\(nines)",
      "DMAR: [DMA Read] Request device [] fault addr  [fault reason ] ",
      "AMD-Vi: Event logged [IO_PAGE_FAULT address=]", "\(nines)-11-21T00:00:00 x", "<\(nines)>",
      "DMA-API: \(String(repeating: ": ", count: 5000))", "DMA-API: [", "DMA-API: ", "[", "{",
      "{\"",
      #"{"MESSAGE":"\ud800\udc00\ud800x"}"#, #"{"MESSAGE":[300,-1,"a",x]}"#, #"{"MESSAGE":"\"#,
    ]
    for line in lines { _ = try Self.records(line + "\n" + line) }
    _ = try Self.records(lines.joined(separator: "\n"))
    // A line of several megabytes is not kept.
    var long = Array(("[    1.000000] " + Self.message + " ").utf8)
    long += [UInt8](repeating: 0x61, count: 3 << 20)
    long += Array(("\n[    2.000000] " + Self.message + "\n").utf8)
    let records = try Self.records(long).records
    #expect(records.map(\.line) == [1, 2])
    #expect(records.allSatisfy { $0.message.utf8.count <= 4096 })
  }

  /// Open blocks of many callers are bounded.
  @Test func manyCallers() throws {
    var text = ""
    for caller in 0..<2000 {
      text += "[    1.000000][T\(caller)] ------------[ cut here ]------------\n"
      text += "[    1.000000][T\(caller)] DMA-API: a b\(caller): cacheline tracking EEXIST, x\n"
    }
    #expect(try Self.records(text).count == 2000)
  }
}
