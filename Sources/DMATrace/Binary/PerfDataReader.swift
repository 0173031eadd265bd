// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reads what `perf record` wrote: a file, a pipe, or a directory of `perf record --threads`.
public struct PerfDataReader: TraceReader {
  private static let patience = 1 << 16

  private let source: ByteSource
  private var streams: [PerfStream]
  private var decoder: RecordDecoder
  private let total: UInt64?
  private let isLive: Bool
  private var knowsFormats: Bool
  private var isDone = false
  private var samplesWithoutFormats: UInt64 = 0

  /// - Parameter parts: the other files of a directory.
  /// - Throws: ``TraceError`` when its header cannot be read.
  init(_ source: ByteSource, parts: [ByteSource] = []) throws(TraceError) {
    self.source = source
    let isBigEndian = source.head.starts(with: "2ELIFREP".utf8)
    var head = Array(source.head.prefix(16))
    if isBigEndian { head.reverse() }
    guard head.count == 16 else {
      throw TraceError(
        path: source.name,
        problem: "is damaged: its header is cut off at byte \(head.count)"
      )
    }
    let isPipe = (isBigEndian ? head[0] : head[8]) == 16
    isLive = isPipe && source.isLive
    if isPipe {
      source.consume(16)
      let layout = PerfLayout()
      streams = [
        PerfStream(source, offset: 16, size: nil, layout: layout, isBigEndian: isBigEndian)
      ]
      decoder = RecordDecoder(
        plans: RecordPlans(isBigEndian: isBigEndian, longSize: 8),
        symbols: []
      )
      knowsFormats = false
      total = source.totalSize
      describe(layout)
      return
    }
    let bytes = try RandomAccessBytes(source)
    let layout = try PerfLayout(bytes, isBigEndian: isBigEndian)
    guard let formats = layout.tracingData else {
      throw TraceError(
        path: source.name,
        problem: (bytes.problem ?? layout.problem).map { "is damaged: \($0)" }
          ?? "has no tracepoints",
        advice: "record some with `perf record -e 'dma:*' -a`"
      )
    }
    streams = []
    let feeds = [try ByteSource(bytes, from: layout.data.offset)] + parts
    for (index, feed) in feeds.enumerated() {
      streams.append(
        PerfStream(
          feed,
          offset: index == 0 ? layout.data.offset : 0,
          size: index == 0 ? layout.data.size : nil,
          layout: layout,
          isBigEndian: isBigEndian
        )
      )
    }
    decoder = RecordDecoder(plans: formats.plans, symbols: formats.symbols)
    decoder.readTasks(formats.tasks)
    knowsFormats = true
    total = feeds.reduce(0) { $0 + ($1.totalSize ?? 0) }
    describe(layout)
    if !bytes.isCut, let problem = bytes.problem ?? formats.problem ?? layout.problem {
      decoder.text.summary.damage = problem
    }
  }

  private mutating func describe(_ layout: PerfLayout) {
    decoder.text.summary.dialect = "perf.data"
    decoder.text.summary.isBinary = true
    // As perf calls the idle thread.
    Array("swapper".utf8).withUnsafeBufferPointer { decoder.name(pid: 0, $0) }
    if !layout.release.isEmpty {
      decoder.text.summary.kernelRelease = String(escaping: layout.release.prefix(64))
    }
  }

  public var names: TraceNames {
    get { decoder.text.names }
    set { decoder.text.names = newValue }
  }

  public var summary: TraceSummary { decoder.text.summary }

  public var progress: (read: UInt64, total: UInt64?) {
    (streams.reduce(0) { $0 + $1.bytesRead }, total)
  }

  public var liveDescriptor: Int32? { isLive ? source.descriptor : nil }

  public mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    decoder.text.begin(&batch)
    var left = Self.patience
    while left > 0, !TextDecoder.isFull(batch), let stream = try nextStream() {
      if let formats = stream.takeTracingData() { learn(formats, stream) }
      take(stream, &batch)
      left -= 1
      if isLive, !batch.events.isEmpty, stream.isWaiting {
        decoder.text.finish(&batch, holding: false)
        return true
      }
    }
    let isEnd = left > 0 && !TextDecoder.isFull(batch)
    decoder.text.finish(&batch, holding: !isEnd)
    if isEnd, !isDone {
      isDone = true
      try finish()
    }
    return !isEnd || !batch.events.isEmpty
  }

  /// The stream with the earliest record.
  private func nextStream() throws(TraceError) -> PerfStream? {
    if streams.count == 1 { return try streams[0].hasNext() ? streams[0] : nil }
    var best: PerfStream?
    for stream in streams where try stream.hasNext() {
      if let other = best, other.ready[other.next].time <= stream.ready[stream.next].time {
        continue
      }
      best = stream
    }
    return best
  }

  private mutating func learn(_ formats: TraceDatFile, _ stream: PerfStream) {
    decoder.learn(plans: formats.plans, symbols: formats.symbols)
    decoder.readTasks(formats.tasks)
    knowsFormats = true
    if decoder.text.summary.damage == nil { decoder.text.summary.damage = formats.problem }
    describe(stream.layout)
  }

  /// Decodes the next entry of a stream.
  private mutating func take(_ stream: PerfStream, _ batch: inout EventBatch) {
    let entry = stream.ready[stream.next]
    stream.next += 1
    switch entry.kind {
    case .sample: sample(entry, stream, &batch)
    case .lost: decoder.lost(entry.number, cpu: entry.cpu, time: entry.time, &batch)
    case .task:
      stream.readyArena.withUnsafeBufferPointer { bytes in
        let name = UnsafeBufferPointer(
          rebasing: bytes[entry.offset..<entry.offset + entry.length]
        )
        decoder.name(pid: Int32(truncatingIfNeeded: entry.number), name)
      }
    case .fork:
      decoder.inherit(
        pid: Int32(truncatingIfNeeded: entry.number),
        from: Int32(truncatingIfNeeded: entry.other)
      )
    }
  }

  private mutating func sample(
    _ entry: PerfStream.Entry,
    _ stream: PerfStream,
    _ batch: inout EventBatch
  ) {
    guard knowsFormats else {
      samplesWithoutFormats += 1
      return
    }
    stream.readyArena.withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return }
      decoder.decode(
        start + entry.offset,
        entry.length,
        RecordDecoder.Header(cpu: entry.cpu, time: entry.time),
        into: &batch
      )
      guard entry.frames > 0 else { return }
      let chain = UnsafeRawPointer(start + entry.chain)
      decoder.stack(cpu: entry.cpu, &batch) { index in
        index < entry.frames
          ? chain.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) : nil
      }
    }
  }

  /// Says what is missing.
  private mutating func finish() throws(TraceError) {
    if decoder.text.summary.damage == nil {
      decoder.text.summary.damage = streams.lazy.compactMap(\.problem).first
    }
    let broken = streams.reduce(0) { $0 + $1.broken }
    decoder.text.summary.malformedLines &+= broken
    decoder.text.summary.undecoded &+= broken
    guard samplesWithoutFormats > 0 || !knowsFormats else { return }
    if source.isCut { throw source.interruption }
    throw TraceError(
      path: source.name,
      problem: streams.lazy.compactMap(\.problem).first.map { "is damaged: \($0)" }
        ?? "has no tracepoints",
      advice: "record some with `perf record -e 'dma:*' -a`"
    )
  }
}
