// SPDX-License-Identifier: MIT

/// The words of dma-debug.
public enum KernelMessage {
  /// The lines that the kernel logs before its first mapping.
  public static func startUp(_ configuration: Configuration, _ text: inout TextBuffer) {
    if configuration.isOff {
      text.append("DMA-API: debugging disabled on kernel command line\n")
      return
    }
    let filter = DriverFilter(bootParameter: configuration.driverFilter)
    if filter.isOn { appendFilterLine(filter.name, &text) }
    text.append("DMA-API: preallocated ")
    let pool = EntryPool(requested: configuration.entries, maximum: .max)
    text.append(decimal: UInt64(pool.total))
    text.append(" debug entries\nDMA-API: debugging enabled by kernel config\n")
  }

  /// The log lines of a report, each with its line end.
  public static func append(
    _ report: Report,
    _ names: TraceNames,
    _ generation: KernelGeneration,
    to text: inout TextBuffer
  ) {
    text.append("DMA-API: ")
    if report.kind.isError {
      text.append(escaped: names.drivers[report.driver.rawValue])
      text.append(" ")
      text.append(escaped: names.devices[report.device.rawValue])
      text.append(": ")
    }
    append(words: report, generation, to: &text)
    text.append("\n")
  }

  /// The stack of the mapping that the report is about, as the kernel prints it behind the message.
  public static func appendStack(
    _ report: Report,
    _ names: TraceNames,
    to text: inout TextBuffer
  ) {
    guard report.kind.isError, let mapping = report.mapping else { return }
    text.append("DMA-API: Mapped at:\n")
    for frame in names.stacks[mapping.stack].prefix(5) {
      text.append(" ")
      text.append(escaped: names.symbols[frame])
      text.append("\n")
    }
  }

  private static func appendFilterLine(_ name: [UInt8], _ text: inout TextBuffer) {
    text.append("DMA-API: ")
    text.append(Report.Kind.filterEnabled.words)
    text.append("[")
    text.append(escaped: name)
    text.append("]\n")
  }

  /// The message without prefix, driver and device. A leak has two lines.
  public static func append(
    words report: Report,
    _ generation: KernelGeneration,
    to text: inout TextBuffer
  ) {
    text.append(report.kind.words)
    switch report.kind {
    case .freeInvalidAddress, .overlappingCacheline, .outOfMemory, .filterDisabled: break
    case .freeNotAllocated, .freeDifferentSize, .freeWrongFunction, .freeDifferentCPUAddress,
      .freeDifferentSGCount, .freeDifferentDirection, .mapErrorNotChecked, .freeDifferentAttributes:
      appendFree(report, generation, &text)
    case .syncNotAllocated, .syncOutsideRange, .syncDifferentDirection, .syncReadOnlyForCPU,
      .syncWriteOnlyToDevice, .syncDifferentSGCount:
      appendSync(report, &text)
    case .segmentTooLong, .segmentAcrossBoundary, .mapsStack, .mapsKernelText, .mapsVmalloc,
      .mapsInvalidArea, .mapsRAMAsResource:
      appendMap(report, &text)
    case .pendingAtUnbind: appendLeak(report, &text)
    case .exceededOverlap: text.append(address: report.value)
    case .poolGrown:
      text.append(decimal: report.value)
      text.append(" (")
      text.append(decimal: report.value / max(report.base, 1))
      text.append("00%)")
    case .filterEnabled:
      text.append("[")
      text.append(escaped: report.text)
      text.append("]")
    }
  }

  /// The values of a message of `check_unmap`.
  private static func appendFree(
    _ report: Report,
    _ generation: KernelGeneration,
    _ text: inout TextBuffer
  ) {
    let reference = report.reference
    let mapping = report.mapping
    switch report.kind {
    case .freeDifferentSGCount:
      appendCounts(" [unmap count=", mapping, reference, &text)
      return
    case .mapErrorNotChecked:
      text.append("[device address=")
      text.append(address: reference?.dmaAddress)
      text.append("]")
    default: appendAddress(reference?.dmaAddress, &text)
    }
    if report.kind == .freeDifferentSize {
      appendBytes(" [map size=", mapping?.size, &text)
      appendBytes(" [unmap size=", reference, &text)
      return
    }
    appendBytes(" [size=", reference, &text)
    switch report.kind {
    case .freeWrongFunction:
      appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
      appendMapped(" [unmapped as ", reference?.type.kernelName, &text)
    case .freeDifferentCPUAddress:
      appendCPUAddress(" [cpu alloc address=", report.mappedPhysical, generation, &text)
      appendCPUAddress(" [cpu free address=", report.freedPhysical, generation, &text)
    case .freeDifferentDirection:
      appendDirections(" [unmapped with ", mapping, reference, &text)
    case .mapErrorNotChecked: appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
    case .freeDifferentAttributes:
      appendAttributes(" [mapped with 0x", mapping?.attributes, &text)
      appendAttributes(" [unmapped with 0x", reference?.attributes, &text)
    default: break
    }
  }

  /// The values of a message of `check_sync`.
  private static func appendSync(_ report: Report, _ text: inout TextBuffer) {
    let reference = report.reference
    let mapping = report.mapping
    switch report.kind {
    case .syncDifferentSGCount: appendCounts(" [sync count=", mapping, reference, &text)
    case .syncNotAllocated:
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
    case .syncOutsideRange:
      appendAddress(mapping?.dmaAddress, &text)
      appendBytes(" [allocation size=", mapping?.size, &text)
      text.append(" [sync offset+size=")
      text.append(decimal: reference?.size ?? 0)
      text.append("]")
    default:
      // The address is that of the call, the size that of the entry.
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", mapping?.size, &text)
      appendDirections(" [synced with ", mapping, reference, &text)
    }
  }

  /// The values of a message about what is being mapped.
  private static func appendMap(_ report: Report, _ text: inout TextBuffer) {
    let reference = report.reference
    switch report.kind {
    case .segmentTooLong:
      text.append(" [len=")
      text.append(decimal: reference?.size ?? 0)
      text.append("] [max=")
      text.append(decimal: report.value)
      text.append("]")
    case .segmentAcrossBoundary:
      text.append(" [start=")
      text.append(address: reference?.dmaAddress)
      text.append("] [end=")
      text.append(address: reference.map { $0.dmaAddress &+ $0.size &- 1 })
      text.append("] [boundary=")
      text.append(address: report.value)
      text.append("]")
    case .mapsRAMAsResource:
      text.append(" ")
      text.append(address: reference?.cpuAddress)
    default:
      text.append(" [addr=")
      text.append(hex: reference?.cpuAddress ?? 0, digits: 16)
      text.append("]")
      if report.kind == .mapsStack { return }
      text.append(" [len=")
      text.append(decimal: reference?.size ?? 0)
      text.append("]")
    }
  }

  private static func appendLeak(_ report: Report, _ text: inout TextBuffer) {
    let mapping = report.mapping
    text.append(" [count=")
    text.append(decimal: report.value)
    text.append("]\nOne of leaked entries details: [device address=")
    text.append(address: mapping?.dmaAddress)
    text.append("]")
    appendBytes(" [size=", mapping?.size, &text)
    appendMapped(" [mapped with ", mapping?.direction.kernelName, &text)
    appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
  }

  private static func appendAddress(_ address: UInt64?, _ text: inout TextBuffer) {
    text.append(" [device address=")
    text.append(address: address)
    text.append("]")
  }

  private static func appendBytes(
    _ label: StaticString,
    _ size: UInt64?,
    _ text: inout TextBuffer
  ) {
    text.append(label)
    if let size { text.append(decimal: size) } else { text.append("?") }
    text.append(" bytes]")
  }

  private static func appendBytes(
    _ label: StaticString,
    _ reference: Reference?,
    _ text: inout TextBuffer
  ) {
    appendBytes(label, reference.flatMap { $0.sizeIsUnknown ? nil : $0.size }, &text)
  }

  private static func appendMapped(
    _ label: StaticString,
    _ name: StaticString?,
    _ text: inout TextBuffer
  ) {
    text.append(label)
    text.append(name ?? "?")
    text.append("]")
  }

  private static func appendDirections(
    _ label: StaticString,
    _ mapping: Mapping?,
    _ reference: Reference?,
    _ text: inout TextBuffer
  ) {
    appendMapped(" [mapped with ", mapping?.direction.kernelName, &text)
    appendMapped(label, reference?.direction.kernelName, &text)
  }

  private static func appendCounts(
    _ label: StaticString,
    _ mapping: Mapping?,
    _ reference: Reference?,
    _ text: inout TextBuffer
  ) {
    text.append(" [map count=")
    text.append(decimal: UInt64(mapping?.sgCallEntries ?? 0))
    text.append("]")
    text.append(label)
    text.append(decimal: UInt64(reference?.sgCallEntries ?? 0))
    text.append("]")
  }

  private static func appendAttributes(
    _ label: StaticString,
    _ attributes: DMAAttributes?,
    _ text: inout TextBuffer
  ) {
    text.append(label)
    text.append(hex: UInt64(attributes?.rawValue ?? 0))
    text.append("]")
  }

  private static func appendCPUAddress(
    _ label: StaticString,
    _ address: UInt64?,
    _ generation: KernelGeneration,
    _ text: inout TextBuffer
  ) {
    text.append(label)
    // A slip of the kernel since 6.12.48: the address brings its own 0x.
    if generation.doublesCPUAddressPrefix { text.append("0x") }
    text.append(address: address)
    text.append("]")
  }
}
