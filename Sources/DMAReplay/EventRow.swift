// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// An event as a filter sees it.
package struct EventRow: FilterExpression.Row {
  package let event: DMAEvent
  package let number: UInt64
  package let batch: EventBatch
  package let names: TraceNames

  package init(event: DMAEvent, number: UInt64, batch: EventBatch, names: TraceNames) {
    self.event = event
    self.number = number
    self.batch = batch
    self.names = names
  }

  package func value(_ field: String) -> FieldValue? {
    EventField(rawValue: field == "time" ? "time_ns" : field)?
      .value(of: event, number: number, in: batch, names)
  }

  package var texts: [String] {
    [
      EventField.task, .kind, .device, .direction, .dmaAddress, .physicalAddress, .driver,
      .caller, .subject, .text, .attributes,
    ].map { $0.value(of: event, number: number, in: batch, names).display }
  }
}
