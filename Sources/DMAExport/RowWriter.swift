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
  private var output: BufferedOutput
  private var table: TextTable
  private var json = JSONWriter()
  private var isFirst = true

  package init(
    _ format: RowFormat,
    schema: String,
    columns: [(name: String, isNumeric: Bool)],
    descriptor: Int32 = STDOUT_FILENO
  ) {
    output = BufferedOutput(to: descriptor)
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
      output.write(values.map { Self.csv($0) }.joined(separator: ",") + "\r\n")
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

  package mutating func end() {
    switch format {
    case .text: for line in table.lines() { output.write(line + "\n") }
    case .json: output.write(isFirst ? "]}\n" : "\n]}\n")
    case .jsonl, .csv: break
    }
  }

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

  /// RFC 4180: quotes where needed; nothing for what is not known.
  package static func csv(_ value: FieldValue) -> String {
    switch value {
    case .none: return ""
    case .number(let number), .time(let number), .duration(let number): return String(number)
    case .address, .flag: return value.display
    case .text(let text):
      // A control character in a cell could still reach a terminal; a spreadsheet needs none.
      let text = String(escaping: text.utf8)
      guard text.contains(where: { ",\"".contains($0) }) else { return text }
      return "\""
        + text.split(separator: "\"", omittingEmptySubsequences: false)
        .joined(separator: "\"\"") + "\""
    }
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
