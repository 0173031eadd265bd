// SPDX-License-Identifier: MIT
import Glibc
import Synchronization

/// A file without a name, which is gone with the program: what cannot be kept in memory and cannot be
/// read again goes there.
///
/// Together such files hold no more than ``limit``, because a small input may expand without end.
public final class TemporaryFile: Sendable {
  private struct Budget {
    var limit: UInt64 = 2 << 30
    var used: UInt64 = 0
  }

  private static let budget = Mutex(Budget())

  /// The most bytes in temporary files; 2 GiB unless somebody says otherwise.
  public static var limit: UInt64 {
    get { budget.withLock { $0.limit } }
    set { budget.withLock { $0.limit = newValue } }
  }

  let descriptor: Int32
  private let size = Mutex<UInt64>(0)

  /// Opens one in `TMPDIR`, or in `/tmp`.
  ///
  /// - Throws: ``TraceError`` when it cannot be made there.
  init() throws(TraceError) {
    descriptor = try Self.open()
  }

  deinit {
    close(descriptor)
    let size = size.withLock { $0 }
    Self.budget.withLock { $0.used -= size }
  }

  /// Appends bytes.
  ///
  /// - Parameter owner: what error messages call the cause.
  /// - Throws: ``TraceError`` when the disk is full, or when it would be more than ``limit``.
  func append(_ bytes: UnsafeRawBufferPointer, for owner: String) throws(TraceError) {
    let count = UInt64(bytes.count)
    let (isWithin, limit) = Self.budget.withLock { budget in
      let isWithin = budget.used <= budget.limit && count <= budget.limit - budget.used
      if isWithin { budget.used += count }
      return (isWithin, budget.limit)
    }
    guard isWithin else {
      throw TraceError(
        path: owner,
        problem: "needs more than \(Self.shown(limit)) of temporary files",
        advice: "--spool-limit SIZE allows more; TMPDIR is where they are"
      )
    }
    size.withLock { $0 += count }
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.full(Self.directory)
      }
      done += count
    }
  }

  private static func shown(_ bytes: UInt64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] as [(UInt64, String)]
    where bytes >> shift > 0 && bytes & (1 << shift - 1) == 0 {
      return "\(bytes >> shift) \(unit)"
    }
    return "\(bytes) bytes"
  }

  private static var directory: String {
    getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  }

  /// Opens a file without a name whose size somebody else bounds.
  ///
  /// - Returns: its descriptor, which the caller closes.
  static func open() throws(TraceError) -> Int32 {
    let directory = Self.directory
    var path = Array((directory + "/dmatop-XXXXXX").utf8CString)
    let descriptor = path.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
    guard descriptor >= 0 else { throw full(directory) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = path.withUnsafeBufferPointer { unlink($0.baseAddress!) }
    return descriptor
  }

  /// What `errno` says of a temporary file.
  static func failure(_ what: String) -> TraceError {
    TraceError(
      path: "temporary file",
      problem: "\(what): \(String(cString: strerror(errno)))",
      advice: "set TMPDIR to a directory with room"
    )
  }

  private static func full(_ directory: String) -> TraceError {
    TraceError(
      path: String(escaping: directory.utf8),
      problem: "cannot hold a temporary file: \(String(cString: strerror(errno)))",
      advice: "set TMPDIR to a directory with room"
    )
  }
}
