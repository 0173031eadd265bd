// SPDX-License-Identifier: MIT
import CSQLite
import DMADebugCore

/// A database of SQLite, written from nothing or read.
///
/// The only place that knows the library. A database and its statements are used by one thread.
public final class SQLiteDatabase {
  /// What the library says went wrong.
  public struct Problem: Error, CustomStringConvertible {
    public let description: String
  }

  private var handle: OpaquePointer?

  /// Opens a database; an empty or missing file is a new one.
  ///
  /// - Throws: ``Problem``
  public init(path: String) throws(Problem) {
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    let result = sqlite3_open_v2(path, &handle, flags, nil)
    guard result == SQLITE_OK else {
      let problem = problem
      sqlite3_close(handle)
      handle = nil
      throw problem
    }
  }

  deinit {
    sqlite3_close_v2(handle)
  }

  fileprivate var problem: Problem {
    Problem(description: handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory")
  }

  /// Runs statements that give no rows.
  public func execute(_ statements: String) throws(Problem) {
    guard sqlite3_exec(handle, statements, nil, nil, nil) == SQLITE_OK else { throw problem }
  }

  /// Prepares a statement that is run many times.
  public func prepare(_ text: String) throws(Problem) -> Statement {
    var statement: OpaquePointer?
    let result = sqlite3_prepare_v3(
      handle,
      text,
      -1,
      UInt32(SQLITE_PREPARE_PERSISTENT),
      &statement,
      nil
    )
    guard result == SQLITE_OK, let statement else { throw problem }
    return Statement(statement, self)
  }

  /// Closes the file. Statements must be gone.
  public func close() throws(Problem) {
    guard sqlite3_close(handle) == SQLITE_OK else { throw problem }
    handle = nil
  }

  /// A statement with its parameters, which are numbered from 1.
  public final class Statement {
    private let handle: OpaquePointer
    private let database: SQLiteDatabase

    fileprivate init(_ handle: OpaquePointer, _ database: SQLiteDatabase) {
      self.handle = handle
      self.database = database
    }

    deinit {
      sqlite3_finalize(handle)
    }

    /// Addresses beyond 2^63 become negative: the bits stay.
    public func bind(_ index: Int, _ value: UInt64) {
      sqlite3_bind_int64(handle, Int32(index), Int64(bitPattern: value))
    }

    public func bind(_ index: Int, _ value: UInt64?) {
      if let value { bind(index, value) } else { bindNull(index) }
    }

    public func bindNull(_ index: Int) {
      sqlite3_bind_null(handle, Int32(index))
    }

    public func bind(_ index: Int, _ text: String) {
      var text = text
      text.withUTF8 { bind(index, $0) }
    }

    public func bind(_ index: Int, _ text: String?) {
      if let text { bind(index, text) } else { bindNull(index) }
    }

    /// Text that never changes and is not copied.
    public func bind(_ index: Int, _ text: StaticString) {
      text.withUTF8Buffer { bytes in
        bytes.withMemoryRebound(to: CChar.self) {
          sqlite3_bind_text(handle, Int32(index), $0.baseAddress, Int32($0.count), nil)
          return
        }
      }
    }

    private func bind(_ index: Int, _ bytes: UnsafeBufferPointer<UInt8>) {
      bytes.withMemoryRebound(to: CChar.self) { bytes in
        // The library copies the text (SQLITE_TRANSIENT).
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        // A null pointer would be NULL, not the empty text.
        _ = [CChar](repeating: 0, count: 1).withUnsafeBufferPointer { empty in
          let start = bytes.baseAddress ?? empty.baseAddress
          return sqlite3_bind_text(handle, Int32(index), start, Int32(bytes.count), copies)
        }
      }
    }

    /// Runs a statement that gives no rows, and makes it ready to run again.
    public func run() throws(Problem) {
      let result = sqlite3_step(handle)
      guard result == SQLITE_DONE || result == SQLITE_ROW else {
        let problem = database.problem
        sqlite3_reset(handle)
        throw problem
      }
      sqlite3_reset(handle)
    }

    /// Goes on to the next row.
    ///
    /// - Returns: `false` when there is none; the statement can be run again then.
    public func step() throws(Problem) -> Bool {
      switch sqlite3_step(handle) {
      case SQLITE_ROW: return true
      case SQLITE_DONE:
        sqlite3_reset(handle)
        return false
      default:
        let problem = database.problem
        sqlite3_reset(handle)
        throw problem
      }
    }

    /// Ends a statement of which not all rows were wanted.
    public func reset() {
      sqlite3_reset(handle)
    }

    /// The names of the columns.
    public var columns: [String] {
      (0..<sqlite3_column_count(handle)).map { column in
        sqlite3_column_name(handle, column).map { String(cString: $0) } ?? ""
      }
    }

    /// A number of the row at hand, columns counted from 0; `nil` for NULL.
    public func number(_ column: Int) -> Int64? {
      let column = Int32(column)
      return sqlite3_column_type(handle, column) == SQLITE_NULL
        ? nil : sqlite3_column_int64(handle, column)
    }

    /// A text of the row at hand, numbers as text; `nil` for NULL.
    public func text(_ column: Int) -> String? {
      sqlite3_column_text(handle, Int32(column)).map { start in
        let count = Int(sqlite3_column_bytes(handle, Int32(column)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
      }
    }
  }
}
