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
    switch report.kind {
    case .filterEnabled:
      text.append("enable driver filter for driver [")
      text.append(escaped: report.text)
      text.append("]\n")
      return
    case .filterDisabled:
      text.append("switching off dma-debug driver filter\n")
      return
    default:
      break
    }
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
    text.append("DMA-API: enable driver filter for driver [")
    text.append(escaped: name)
    text.append("]\n")
  }

  /// The message without prefix, driver and device. A leak has two lines.
  public static func append(
    words report: Report,
    _ generation: KernelGeneration,
    to text: inout TextBuffer
  ) {
    let reference = report.reference
    let mapping = report.mapping
    switch report.kind {
    case .freeInvalidAddress:
      text.append("device driver tries to free an invalid DMA memory address")
    case .freeNotAllocated:
      text.append("device driver tries to free DMA memory it has not allocated")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
    case .freeDifferentSize:
      text.append("device driver frees DMA memory with different size")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [map size=", mapping?.size, &text)
      appendBytes(" [unmap size=", reference, &text)
    case .freeWrongFunction:
      text.append("device driver frees DMA memory with wrong function")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
      appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
      appendMapped(" [unmapped as ", reference?.type.kernelName, &text)
    case .freeDifferentCPUAddress:
      text.append("device driver frees DMA memory with different CPU address")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
      appendCPUAddress(" [cpu alloc address=", report.mappedPhysical, generation, &text)
      appendCPUAddress(" [cpu free address=", report.freedPhysical, generation, &text)
    case .freeDifferentSGCount:
      text.append("device driver frees DMA sg list with different entry count")
      appendCounts(" [unmap count=", mapping, reference, &text)
    case .freeDifferentDirection:
      text.append("device driver frees DMA memory with different direction")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
      appendDirections(" [unmapped with ", mapping, reference, &text)
    case .mapErrorNotChecked:
      text.append("device driver failed to check map error[device address=")
      text.append(address: reference?.dmaAddress)
      text.append("]")
      appendBytes(" [size=", reference, &text)
      appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
    case .freeDifferentAttributes:
      text.append("device driver frees DMA memory with different attributes")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
      appendAttributes(" [mapped with 0x", mapping?.attributes, &text)
      appendAttributes(" [unmapped with 0x", reference?.attributes, &text)
    case .syncNotAllocated:
      text.append("device driver tries to sync DMA memory it has not allocated")
      appendAddress(reference?.dmaAddress, &text)
      appendBytes(" [size=", reference, &text)
    case .syncOutsideRange:
      text.append("device driver syncs DMA memory outside allocated range")
      appendAddress(mapping?.dmaAddress, &text)
      appendBytes(" [allocation size=", mapping?.size, &text)
      text.append(" [sync offset+size=")
      text.append(decimal: reference?.size ?? 0)
      text.append("]")
    case .syncDifferentDirection:
      text.append("device driver syncs DMA memory with different direction")
      appendSync(mapping, reference, &text)
    case .syncReadOnlyForCPU:
      text.append("device driver syncs device read-only DMA memory for cpu")
      appendSync(mapping, reference, &text)
    case .syncWriteOnlyToDevice:
      text.append("device driver syncs device write-only DMA memory to device")
      appendSync(mapping, reference, &text)
    case .syncDifferentSGCount:
      text.append("device driver syncs DMA sg list with different entry count")
      appendCounts(" [sync count=", mapping, reference, &text)
    case .overlappingCacheline:
      text.append("cacheline tracking EEXIST, overlapping mappings aren't supported")
    case .segmentTooLong:
      text.append("mapping sg segment longer than device claims to support [len=")
      text.append(decimal: reference?.size ?? 0)
      text.append("] [max=")
      text.append(decimal: report.value)
      text.append("]")
    case .segmentAcrossBoundary:
      text.append("mapping sg segment across boundary [start=")
      text.append(address: reference?.dmaAddress)
      text.append("] [end=")
      text.append(address: reference.map { $0.dmaAddress &+ $0.size &- 1 })
      text.append("] [boundary=")
      text.append(address: report.value)
      text.append("]")
    case .mapsStack:
      text.append("device driver maps memory from stack [addr=")
      text.append(hex: reference?.cpuAddress ?? 0, digits: 16)
      text.append("]")
    case .mapsKernelText:
      appendArea("device driver maps memory from kernel text or rodata", reference, &text)
    case .mapsVmalloc:
      appendArea("device driver maps memory from vmalloc area", reference, &text)
    case .mapsInvalidArea:
      appendArea("device driver maps memory from invalid area", reference, &text)
    case .mapsRAMAsResource:
      text.append("dma_map_resource called for RAM address ")
      text.append(address: reference?.cpuAddress)
    case .pendingAtUnbind:
      text.append("device driver has pending DMA allocations while released from device [count=")
      text.append(decimal: report.value)
      text.append("]\nOne of leaked entries details: [device address=")
      text.append(address: mapping?.dmaAddress)
      text.append("]")
      appendBytes(" [size=", mapping?.size, &text)
      appendMapped(" [mapped with ", mapping?.direction.kernelName, &text)
      appendMapped(" [mapped as ", mapping?.type.kernelName, &text)
    case .exceededOverlap:
      text.append("exceeded 7 overlapping mappings of cacheline ")
      text.append(address: report.value)
    case .poolGrown:
      text.append("dma_debug_entry pool grown to ")
      text.append(decimal: report.value)
      text.append(" (")
      text.append(decimal: report.value / max(report.base, 1))
      text.append("00%)")
    case .outOfMemory:
      text.append("debugging out of memory - disabling")
    case .filterEnabled, .filterDisabled:
      break
    }
  }

  private static func appendAddress(_ address: UInt64?, _ text: inout TextBuffer) {
    text.append(" [device address=")
    text.append(address: address)
    text.append("]")
  }

  private static func appendArea(
    _ words: StaticString,
    _ reference: Reference?,
    _ text: inout TextBuffer
  ) {
    text.append(words)
    text.append(" [addr=")
    text.append(hex: reference?.cpuAddress ?? 0, digits: 16)
    text.append("] [len=")
    text.append(decimal: reference?.size ?? 0)
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

  private static func appendSync(
    _ mapping: Mapping?,
    _ reference: Reference?,
    _ text: inout TextBuffer
  ) {
    // The address is that of the call, the size that of the entry.
    appendAddress(reference?.dmaAddress, &text)
    appendBytes(" [size=", mapping?.size, &text)
    appendDirections(" [synced with ", mapping, reference, &text)
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
