// SPDX-License-Identifier: MIT
import CZstd

/// Expands zstd files, also those of several frames one after the other.
final class ZstdDecompressor: Decompressor {
  /// The largest window is 128 MiB: more would be memory that a small file asks for.
  private static let windowLog: Int32 = 27

  private let stream: OpaquePointer
  private var isComplete = true

  init?() {
    guard let stream = ZSTD_createDStream() else { return nil }
    self.stream = stream
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLog)
  }

  deinit {
    ZSTD_freeDStream(stream)
  }

  func expand(
    _ input: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Expansion {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    var problem: String?
    while target.pos < target.size {
      let before = (source.pos, target.pos)
      let result = ZSTD_decompressStream(stream, &target, &source)
      if ZSTD_isError(result) != 0 {
        problem = String(cString: ZSTD_getErrorName(result))
        break
      }
      if (source.pos, target.pos) == before { break }
      isComplete = result == 0
    }
    return Expansion(
      used: source.pos,
      made: target.pos,
      isComplete: isComplete,
      problem: problem
    )
  }
}

/// Expands blocks of known size; keeps its working memory from one to the next.
final class ZstdBlocks {
  private let context: OpaquePointer?

  init() {
    context = ZSTD_createDCtx()
  }

  deinit {
    ZSTD_freeDCtx(context)
  }

  /// Expands one block.
  ///
  /// - Returns: whether the block was whole and had that size.
  func expand(
    _ block: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard let context else { return false }
    let result = ZSTD_decompressDCtx(
      context,
      output.baseAddress,
      output.count,
      block.baseAddress,
      block.count
    )
    return ZSTD_isError(result) == 0 && result == output.count
  }
}
