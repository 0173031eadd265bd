// SPDX-License-Identifier: MIT

extension DMADebug {
  /// `check_sg_segment`, as far as somebody has told what the device can do.
  mutating func checkSGSegment(
    _ mapping: Mapping,
    _ event: DMAEvent,
    _ names: TraceNames,
    to output: inout EngineOutput
  ) {
    let device = details[Int(devices[Int(mapping.device.rawValue)].details)]
    let reference = Reference(
      device: mapping.device,
      dmaAddress: mapping.dmaAddress,
      size: mapping.size,
      type: .scatterGather,
      direction: mapping.direction,
      sgCallEntries: mapping.sgCallEntries
    )
    // The kernel looks at the length that the driver passed. The trace has the length of the DMA
    // segment, which is the same only when nothing was merged.
    let isMerged = mapping.sgMappedEntries != mapping.sgCallEntries
    if let maximum = device.maximumSegmentSize, mapping.size > maximum, !isMerged {
      report(
        .segmentTooLong,
        event,
        device: mapping.device,
        names: names,
        reference: reference,
        value: maximum,
        to: &output
      )
    }
    guard let boundary = device.segmentBoundary, mapping.size > 0 else { return }
    let last = mapping.dmaAddress &+ mapping.size &- 1
    if (mapping.dmaAddress ^ last) & ~boundary != 0 {
      report(
        .segmentAcrossBoundary,
        event,
        device: mapping.device,
        names: names,
        reference: reference,
        value: boundary,
        to: &output
      )
    }
  }
}
