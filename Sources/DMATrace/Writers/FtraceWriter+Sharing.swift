// SPDX-License-Identifier: MIT
import DMADebugCore

/// Events of dma-bufs, fences, IOVA-based mappings and channels.
extension FtraceWriter {
  /// Writes an event that the kernel has a tracepoint for like that, and any other as a probe that
  /// is named after its function.
  ///
  /// - Returns: whether there is a way to write it.
  mutating func sharing(_ event: DMAEvent, _ names: borrowing TraceNames) -> Bool {
    switch event.kind {
    case let kind where kind.isBuffer && event.flags.contains(.probe):
      buffer(event, names)
      if kind == .bufferFD || kind == .bufferGet {
        put(" fd=")
        put(signed: Int64(Int32(bitPattern: event.mappedEntries)))
      }
    case .bufferExport, .bufferPut, .bufferMmap, .bufferMmapInternal:
      tracepoint(event, names)
    case .bufferFD, .bufferGet:
      tracepoint(event, names)
      put(" fd=")
      put(signed: Int64(Int32(bitPattern: event.mappedEntries)))
    case .bufferAttach, .bufferDetach:
      tracepoint(event, names)
      put(" attachment:")
      put(hex: event.dmaAddress, digits: 16)
      put(event.flags.contains(.dynamic) ? " is_dynamic=1" : " is_dynamic=0")
      put(" dev_name=")
      put(names.devices[event.device.rawValue])
    case .fenceInit, .fenceEmit, .fenceEnableSignal, .fenceSignaled, .fenceWaitStart,
      .fenceWaitEnd, .fenceDestroy:
      put(event.kind.name.utf8)
      put(byte: 0x3a)
      fence(event, names)
    case let kind where kind.isBuffer: buffer(event, names)
    case .fenceAdd:
      probe(event.kind)
      put(" ino=")
      put(decimal: event.dmaAddress)
      put(" usage=")
      put(decimal: UInt64(event.mappedEntries))
      fence(event, names)
    case let kind where kind.isIOVA: iova(event, names)
    case let kind where kind.isChannel: channel(event, names)
    default: return false
    }
    return true
  }

  /// `dma_buf_fd: exp_name=system size=65536 ino=1`
  private mutating func tracepoint(_ event: DMAEvent, _ names: borrowing TraceNames) {
    put(event.kind.name.utf8)
    put(": exp_name=")
    put(names.exporters[event.site])
    put(" size=")
    put(decimal: event.size)
    put(" ino=")
    put(decimal: event.address)
  }

  /// `dma_buf_vmap: (dma_buf_vmap+0x0/0x100)`
  private mutating func probe(_ kind: DMAEvent.Kind) {
    put(kind.name.utf8)
    put(": (")
    put(kind.name.utf8)
    put("+0x0/0x100)")
  }

  private mutating func buffer(_ event: DMAEvent, _ names: borrowing TraceNames) {
    probe(event.kind)
    put(" ino=")
    put(decimal: event.address)
    if event.dmaAddress != 0 {
      put(" attachment=0x")
      put(hex: event.dmaAddress)
    }
    if event.device != .unknown { device(event, names) }
    direction(event)
    if event.size != 0 {
      put(" size=")
      put(decimal: event.size)
    }
    if event.site != NameTable.unknown {
      put(" exp_name=\"")
      put(names.exporters[event.site])
      put(byte: 0x22)
    }
    if event.flags.contains(.dynamic) { put(" is_dynamic=1") }
  }

  private mutating func direction(_ event: DMAEvent) {
    guard event.kind.hasSharingDirection, !event.flags.contains(.noDirection) else { return }
    put(" dir=")
    put(decimal: UInt64(event.direction.rawValue))
  }

  /// ` driver=stub timeline=stub context=0 seqno=0`
  private mutating func fence(_ event: DMAEvent, _ names: borrowing TraceNames) {
    put(" driver=")
    put(names.drivers[event.driver.rawValue])
    put(" timeline=")
    put(names.timelines[event.site])
    put(" context=")
    put(decimal: event.address)
    put(" seqno=")
    put(decimal: event.size)
  }

  private mutating func iova(_ event: DMAEvent, _ names: borrowing TraceNames) {
    probe(event.kind)
    device(event, names)
    put(" dma_addr=0x")
    put(hex: event.dmaAddress)
    put(" size=")
    put(decimal: event.size)
    if event.kind == .iovaAlloc || event.kind == .iovaLink {
      put(" phys_addr=0x")
      put(hex: event.address)
    }
    guard event.kind.hasSharingDirection else { return }
    direction(event)
    put(" attrs=0x")
    put(hex: UInt64(event.attributes.rawValue))
  }

  private mutating func channel(_ event: DMAEvent, _ names: borrowing TraceNames) {
    probe(event.kind)
    put(" channel=\"")
    put(names.channels[event.site])
    put(byte: 0x22)
    if event.device != .unknown { device(event, names) }
    switch event.kind {
    case .descriptorPrepare:
      switch event.mappedEntries {
      case 1: put(" type=memcpy")
      case 2: put(" type=cyclic")
      default: put(" type=slave_sg")
      }
      put(" dma_addr=0x")
      put(hex: event.dmaAddress)
      put(" size=")
      put(decimal: event.size)
      put(" nents=")
      put(decimal: UInt64(event.requestedEntries))
      direction(event)
      cookie(event)
    case .descriptorSubmit: cookie(event)
    case .descriptorComplete, .channelStatus:
      cookie(event)
      put(" residue=")
      put(decimal: event.size)
    default: break
    }
  }

  private mutating func cookie(_ event: DMAEvent) {
    put(" cookie=")
    put(signed: Int64(bitPattern: event.address))
  }

  private mutating func put(signed value: Int64) {
    if value < 0 { put(byte: 0x2d) }
    put(decimal: value.magnitude)
  }
}
