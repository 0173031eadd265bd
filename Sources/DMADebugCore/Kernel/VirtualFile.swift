// SPDX-License-Identifier: MIT

/// The files that dma-debug shows under `dma-api/`, and the list of dma-bufs.
public enum VirtualFile: String, Sendable, CaseIterable {
  case allErrors = "all_errors"
  case disabled
  case driverFilter = "driver_filter"
  case dump
  case errorCount = "error_count"
  case minFreeEntries = "min_free_entries"
  case nrTotalEntries = "nr_total_entries"
  case numErrors = "num_errors"
  case numFreeEntries = "num_free_entries"
  /// `dma_buf/bufinfo`
  case bufinfo

  /// The directories that they are in.
  public static let directories = ["dma-api", "dma_buf"]

  /// The directory that it is in.
  public var directory: String { Self.directories[self == .bufinfo ? 1 : 0] }

  /// The file with this name, given as `dump` or `dma-api/dump`.
  public init?(_ path: some Collection<UInt8>) {
    let path = String(decoding: path, as: UTF8.self)
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard let name = parts.last, let file = Self(rawValue: String(name)), parts.count <= 2,
      parts.count == 1 || parts[0] == file.directory
    else { return nil }
    self = file
  }

  /// Its path below debugfs.
  public var path: String { "\(directory)/\(rawValue)" }

  /// Permission bits as `ls -l` shows them.
  public var mode: StaticString { isWritable ? "-rw-r--r--" : "-r--r--r--" }

  public var isWritable: Bool {
    switch self {
    case .allErrors, .driverFilter, .numErrors: true
    default: false
    }
  }
}

/// Why a write to a virtual file fails; the cases are the kernel's error numbers.
public enum WriteError: Error, Sendable {
  /// `EACCES`: a counter is read-only.
  case permissionDenied
  /// `EINVAL`: the file takes no writes, or the value is no number.
  case invalidArgument
  /// `ERANGE`: the number does not fit.
  case numericalResultOutOfRange

  /// The text of `strerror`.
  public var message: StaticString {
    switch self {
    case .permissionDenied: "Permission denied"
    case .invalidArgument: "Invalid argument"
    case .numericalResultOutOfRange: "Numerical result out of range"
    }
  }
}
