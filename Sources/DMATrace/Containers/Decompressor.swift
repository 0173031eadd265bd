// SPDX-License-Identifier: MIT

/// Expands a compressed stream, a piece at a time.
protocol Decompressor: AnyObject {
  /// Takes bytes from `input` and puts expanded ones into `output`.
  func expand(
    _ input: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Expansion
}

/// What a step of a ``Decompressor`` did.
struct Expansion {
  /// Bytes of the input that are used up.
  var used: Int
  /// Bytes of the output that are filled.
  var made: Int
  /// Whether the stream may end here: everything so far is complete.
  var isComplete: Bool
  /// What is wrong with the stream, or nothing.
  var problem: String?
}

/// How the bytes of a capture are packed.
enum Compression {
  case gzip
  case zstd

  /// What the first bytes of a file give away.
  init?(_ head: some Sequence<UInt8>) {
    if head.starts(with: [0x1f, 0x8b]) {
      self = .gzip
    } else if head.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
      self = .zstd
    } else {
      return nil
    }
  }

  /// How many times its size a capture expands to at most. Deflate cannot do more than 1032; texts
  /// and pages of traces stay below 100.
  var maximumRatio: UInt64 {
    switch self {
    case .gzip: 500
    case .zstd: 2000
    }
  }

  /// A fresh one; `nil` when there is no memory for it.
  func makeDecompressor() -> (any Decompressor)? {
    switch self {
    case .gzip: GzipDecompressor()
    case .zstd: ZstdDecompressor()
    }
  }
}
