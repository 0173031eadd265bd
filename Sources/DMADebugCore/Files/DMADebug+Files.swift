// SPDX-License-Identifier: MIT

extension DMADebug {
  /// The bytes that reading a virtual file gives.
  public func read(_ file: VirtualFile, names: TraceNames) -> [UInt8] {
    var text = TextBuffer()
    switch file {
    case .allErrors: text.append(decimal: UInt64(allErrors))
    case .numErrors: text.append(decimal: UInt64(numErrors))
    case .errorCount: text.append(decimal: UInt64(errorCount))
    case .minFreeEntries: text.append(decimal: UInt64(poolCounters.minimumFree))
    case .nrTotalEntries: text.append(decimal: UInt64(poolCounters.total))
    case .numFreeEntries: text.append(decimal: UInt64(poolCounters.free))
    case .disabled: text.append(isDisabled ? "Y" : "N")
    case .driverFilter:
      if !filter.isOn { return [] }
      text.append(filter.name)
    case .dump:
      for index in table.inDumpOrder() { appendDumpLine(table[index], names, &text) }
      return text.bytes
    case .bufinfo:
      appendBufferInformation(names, &text)
      return text.bytes
    }
    text.append("\n")
    return text.bytes
  }

  /// Writes a virtual file, as `echo -n VALUE >FILE` would.
  ///
  /// - Parameter event: the marker that says so, if there is one.
  /// - Returns: Why the kernel refuses, or `nil` when it does not.
  public mutating func write(
    _ file: VirtualFile,
    _ value: some Collection<UInt8>,
    event: DMAEvent = DMAEvent(.marker),
    to output: inout EngineOutput
  ) -> WriteError? {
    switch file {
    case .allErrors, .numErrors:
      switch Self.kernelUnsigned(value) {
      case .failure(let error): return error
      case .success(let number):
        if file == .allErrors { allErrors = number } else { numErrors = number }
      }
    case .driverFilter:
      switch filter.write(value) {
      case .nothing: break
      case .enabled: log(.filterEnabled, event, text: filter.name, to: &output)
      case .disabled: log(.filterDisabled, event, to: &output)
      }
    // The counters have a write operation that says no, the others have none.
    case .errorCount, .minFreeEntries, .nrTotalEntries, .numFreeEntries: return .permissionDenied
    case .disabled, .dump, .bufinfo: return .invalidArgument
    }
    return nil
  }

  /// One line of `dma-api/dump`.
  func appendDumpLine(_ mapping: Mapping, _ names: TraceNames, _ text: inout TextBuffer) {
    let physical = physicalAddress(of: mapping)
    let layout = configuration.generation.dumpLayout
    text.append(escaped: names.drivers[driver(of: mapping.device).rawValue])
    text.append(" ")
    text.append(escaped: names.devices[mapping.device.rawValue])
    text.append(" ")
    text.append(mapping.type.kernelName)
    text.append(" idx ")
    text.append(decimal: UInt64(mapping.bucket))
    text.append(" P=")
    if layout == .pageFrame, let physical {
      text.append(hex: physical)
      text.append(" N=")
      text.append(hex: physical >> 12)
    } else {
      text.append(address: physical)
    }
    text.append(" D=")
    text.append(hex: mapping.dmaAddress)
    text.append(" L=")
    text.append(hex: mapping.size)
    text.append(" cln=")
    text.append(address: physical.map { CachelineTracker.number($0) })
    text.append(" ")
    text.append(mapping.direction.kernelName)
    text.append(" ")
    if mapping.mapError == .notChecked, !mapping.showsMapErrorCheck {
      text.append("dma map error check unknown")
    } else {
      text.append(mapping.mapError.kernelName)
    }
    if layout == .attributes {
      text.append(" attrs=0x")
      text.append(hex: UInt64(mapping.attributes.rawValue))
    }
    text.append("\n")
  }

  /// `kstrtouint` with base 0, white space around it stripped.
  private static func kernelUnsigned(
    _ value: some Collection<UInt8>
  ) -> Result<UInt32, WriteError> {
    var digits = Array(value.prefix(64))
    while let last = digits.last, last.isKernelSpace || last == 0 { digits.removeLast() }
    while let first = digits.first, first.isKernelSpace { digits.removeFirst() }
    if digits.first == 0x2b { digits.removeFirst() }
    var base: UInt64 = 10
    if digits.count > 2, digits[0] == 0x30, digits[1] | 0x20 == 0x78 {
      base = 16
      digits.removeFirst(2)
    } else if digits.count > 1, digits[0] == 0x30 {
      base = 8
      digits.removeFirst()
    }
    if digits.isEmpty { return .failure(.invalidArgument) }
    var number: UInt64 = 0
    var isTooLarge = false
    for byte in digits {
      let digit: UInt64
      switch byte {
      case 0x30...0x39: digit = UInt64(byte - 0x30)
      case 0x41...0x46, 0x61...0x66: digit = UInt64(byte | 0x20) - 0x57
      default: return .failure(.invalidArgument)
      }
      if digit >= base { return .failure(.invalidArgument) }
      number = number * base + digit
      if number > UInt64(UInt32.max) {
        isTooLarge = true
        number = 0
      }
    }
    return isTooLarge ? .failure(.numericalResultOutOfRange) : .success(UInt32(number))
  }
}
