// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay

/// Rows of events in JSON or CSV, straight from the numbers: a name is encoded once for all its rows.
package struct EventRowEncoder {
  package enum Style {
    case json
    case csv
  }

  private let style: Style
  private let csv: CSVEncoder
  private let fields: [EventField]
  /// What stands before each value.
  private let openings: [[UInt8]]
  private var tasks: [[UInt8]?] = []
  private var devices: [[UInt8]?] = []
  private var drivers: [[UInt8]?] = []
  private var symbols: [[UInt8]?] = []
  private var attributes: (DMAAttributes, [UInt8])?
  private let kinds: [[UInt8]]
  private let directions: [[UInt8]]

  package init(_ style: Style, fields: [EventField], csv: CSVEncoder = CSVEncoder()) {
    self.style = style
    self.csv = csv
    self.fields = fields
    openings = fields.enumerated().map { index, field in
      switch style {
      case .json: Array((index == 0 ? "{\"" : ",\"").utf8) + Array("\(field.rawValue)\":".utf8)
      case .csv: index == 0 ? [] : [0x2c]
      }
    }
    // Kinds are numbered without gaps.
    kinds = DMAEvent.Kind.allCases.map { Self.encode(style, csv, $0.name.utf8) }
    directions = Direction.allCases.map { Self.encode(style, csv, $0.traceName.description.utf8) }
  }

  /// The line of the names, of CSV.
  package var heading: [UInt8] {
    style == .csv ? Array((fields.map(\.rawValue).joined(separator: ",") + "\r\n").utf8) : []
  }

  private static func encode(
    _ style: Style,
    _ csv: CSVEncoder,
    _ text: some Collection<UInt8>
  ) -> [UInt8] {
    switch style {
    case .json:
      var json = JSONWriter()
      json.string(String(decoding: text, as: UTF8.self))
      return json.text.bytes
    case .csv: return csv.cell(text)
    }
  }

  private func encode(_ text: some Collection<UInt8>) -> [UInt8] {
    Self.encode(style, csv, text)
  }

  /// Appends a row, without a line end.
  package mutating func append(
    _ event: DMAEvent,
    _ number: UInt64,
    _ batch: borrowing EventBatch,
    _ names: borrowing TraceNames,
    to text: inout TextBuffer
  ) {
    for index in fields.indices {
      text.append(openings[index])
      switch fields[index].rawValue(of: event, number: number, in: batch) {
      case .none: if style == .json { text.append("null") }
      case .number(let number), .time(let number): text.append(decimal: number)
      case .address(let address): append(address, &text)
      case .kind(let kind): text.append(kinds[Int(kind.rawValue)])
      case .direction(let direction): text.append(directions[Int(direction.rawValue)])
      case .attributes(let flags):
        if attributes?.0 != flags { attributes = (flags, encode(flags.traceText.utf8)) }
        text.append(attributes?.1 ?? [])
      case .task(let number): append(name: number, in: names.tasks, &tasks, &text)
      case .device(let number): append(name: number, in: names.devices, &devices, &text)
      case .driver(let number): append(name: number, in: names.drivers, &drivers, &text)
      case .symbol(let number): append(name: number, in: names.symbols, &symbols, &text)
      case .markerText:
        text.append(encode(batch.markerText(event)))
      case .subject:
        if let subject = EventField.subject(event, names) {
          text.append(encode(subject.utf8))
        } else if style == .json {
          text.append("null")
        }
      case .sharingText: text.append(encode(EventField.sharingText(event, names).utf8))
      }
    }
    if style == .json { text.append("}") }
  }

  private func append(_ address: UInt64, _ text: inout TextBuffer) {
    text.append(style == .json ? "\"0x" : "0x")
    text.append(hex: address)
    if style == .json { text.append("\"") }
  }

  private func append(
    name number: UInt32,
    in table: borrowing NameTable,
    _ cache: inout [[UInt8]?],
    _ text: inout TextBuffer
  ) {
    let index = Int(number)
    if index >= cache.count {
      cache.append(contentsOf: repeatElement(nil, count: index + 1 - cache.count))
    }
    if let known = cache[index] { return text.append(known) }
    let encoded = encode(table[number])
    cache[index] = encoded
    text.append(encoded)
  }
}
