// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reads a trace.dat of `trace-cmd`, version 6 or 7.
///
/// Records of all CPUs and buffers come in the order of their time. A reader holds one window of
/// the file for each CPU, whatever the length of the capture.
public struct TraceDatReader: TraceReader {
  private static let patience: UInt64 = 1 << 17

  private let file: TraceDatFile
  private var streams: [RingBufferStream] = []
  /// Streams that have a record, as a heap by time.
  private var heap: [HeapEntry] = []
  private var decoder: RecordDecoder
  private var isDone = false
  private let isPlainClock: Bool
  private var watch = InputEnd.Watch()

  private struct HeapEntry {
    var time: UInt64
    var stream: Int

    @inline(__always)
    func isBefore(_ other: HeapEntry) -> Bool {
      time != other.time ? time < other.time : stream < other.stream
    }
  }

  /// Opens the file.
  ///
  /// - Throws: ``TraceError`` when too little of it is left to read any record.
  init(_ bytes: RandomAccessBytes) throws(TraceError) {
    try self.init(TraceDatFile(bytes))
  }

  init(_ file: TraceDatFile) {
    self.file = file
    isPlainClock = file.clock.isPlain
    decoder = RecordDecoder(plans: file.plans, symbols: file.symbols)
    decoder.readTasks(file.tasks)
    decoder.text.summary.dialect = "trace.dat version \(file.version)"
    decoder.text.summary.isBinary = true
    decoder.text.summary.damage = file.bytes.isCut ? nil : file.problem
    decoder.text.summary.overwrittenEvents = file.overwritten
    if !file.release.isEmpty {
      decoder.text.summary.kernelRelease = String(escaping: file.release.prefix(64))
    }
    let ticks = ["counter", "uptime", "x86-tsc", "tsc", "ppc-tb", "arm-cntvct"]
    if file.clock.multiplier == 0, ticks.contains(String(decoding: file.clockName, as: UTF8.self)) {
      decoder.text.summary.clock = .ticks
    }
    streams = Self.streams(of: file)
    fillHeap()
  }

  /// The records of all CPUs and buffers, from their beginning or from marks on.
  private static func streams(
    of file: TraceDatFile,
    at marks: [ReaderMark.Stream]? = nil
  ) -> [RingBufferStream] {
    let budget = MemoryBudget()
    let count = file.buffers.reduce(0) { $0 + $1.streams.count }
    var streams: [RingBufferStream] = []
    for buffer in file.buffers {
      for stream in buffer.streams {
        streams.append(
          RingBufferStream(
            cpu: stream.cpu,
            file.bytes,
            from: stream.offset,
            size: stream.size,
            layout: file.layout(of: buffer),
            compression: buffer.isPacked ? file.compression : .none,
            budget: budget,
            streams: count,
            at: marks?[streams.count]
          )
        )
      }
    }
    return streams
  }

  public var names: TraceNames {
    get { decoder.text.names }
    set { decoder.text.names = newValue }
  }

  public var summary: TraceSummary { decoder.text.summary }

  public var progress: (read: UInt64, total: UInt64?) {
    var read: UInt64 = 0
    var total: UInt64 = 0
    for stream in streams {
      read += stream.bytesRead
      total += stream.end - min(stream.start, stream.end)
    }
    return (read, total)
  }

  public var liveDescriptor: Int32? { nil }

  // MARK: Merging

  private mutating func fillHeap() {
    heap.removeAll()
    for index in streams.indices where !streams[index].isDone {
      heap.append(HeapEntry(time: time(of: index), stream: index))
    }
    var parent = heap.count / 2
    while parent > 0 {
      parent -= 1
      sink(parent)
    }
  }

  @inline(__always)
  private func time(of index: Int) -> UInt64 {
    let stream = streams[index]
    return isPlainClock
      ? stream.recordTime : file.clock.time(stream.recordTime, cpu: stream.cpu)
  }

  private mutating func sink(_ start: Int) {
    var place = start
    let entry = heap[place]
    while true {
      var child = 2 * place + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
      guard heap[child].isBefore(entry) else { break }
      heap[place] = heap[child]
      place = child
    }
    heap[place] = entry
  }

  public mutating func read(into batch: inout EventBatch) throws(TraceError) -> Bool {
    decoder.text.begin(&batch)
    if watch.ends() {
      heap.removeAll()
      isDone = true
    }
    var left = Self.patience
    while let top = heap.first {
      let stream = streams[top.stream]
      // The others wait until this one has caught up with them.
      var limit = HeapEntry(time: .max, stream: .max)
      if heap.count > 1 { limit = heap[1] }
      if heap.count > 2, heap[2].isBefore(limit) { limit = heap[2] }
      var entry = top
      repeat {
        if let count = stream.loss {
          decoder.lost(count, cpu: stream.cpu, time: entry.time, &batch)
        }
        decoder.decode(
          stream.record,
          stream.recordLength,
          RecordDecoder.Header(cpu: stream.cpu, time: entry.time),
          into: &batch
        )
        stream.advance()
        left -= 1
        if stream.isDone { break }
        entry.time = time(of: top.stream)
      } while entry.isBefore(limit) && left > 0 && !TextDecoder.isFull(batch)
      if stream.isDone {
        if let last = heap.popLast(), !heap.isEmpty {
          heap[0] = last
          sink(0)
        }
      } else {
        heap[0] = entry
        sink(0)
      }
      if left == 0 || TextDecoder.isFull(batch) {
        decoder.text.finish(&batch, holding: true)
        return true
      }
    }
    decoder.text.finish(&batch, holding: false)
    if !isDone {
      isDone = true
      finish()
    }
    return !batch.events.isEmpty
  }

  /// Says what is missing.
  private mutating func finish() {
    if decoder.text.summary.damage == nil, !file.bytes.isCut {
      decoder.text.summary.damage = streams.lazy.compactMap(\.problem).first
    }
  }
}

extension TraceDatReader: RewindableReader {
  public var isRewindable: Bool { true }

  public func has(_ mark: ReaderMark) -> Bool { true }

  public func mark() -> ReaderMark {
    ReaderMark(
      offset: progress.read,
      decoder: decoder.text.atRest,
      done: isDone,
      streams: streams.map(\.mark),
      records: decoder.recordCount
    )
  }

  public func resumed(at mark: ReaderMark) throws(TraceError) -> any RewindableReader {
    // Tasks, symbols and names that are known by now serve as well.
    var reader = self
    reader.watch = InputEnd.Watch()
    if let state = mark.decoder {
      reader.decoder.text = state
      reader.decoder.text.names = names
    }
    reader.decoder.recordCount = mark.records
    reader.isDone = mark.done
    reader.streams = Self.streams(of: file, at: mark.streams)
    reader.fillHeap()
    return reader
  }
}
