// SPDX-License-Identifier: MIT

extension DMADebug {
  /// `dma_buf/bufinfo`: what a trace does not tell is `?`.
  ///
  /// Buffers that are possibly gone are left out.
  func appendBufferInformation(_ names: TraceNames, _ text: inout TextBuffer) {
    text.append("\nDma-buf Objects:\n")
    text.append("size    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n")
    var count: UInt64 = 0
    var bytes: UInt64 = 0
    for buffer in sharing.buffers() where buffer.state == .live {
      count += 1
      bytes &+= buffer.size
      if buffer.size == 0 {
        text.append("?")
      } else {
        text.append(decimal: buffer.size, digits: 8)
      }
      text.append("\t?\t?\t?\t")
      text.append(escaped: names.exporters[buffer.exporter])
      text.append("\t")
      text.append(decimal: buffer.inode, digits: 8)
      text.append("\t?\n")
      for usage: UInt32 in 0...2 {
        for reservation in buffer.fences where reservation.usage == usage {
          append(reservation, names, &text)
        }
      }
      text.append("\tAttached Devices:\n")
      for id in buffer.attachments {
        text.append("\t")
        let device = sharing.attachment(id)?.device ?? .unknown
        text.append(escaped: names.devices[device.rawValue])
        text.append("\n")
      }
      text.append("Total ")
      if sharing.showsAttachments(of: buffer) {
        text.append(decimal: UInt64(buffer.attachments.count))
      } else {
        text.append("?")
      }
      text.append(" devices attached\n\n")
    }
    text.append("\nTotal ")
    text.append(decimal: count)
    text.append(" objects, ")
    text.append(decimal: bytes)
    text.append(" bytes\n")
  }

  /// A line of `dma_resv_describe` with what `dma_fence_describe` says.
  private func append(
    _ reservation: DMABuf.Reservation,
    _ names: TraceNames,
    _ text: inout TextBuffer
  ) {
    let words: [StaticString] = ["\tkernel fence:", "\twrite fence:", "\tread fence:"]
    text.append(words[Int(reservation.usage)])
    let key = reservation.fence
    let fence = sharing.fence(key)
    let isSignaled = fence?.isSignaled ?? true
    let driver = names.drivers[fence?.driver.rawValue ?? NameTable.unknown]
    let timeline = names.timelines[fence?.timeline ?? NameTable.unknown]
    if configuration.generation.describesFencesByContext {
      text.append(decimal: key.context)
      text.append(":")
      text.append(decimal: key.sequence)
      text.append(" ")
      // The names are gone with the signal.
      if !isSignaled { text.append(escaped: timeline) }
      text.append(" ")
      if !isSignaled { text.append(escaped: driver) }
      text.append(" ")
    } else {
      text.append(escaped: driver)
      text.append(" ")
      text.append(escaped: timeline)
      text.append(" seq ")
      text.append(decimal: key.sequence)
      text.append(" ")
    }
    text.append(isSignaled ? "signalled\n" : "unsignalled\n")
  }
}
