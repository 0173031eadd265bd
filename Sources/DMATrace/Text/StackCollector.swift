// SPDX-License-Identifier: MIT
import DMADebugCore

/// Brings the stack traces of a text to the events that they belong to.
///
/// A stack follows the event of the same CPU, perhaps with events of other CPUs between them. So that
/// the end of a batch does not come between the two, a few events at its end are held back.
struct StackCollector {
  /// How many events are held back at most, once stacks have been seen.
  static let maximumHeld = 64

  /// A stack has been seen.
  private(set) var seen = false
  /// The last line belonged to a stack.
  private(set) var isCollecting = false
  /// Events that the next batch begins with.
  private(set) var held = EventBatch()

  private var frames: [UInt32] = []
  private var atTop = true
  /// Which event the stack belongs to: it was the n-th delivered one, 0 for none.
  private var target: UInt64 = 0
  private var pid: Int32 = -1
  /// For each CPU which event was its last, 0 when that was not delivered.
  private var lastOf = [UInt64](repeating: 0, count: 256)
  /// Which event the last line with an event was, 0 when that was not delivered.
  private var lastLine: UInt64 = 0

  /// The same without the spare room for what is held back, which is that of a batch.
  var atRest: StackCollector {
    var state = self
    state.held = EventBatch()
    state.held.events += held.events
    state.held.payload += held.payload
    state.held.text += held.text
    return state
  }

  /// Bytes of what is held back and of what is known of each CPU.
  var storageBytes: Int {
    held.storageBytes + frames.storageBytes + lastOf.storageBytes
  }

  /// An event was delivered, the `delivered`-th.
  @inline(__always)
  mutating func note(_ event: DMAEvent, delivered: UInt64) {
    lastLine = delivered
    let cpu = Int(event.cpu)
    if cpu < lastOf.count {
      lastOf[cpu] = delivered
    } else {
      noteHigh(cpu, delivered)
    }
  }

  @inline(never)
  private mutating func noteHigh(_ cpu: Int, _ delivered: UInt64) {
    guard cpu < Int(DMAEvent.cpuLimit) else { return }
    lastOf.append(contentsOf: repeatElement(0, count: cpu + 1 - lastOf.count))
    lastOf[cpu] = delivered
  }

  /// An event was not delivered: a stack that follows is not that of an earlier event.
  mutating func forget(cpu: UInt32) {
    lastLine = 0
    if Int(cpu) < lastOf.count { lastOf[Int(cpu)] = 0 }
  }

  /// A stack of the last event of `cpu` begins.
  mutating func begin(cpu: UInt32, pid: Int32) {
    start(Int(cpu) < lastOf.count ? lastOf[Int(cpu)] : 0, pid)
  }

  /// A stack begins that belongs to the event of the line before.
  mutating func beginAfterLine() {
    start(lastLine, -1)
  }

  /// A stack begins that belongs to nothing, such as one of user space.
  mutating func beginForeign() {
    start(0, -1)
  }

  private mutating func start(_ event: UInt64, _ pid: Int32) {
    seen = true
    isCollecting = true
    frames.removeAll(keepingCapacity: true)
    atTop = true
    target = event
    self.pid = pid
  }

  /// Whether a frame is kept: those of the tracer itself at the top are not.
  mutating func wants(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard target != 0, frames.count < StackTable.maximumDepth else { return false }
    if atTop, Self.isTracer(name) { return false }
    atTop = false
    return true
  }

  /// A frame, from the innermost on.
  mutating func add(_ symbol: UInt32) {
    frames.append(symbol)
  }

  /// The stack is complete.
  mutating func end(_ batch: inout EventBatch, delivered: UInt64, in table: inout StackTable) {
    isCollecting = false
    guard target != 0, target <= delivered, !frames.isEmpty else { return }
    let back = delivered - target
    guard back < UInt64(batch.events.count) else { return }
    let index = batch.events.count - 1 - Int(back)
    let owner = batch.events[index].pid
    guard pid == -1 || owner == -1 || pid == owner,
      batch.events[index].stack == StackTable.none
    else { return }
    batch.events[index].stack = table.intern(frames)
  }

  private static let tracerPrefixes: [StaticString] = [
    "trace_event_", "__traceiter_", "do_trace_event_", "trace_buffer_", "ring_buffer_",
    "perf_trace_", "__trace_stack", "ftrace_trace_", "__ftrace_trace_stack", "trace_call_bpf",
    "kprobe_trace_", "__kprobe_trace_", "kprobe_dispatcher", "kprobe_ftrace_handler",
    "kprobe_perf_func", "trace_save_cmdline", "trace_function",
  ]

  private static func isTracer(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let start = name.baseAddress else { return true }
    let cursor = Cursor(start, start + name.count)
    for prefix in tracerPrefixes where prefix.utf8CodeUnitCount <= name.count {
      if cursor.isAt(prefix) { return true }
    }
    return false
  }

  // MARK: Holding back

  /// Takes the events off the end of a batch that may still get a stack.
  mutating func hold(_ batch: inout EventBatch, delivered: UInt64) {
    let count = batch.events.count
    // Before the first stack only the last few: it has to start somewhere.
    let first = max(0, count - (seen ? Self.maximumHeld : 4))
    for index in first..<count {
      let event = batch.events[index]
      let number = delivered - UInt64(count - 1 - index)
      guard event.stack == StackTable.none, Int(event.cpu) < lastOf.count,
        lastOf[Int(event.cpu)] == number
      else { continue }
      if isSmall(batch, from: index) { move(&batch, from: index) }
      return
    }
  }

  /// Whether the events from `index` on leave room in the next batch: one that is full from the
  /// beginning would never be read on.
  private func isSmall(_ batch: EventBatch, from index: Int) -> Bool {
    var words = 0
    var bytes = 0
    for event in batch.events[index...] {
      if event.kind == .marker {
        bytes += Int(event.segmentCount)
      } else {
        words += 2 * Int(event.segmentCount) + Int(event.physicalCount)
      }
    }
    return words < TextDecoder.batchWords / 4 && bytes < TextDecoder.batchText / 4
  }

  private mutating func move(_ batch: inout EventBatch, from index: Int) {
    for var event in batch.events[index...] {
      let start = Int(event.payload)
      if event.kind == .marker {
        event.payload = UInt32(held.text.count)
        held.text.append(contentsOf: batch.text[start..<start + Int(event.segmentCount)])
      } else {
        let words = 2 * Int(event.segmentCount) + Int(event.physicalCount)
        event.payload = UInt32(held.payload.count)
        if words > 0 { held.payload.append(contentsOf: batch.payload[start..<start + words]) }
      }
      held.events.append(event)
    }
    batch.events.removeLast(batch.events.count - index)
  }

  /// Puts the events that were held back into the empty batch.
  mutating func restore(_ batch: inout EventBatch) {
    guard !held.events.isEmpty else { return }
    swap(&batch, &held)
    held.removeAll()
  }
}
