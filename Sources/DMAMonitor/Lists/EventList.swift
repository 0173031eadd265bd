// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// Events of a batch: those around now, or those of an address.
struct EventList: RowList {
  static let fields: [EventField] = [
    .number, .time, .cpu, .task, .kind, .device, .direction, .dmaAddress, .size, .physicalAddress,
    .text, .caller, .pid, .attributes, .line,
  ]

  let batch: EventBatch
  let events: [DMAEvent]
  let names: TraceNames
  /// The number before that of the first event.
  let first: UInt64
  /// How many of them have been applied.
  let position: Int
  /// Numbers of events that dma-debug complained about.
  var wrong: Set<UInt64> = []
  let showsNanoseconds: Bool

  let columns: [ListColumn] = fields.map { field in
    let (heading, width, priority): (String, Int, Int) =
      switch field {
      case .number: ("EVENT", 9, 2)
      case .time: ("TIME", 14, 1)
      case .cpu: ("CPU", 3, 7)
      case .task: ("TASK", 15, 6)
      case .kind: ("KIND", 22, 0)
      case .device: ("DEVICE", 12, 0)
      case .direction: ("DIR", 13, 5)
      case .dmaAddress: ("DMA ADDR", 13, 3)
      case .size: ("SIZE", 8, 3)
      case .physicalAddress: ("PHYS ADDR", 13, 8)
      case .caller: ("CALLER", 26, 13)
      case .text: ("DETAIL", 26, 4)
      case .pid: ("PID", 7, 11)
      case .attributes: ("ATTRS", 18, 12)
      default: ("LINE", 9, 13)
      }
    return ListColumn(
      name: field.rawValue,
      heading: heading,
      width: width,
      isTrailing: field.isNumeric,
      priority: priority
    )
  }

  var count: Int { events.count }

  private func number(_ row: RowIndex) -> UInt64 { first + UInt64(row.position) + 1 }

  func value(_ row: RowIndex, _ column: Int) -> FieldValue {
    Self.fields[column].value(of: events[row.position], number: number(row), in: batch, names)
  }

  func text(_ row: RowIndex, _ column: Int) -> String {
    let value = value(row, column)
    if Self.fields[column] == .time, case .time(let time) = value {
      return showsNanoseconds ? String(FieldValue.seconds(time).dropLast(3)) : String(time)
    }
    if Self.fields[column] == .text, value == .none { return detail(row) }
    return value == .none ? "" : value.display
  }

  /// What there is to say of an event that has no text.
  private func detail(_ row: RowIndex) -> String {
    let event = events[row.position]
    func field(_ field: EventField) -> String? {
      let value = field.value(of: event, number: number(row), in: batch, names)
      return value == .none ? nil : value.display
    }
    switch event.kind {
    case .driverProbe: return field(.driver).map { "driver \($0)" } ?? ""
    case .busNotify:
      // enum bus_notifier_event
      let words = [
        "", "", "", "bind begins", "bound", "unbind begins", "unbound", "bind failed",
      ]
      let word = event.address < 8 ? words[Int(event.address)] : ""
      return "action \(event.address)" + (word.isEmpty ? "" : " (\(word))")
    case .mapSG, .unmapSG, .mapSGError, .syncSGForCPU, .syncSGForDevice:
      return field(.sgCallEntries).map { "\($0) entries" } ?? ""
    default: return field(.caller) ?? field(.attributes) ?? ""
    }
  }

  func role(_ row: RowIndex) -> Theme.Role {
    if wrong.contains(number(row)) { return .error }
    return row.position >= position ? .faint : row.position == position - 1 ? .key : .plain
  }

  func identity(_ row: RowIndex) -> UInt64 { number(row) }
  func isError(_ row: RowIndex) -> Bool { wrong.contains(number(row)) }
}
