// SPDX-License-Identifier: MIT
import Glibc
import Synchronization

/// Several text files in one: each comes after a line `-- NAME --`.
///
/// `scripts/pack-snapshots` makes them.
public struct TextArchive: Sendable {
  private var files: [String: ArraySlice<UInt8>] = [:]

  /// The names in the order of the archive.
  public private(set) var names: [String] = []

  /// Archives that were read before: tests ask for one file after the other.
  private static let known = Mutex<[String: TextArchive]>([:])

  /// Reads an archive; an empty one when there is none.
  public static func read(_ path: String) -> TextArchive {
    if let archive = known.withLock({ $0[path] }) { return archive }
    let archive = TextArchive(Fixtures.bytes(path) ?? [])
    known.withLock { $0[path] = archive }
    return archive
  }

  public init(_ bytes: [UInt8]) {
    var name: String?
    var begin = 0
    var line = 0
    while line < bytes.count {
      let end = bytes.withUnsafeBytes { all -> Int in
        let start = all.baseAddress! + line
        return memchr(start, 0x0a, all.count - line).map { line + (UnsafeRawPointer($0) - start) }
          ?? all.count
      }
      if let next = Self.name(bytes[line..<end]) {
        if let name { files[name] = bytes[begin..<line] }
        names.append(next)
        name = next
        begin = min(end + 1, bytes.count)
      }
      line = end + 1
    }
    if let name { files[name] = bytes[begin...] }
  }

  /// The bytes of a file.
  public subscript(name: String) -> [UInt8]? { files[name].map { Array($0) } }

  private static func name(_ line: ArraySlice<UInt8>) -> String? {
    guard line.count > 6, line.starts(with: "-- ".utf8), line.suffix(3).elementsEqual(" --".utf8)
    else { return nil }
    return String(decoding: line.dropFirst(3).dropLast(3), as: UTF8.self)
  }
}
