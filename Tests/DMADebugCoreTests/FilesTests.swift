// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

/// The virtual files, the pool and the switches around the checks.
@Suite struct FilesTests {
  private let names = TraceNames()
  private let batch = EventBatch()

  /// An engine and what it says.
  @dynamicMemberLookup
  private struct Machine {
    var engine: DMADebug
    var output = EngineOutput(.reports)

    subscript<Value>(dynamicMember member: KeyPath<DMADebug, Value>) -> Value {
      engine[keyPath: member]
    }

    mutating func apply(_ event: DMAEvent, in batch: EventBatch, names: TraceNames) {
      engine.apply(event, in: batch, names: names, to: &output)
    }

    mutating func write(_ file: VirtualFile, _ value: [UInt8]) -> WriteError? {
      engine.write(file, value, to: &output)
    }
  }

  private func engine(_ change: (inout Configuration) -> Void = { _ in }) -> Machine {
    var configuration = Configuration(generation: .linux612)
    configuration.isComplete = true
    change(&configuration)
    return Machine(engine: DMADebug(configuration))
  }

  private func map(_ address: UInt64) -> DMAEvent {
    var event = DMAEvent(.mapPage)
    event.device = DeviceID(rawValue: 2)
    event.direction = .toDevice
    event.dmaAddress = address
    event.address = address
    event.size = 64
    return event
  }

  private func read(_ machine: Machine, _ file: VirtualFile) -> String {
    String(decoding: machine.engine.read(file, names: names), as: UTF8.self)
  }

  /// What was said since the last call.
  private func log(_ machine: inout Machine) -> [String] {
    defer { machine.output.clear() }
    return machine.output.reports.map { report in
      var text = TextBuffer()
      KernelMessage.append(report, names, .linux612, to: &text)
      return String(text.string.dropLast())
    }
  }

  @Test func filesBeginAsInTheKernel() {
    let engine = engine()
    let contents = Dictionary(
      uniqueKeysWithValues: VirtualFile.allCases.map { ($0.rawValue, read(engine, $0)) }
    )
    #expect(
      contents == [
        "all_errors": "0\n", "disabled": "N\n", "driver_filter": "", "dump": "",
        "error_count": "0\n", "min_free_entries": "65536\n", "nr_total_entries": "65536\n",
        "num_errors": "1\n", "num_free_entries": "65536\n",
        "bufinfo": "\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     "
          + "\tname\n\nTotal 0 objects, 0 bytes\n",
      ]
    )
  }

  @Test(arguments: [
    ("1", "1\n"), ("0x10", "16\n"), ("010", "8\n"), (" 7\n", "7\n"), ("+3", "3\n"),
    ("4294967295", "4294967295\n"),
  ])
  func numbersAreWrittenInEveryBase(_ value: String, _ shown: String) {
    var engine = engine()
    #expect(engine.write(.allErrors, Array(value.utf8)) == nil)
    #expect(read(engine, .allErrors) == shown)
  }

  @Test(arguments: ["", "-1", "x", "1 2", "09", "0x", "0xg", "1e3"])
  func whatIsNoNumberIsRefused(_ value: String) {
    var engine = engine()
    #expect(engine.write(.numErrors, Array(value.utf8)) == .invalidArgument)
    #expect(read(engine, .numErrors) == "1\n")
  }

  @Test func tooLargeNumbersAreRefused() {
    var engine = engine()
    for value in ["4294967296", "0x100000000", "99999999999999999999999"] {
      #expect(engine.write(.numErrors, Array(value.utf8)) == .numericalResultOutOfRange)
    }
  }

  @Test func readOnlyFilesAreRefusedAsTheKernelRefusesThem() {
    var engine = engine()
    for file in [VirtualFile.errorCount, .minFreeEntries, .nrTotalEntries, .numFreeEntries] {
      #expect(engine.write(file, Array("1".utf8)) == .permissionDenied)
    }
    for file in [VirtualFile.disabled, .dump, .bufinfo] {
      #expect(engine.write(file, Array("1".utf8)) == .invalidArgument)
    }
  }

  @Test func theFilterTakesOneWordOf63Characters() {
    var engine = engine()
    #expect(engine.write(.driverFilter, Array(" ".utf8)) == nil)
    #expect(log(&engine).isEmpty)
    #expect(engine.write(.driverFilter, Array("nvme rest\n".utf8)) == nil)
    #expect(read(engine, .driverFilter) == "nvme\n")
    let long = String(repeating: "a", count: 100)
    #expect(engine.write(.driverFilter, Array(long.utf8)) == nil)
    #expect(read(engine, .driverFilter) == String(repeating: "a", count: 63) + "\n")
    #expect(engine.write(.driverFilter, Array("\n".utf8)) == nil)
    #expect(read(engine, .driverFilter) == "")
    #expect(
      log(&engine) == [
        "DMA-API: enable driver filter for driver [nvme]",
        "DMA-API: enable driver filter for driver [\(String(repeating: "a", count: 63))]",
        "DMA-API: switching off dma-debug driver filter",
      ]
    )
  }

  @Test func thePoolGrowsByAPageAndSaysSoAtEachMultiple() {
    var engine = engine { $0.entries = 40 }
    #expect(read(engine, .nrTotalEntries) == "64\n")
    for number in 0..<200 as Range<UInt64> {
      engine.apply(map(number << 12), in: batch, names: names)
    }
    #expect(
      log(&engine) == [
        "DMA-API: dma_debug_entry pool grown to 96 (200%)",
        "DMA-API: dma_debug_entry pool grown to 128 (300%)",
        "DMA-API: dma_debug_entry pool grown to 160 (400%)",
        "DMA-API: dma_debug_entry pool grown to 224 (500%)",
      ]
    )
    #expect(read(engine, .nrTotalEntries) == "224\n")
    #expect(read(engine, .numFreeEntries) == "24\n")
    #expect(read(engine, .minFreeEntries) == "0\n")
  }

  @Test func withoutMemoryEverythingIsDisabledForGood() {
    var engine = engine {
      $0.entries = 32
      $0.maximumEntries = 64
    }
    for number in 0..<70 as Range<UInt64> {
      engine.apply(map(number << 12), in: batch, names: names)
    }
    #expect(
      log(&engine) == [
        "DMA-API: dma_debug_entry pool grown to 64 (200%)",
        "DMA-API: debugging out of memory - disabling",
      ]
    )
    #expect(read(engine, .disabled) == "Y\n")
    #expect(engine.liveCount == 64)
    var unmap = map(0)
    unmap.kind = .unmapPage
    engine.apply(unmap, in: batch, names: names)
    #expect(engine.liveCount == 64)
  }

  @Test func switchedOffItCountsNothing() {
    var engine = engine { $0.isOff = true }
    engine.apply(map(0), in: batch, names: names)
    #expect(engine.liveCount == 0)
    #expect(read(engine, .disabled) == "Y\n")
    for file in [VirtualFile.minFreeEntries, .nrTotalEntries, .numFreeEntries] {
      #expect(read(engine, file) == "0\n")
    }
    var text = TextBuffer()
    KernelMessage.startUp(engine.configuration, &text)
    #expect(text.string == "DMA-API: debugging disabled on kernel command line\n")
  }

  @Test func errorsAreGated() {
    var engine = engine { $0.numErrors = 2 }
    var sync = map(0x5000)
    sync.kind = .syncSingleForCPU
    var printed: [Bool] = []
    for _ in 0..<4 {
      engine.apply(sync, in: batch, names: names)
      printed += engine.output.reports.map(\.isPrinted)
      engine.output.clear()
    }
    #expect(printed == [true, true, false, false])
    #expect(engine.errorCount == 4)
    #expect(engine.numErrors == 0)
  }

  @Test(arguments: [
    ("6.12", "single", "P=0x0000000000001000 D=1000"),
    ("6.12.47", "single", "P=1000 N=1 D=1000"),
    ("6.13.2", "single", "P=0x0000000000001000 D=1000"),
    ("6.18", "phy", "P=0x0000000000001000 D=1000"), ("7.3.4-rc1", "phy", " attrs=0x0\n"),
  ])
  func generationsAreSetsOfFeatures(_ version: String, _ type: String, _ part: String) throws {
    let generation = try #require(KernelGeneration(version: version))
    var engine = Machine(engine: DMADebug(Configuration(generation: generation)))
    engine.apply(map(0x1000), in: batch, names: names)
    let dump = read(engine, .dump)
    #expect(dump.contains(" \(type) idx 0 "))
    #expect(dump.contains(part))
  }

  @Test(arguments: ["", "6", "6.1", "6.11.9", "x.y", "5.99", "-7.3", "7"])
  func olderKernelsAndNonsenseAreRefused(_ version: String) {
    #expect(KernelGeneration(version: version) == nil)
  }

  @Test func segmentsAreHeldAgainstWhatTheDeviceTakes() {
    var engine = engine { $0.allErrors = 1 }
    let device = DeviceID(rawValue: 2)
    engine.engine.describe(
      device,
      DeviceDescription(
        bus: .pci,
        driver: nil,
        maximumSegmentSize: 4096,
        segmentBoundary: 0xffff_ffff
      )
    )
    var batch = EventBatch()
    var event = DMAEvent(.mapSG)
    event.device = device
    event.direction = .toDevice
    event.segmentCount = 2
    event.physicalCount = 2
    event.requestedEntries = 2
    event.mappedEntries = 2
    batch.payload = [0x1000, 0xffff_f000, 8192, 0x2000, 0x1000, 0xffff_f000]
    engine.apply(event, in: batch, names: names)
    #expect(
      log(&engine).map { $0.split(separator: ": ", maxSplits: 2).last ?? "" } == [
        "mapping sg segment longer than device claims to support [len=8192] [max=4096]",
        "mapping sg segment longer than device claims to support [len=8192] [max=4096]",
        "mapping sg segment across boundary [start=0x00000000fffff000] [end=0x0000000100000fff]"
          + " [boundary=0x00000000ffffffff]",
      ]
    )
  }
}
