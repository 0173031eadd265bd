// SPDX-License-Identifier: MIT
import CZlib

/// Expands gzip files, also those of several members one after the other.
final class GzipDecompressor: Decompressor {
  private var stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var isAtStart = true

  init?() {
    stream.initialize(to: z_stream())
    // 15 bits of window; 16 more: with the header of gzip.
    let size = Int32(MemoryLayout<z_stream>.size)
    guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else { return nil }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func expand(
    _ input: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Expansion {
    let room = min(output.count, Int(UInt32.max))
    let given = min(input.count, Int(UInt32.max))
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    )
    stream.pointee.avail_in = UInt32(given)
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(room)
    var problem: String?
    while stream.pointee.avail_out > 0, stream.pointee.avail_in > 0 || !isAtStart {
      let before = stream.pointee.avail_in
      let filled = stream.pointee.avail_out
      let result = inflate(stream, Z_NO_FLUSH)
      if before != stream.pointee.avail_in { isAtStart = false }
      if result == Z_STREAM_END {
        // Another member may follow; zeros behind the last one are padding of a tape.
        inflateReset(stream)
        isAtStart = true
        skipPadding()
        continue
      }
      if result != Z_OK, result != Z_BUF_ERROR {
        problem = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(result)"
        break
      }
      if result == Z_BUF_ERROR
        || stream.pointee.avail_in == before && stream.pointee.avail_out == filled
      {
        break
      }
    }
    return Expansion(
      used: given - Int(stream.pointee.avail_in),
      made: room - Int(stream.pointee.avail_out),
      isComplete: isAtStart,
      problem: problem
    )
  }

  private func skipPadding() {
    while stream.pointee.avail_in > 0, stream.pointee.next_in.pointee == 0 {
      stream.pointee.next_in += 1
      stream.pointee.avail_in -= 1
    }
  }
}

enum Zlib {
  /// Expands one block (RFC 1950) of known size.
  ///
  /// - Returns: whether the block was whole and had that size.
  static func expand(
    _ block: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    var size = uLongf(output.count)
    let result = uncompress(
      output.baseAddress?.assumingMemoryBound(to: UInt8.self),
      &size,
      block.baseAddress?.assumingMemoryBound(to: UInt8.self),
      uLong(block.count)
    )
    return result == Z_OK && size == uLongf(output.count)
  }
}
