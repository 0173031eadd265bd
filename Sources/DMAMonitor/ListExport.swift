// SPDX-License-Identifier: MIT
import DMAExport
import DMAReplay
import DMATrace
import Glibc

/// Saves rows of a view as they are shown: filtered, sorted, marked.
enum ListExport {
  /// Writes rows to a new file; the ending of its name says how: `.csv`, `.json`, `.jsonl`, or text.
  ///
  /// - Returns: How many rows were written.
  static func write(
    _ list: any RowList,
    _ rows: [Int],
    to name: String,
    view: String
  ) throws(CommandError) -> Int {
    guard !name.isEmpty else { throw CommandError("a name is missing") }
    let format: RowFormat =
      name.hasSuffix(".csv")
      ? .csv : name.hasSuffix(".jsonl") ? .jsonl : name.hasSuffix(".json") ? .json : .text
    // Nothing that exists is overwritten: there is no undo here.
    let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw CommandError("\(displayName(name)): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var writer = RowWriter(
      format,
      schema: "dmatop.\(view)/1",
      columns: list.columns.map { ($0.name, $0.isTrailing) },
      descriptor: descriptor
    )
    writer.begin()
    for row in rows {
      writer.add(
        list.columns.indices.map { column in
          // Text is as shown, machines get the values.
          format == .text ? .text(list.text(row, column)) : list.value(row, column)
        }
      )
    }
    writer.end()
    guard writer.problem == 0 else {
      unlink(name)
      throw CommandError("\(displayName(name)): \(String(cString: strerror(writer.problem)))")
    }
    return rows.count
  }
}
