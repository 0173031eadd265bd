// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import Glibc

/// The formats of rows: for people, and for programs.
package enum RowFormat: String, CaseIterable, Sendable {
  case text
  case json
  case jsonl
  case csv
}

/// Writes rows of typed values in one of the formats of `dmatop dump`.
package struct RowWriter: ~Copyable {
  private let format: RowFormat
  private let schema: String
  private let columns: [(name: String, isNumeric: Bool)]
  private let csv: CSVEncoder
  private var output: BufferedOutput
  private var table: TextTable
  private var json = JSONWriter()
  private var isFirst = true

  package init(
    _ format: RowFormat,
    schema: String,
    columns: [(name: String, isNumeric: Bool)],
    csv: CSVEncoder = CSVEncoder(),
    descriptor: Int32 = STDOUT_FILENO
  ) {
    output = BufferedOutput(to: descriptor, format == .csv ? csv.isRaw ? .bytes : .csv : .text)
    self.csv = csv
    self.format = format
    self.schema = schema
    self.columns = columns
    // People read durations with their unit, so their heading needs none.
    table = TextTable(
      columns.map { column in
        let name = column.name
        return (name.hasSuffix("_ns") ? String(name.dropLast(3)) : name, column.isNumeric)
      }
    )
  }

  package mutating func begin() {
    switch format {
    case .text, .jsonl: break
    case .json: output.write("{\"schema\":\"\(schema)\",\"rows\":[")
    case .csv: output.write(columns.map(\.name).joined(separator: ",") + "\r\n")
    }
  }

  package mutating func add(_ values: [FieldValue]) {
    let csv = csv
    switch format {
    case .text:
      table.add(values.map { String(escaping: $0.display.utf8) })
    case .json:
      output.write(isFirst ? "\n" : ",\n")
      writeObject(values)
    case .jsonl:
      writeObject(values)
      output.write("\n")
    case .csv:
      output.write { text in
        for (index, value) in values.enumerated() {
          if index > 0 { text.append(",") }
          text.append(csv.cell(value))
        }
        text.append("\r\n")
      }
    }
    isFirst = false
  }

  /// A row that comes in the format of this writer, which must not be that for people.
  package mutating func add(_ encoder: inout EventRowEncoder, _ row: EventRow) {
    if format == .json { output.write(isFirst ? "\n" : ",\n") }
    output.write { encoder.append(row.event, row.number, row.batch, row.names, to: &$0) }
    switch format {
    case .jsonl: output.write { $0.append("\n") }
    case .csv: output.write { $0.append("\r\n") }
    case .json, .text: break
    }
    isFirst = false
  }

  /// Lets whoever reads along have the rows so far, when there are none to come at present.
  ///
  /// - Parameter descriptor: where more input may come from. A table for people waits a little for it:
  ///   the more rows it has seen the better its columns stand.
  package mutating func flush(waitingFor descriptor: Int32) {
    if format == .text {
      var input = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard !table.isEmpty, poll(&input, 1, 200) == 0 else { return }
      for line in table.takeLines() { output.write(line + "\n") }
    }
    output.flush()
  }

  package mutating func end() {
    switch format {
    case .text: for line in table.takeLines() { output.write(line + "\n") }
    case .json: output.write(isFirst ? "]}\n" : "\n]}\n")
    case .jsonl, .csv: break
    }
    output.flush()
  }

  /// What went wrong with a file, after the end; 0 when nothing did.
  package var problem: Int32 { output.problem }

  private mutating func writeObject(_ values: [FieldValue]) {
    json.removeAll()
    let columns = columns
    json.object { json in
      for (column, value) in zip(columns, values) {
        json.key(column.name)
        json.value(value)
      }
    }
    output.write(bytes: json.text.bytes)
  }
}

extension JSONWriter {
  /// A typed value: numbers as numbers, addresses as hexadecimal strings, the unknown as null.
  package mutating func value(_ value: FieldValue) {
    switch value {
    case .none: null()
    case .number(let number), .time(let number), .duration(let number): self.number(number)
    case .address(let address): self.address(address)
    case .text(let text): string(text)
    case .flag(let flag): bool(flag)
    }
  }
}
