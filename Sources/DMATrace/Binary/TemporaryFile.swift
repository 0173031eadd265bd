import Glibc

/// Files without a name, which are gone with the program.
enum TemporaryFile {
  /// Opens one in `TMPDIR`, or in `/tmp`.
  ///
  /// - Returns: its descriptor, which the caller closes.
  /// - Throws: ``TraceError`` when there is no room for it.
  static func open() throws(TraceError) -> Int32 {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var path = Array((directory + "/dmatop-XXXXXX").utf8CString)
    let descriptor = path.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress!) }
    guard descriptor >= 0 else { throw full(directory) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = path.withUnsafeBufferPointer { unlink($0.baseAddress!) }
    return descriptor
  }

  /// Appends bytes to one.
  static func append(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(TraceError) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw full(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
      }
      done += count
    }
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
