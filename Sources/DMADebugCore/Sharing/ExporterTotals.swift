// SPDX-License-Identifier: MIT

/// What an exporter of dma-bufs has, and had.
public struct ExporterTotals: Sendable {
  /// The bytes of an exporter's live buffers from a time on.
  public struct Sample: Sendable {
    public var time: UInt64
    public var bytes: UInt64
  }

  static let maximumSamples = 64

  /// Buffers that it exported.
  public private(set) var exported: UInt64 = 0
  public private(set) var live: UInt64 = 0
  /// Of the live ones.
  public private(set) var bytes: UInt64 = 0
  public private(set) var peak: UInt64 = 0
  public private(set) var peakBytes: UInt64 = 0
  /// Bytes at some moments, in order: every change at first, fewer of many.
  public private(set) var samples: [Sample] = []
  private var changes: UInt64 = 0
  private var step: UInt64 = 1

  /// - Parameter isNew: it was not counted before.
  mutating func add(_ buffer: DMABuf, isNew: Bool, at time: UInt64) {
    if isNew { exported += 1 }
    live += 1
    bytes &+= buffer.size
    peak = max(peak, live)
    peakBytes = max(peakBytes, bytes)
    sample(time)
  }

  mutating func remove(_ buffer: DMABuf, at time: UInt64) {
    live -= min(live, 1)
    bytes &-= min(bytes, buffer.size)
    sample(time)
  }

  private mutating func sample(_ time: UInt64) {
    changes += 1
    guard changes % step == 0 else { return }
    samples.append(Sample(time: time, bytes: bytes))
    if samples.count > Self.maximumSamples {
      samples = samples.enumerated().compactMap { $0.offset % 2 == 1 ? $0.element : nil }
      step *= 2
    }
  }
}
