// SPDX-License-Identifier: MIT

/// The fences that order the work of devices, and their timelines.
///
/// A fence is forgotten when it is signaled, no buffer has it and nobody waits for it.
struct FenceTracker: Sendable {
  static let maximumFences = 1 << 16
  static let maximumTimelines = 1 << 14

  private var byKey: [DMAFence.Key: DMAFence] = [:]
  private var byContext: [UInt64: FenceTimeline] = [:]
  /// Fences in the order of their coming.
  private var queue: [DMAFence.Key] = []
  private var first = 0
  /// Fences that are not signaled.
  private(set) var pending = 0
  private(set) var signaledCount: UInt64 = 0

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    byKey.values.reduce(byKey.storageBytes) { $0 + $1.waiters.storageBytes }
      + byContext.storageBytes + queue.storageBytes
  }

  subscript(_ key: DMAFence.Key) -> DMAFence? { byKey[key] }

  /// All fences that are remembered, by context and number.
  var all: [DMAFence] {
    byKey.values.sorted { ($0.key.context, $0.key.sequence) < ($1.key.context, $1.key.sequence) }
  }

  /// All timelines, by context.
  var timelines: [FenceTimeline] { byContext.values.sorted { $0.context < $1.context } }

  /// Whether there were fences other than the one of context 0, which each kernel makes as it boots.
  var hasFences: Bool { byContext.count > (byContext[0] == nil ? 0 : 1) }

  func timeline(_ context: UInt64) -> FenceTimeline? { byContext[context] }

  /// How many fences of a buffer are not signaled.
  func pending(of buffer: DMABuf) -> Int {
    buffer.pendingFences.count { byKey[$0.fence]?.isSignaled == false }
  }

  /// - Returns: whether the fence of the event is remembered.
  mutating func apply(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) -> Bool {
    let key = event.fenceKey
    let begins = event.kind == .fenceInit || event.kind == .fenceEmit
    if event.kind == .fenceInit, let old = byKey[key] {
      // A number that comes again, as of the kernel's stub.
      if !old.isSignaled { pending -= 1 }
      byKey[key] = nil
    }
    if byKey[key] == nil {
      guard event.kind != .fenceDestroy else { return false }
      makeRoom(&evidence)
      var fence = DMAFence(
        key: key,
        driver: event.driver,
        timeline: event.timeline,
        first: event,
        order: evidence.takeOrder(),
        isKnown: begins
      )
      // Fences of a context signal in order: an earlier one was signaled and is forgotten.
      fence.isSignaled =
        !begins
        && byContext[key.context].map {
          $0.lastSignaled ?? 0 >= key.sequence && $0.signaled > 0
        } ?? false
      if !fence.isSignaled { pending += 1 }
      byKey[key] = fence
      queue.append(key)
    }
    guard let index = byKey.index(forKey: key) else { return false }
    let names = Self.names(of: event)
    if event.driver != .unknown, names || byKey.values[index].driver == .unknown {
      byKey.values[index].driver = event.driver
    }
    if event.timeline != NameTable.unknown,
      names || byKey.values[index].timeline == NameTable.unknown
    {
      byKey.values[index].timeline = event.timeline
    }
    noteTimeline(event, &evidence)
    switch event.kind {
    case .fenceEnableSignal: byKey.values[index].isWanted = true
    case .fenceSignaled: signaled(key, event)
    case .fenceWaitStart:
      byKey.values[index].isWanted = true
      if byKey.values[index].waiters.count < 64 {
        byKey.values[index].waiters.append(event)
      }
    case .fenceWaitEnd:
      if let waiter = byKey.values[index].waiters.firstIndex(where: { $0.pid == event.pid }) {
        byKey.values[index].waiters.remove(at: waiter)
      }
      forget(key)
    case .fenceDestroy:
      let fence = byKey.values[index]
      if !fence.isSignaled, evidence.isKnown(fence), fence.isWanted {
        Self.neverSignaled(fence, at: event, 1, &log)
      }
      if !fence.isSignaled { pending -= 1 }
      byKey[key] = nil
    default: break
    }
    return true
  }

  /// Whether an event has the names that the driver gave: since 6.17 some events of a fence that is
  /// signaled have `detached-driver` and `signaled-timeline` in their place.
  private static func names(of event: DMAEvent) -> Bool {
    switch event.kind {
    case .fenceWaitStart, .fenceWaitEnd, .fenceDestroy: false
    default: true
    }
  }

  private mutating func makeRoom(_ evidence: inout SharingEvidence) {
    while byKey.count >= Self.maximumFences, first < queue.count {
      let oldest = queue[first]
      first += 1
      guard let fence = byKey.removeValue(forKey: oldest) else { continue }
      if !fence.isSignaled {
        pending -= 1
        evidence.untracked += 1
      }
    }
    // Most of the queue are fences that are gone: keep it about as short as the table, because every
    // checkpoint copies it.
    guard queue.count > 2 * byKey.count + 1024 else { return }
    var seen = Set<DMAFence.Key>()
    queue = queue[first...].filter {
      byKey[$0] != nil && seen.insert($0).inserted
    }
    first = 0
  }

  private mutating func noteTimeline(
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence
  ) {
    let context = event.fenceKey.context
    if byContext[context] == nil {
      guard byContext.count < Self.maximumTimelines else {
        evidence.untracked += 1
        return
      }
      byContext[context] = FenceTimeline(context: context)
    }
    guard let index = byContext.index(forKey: context) else { return }
    let names = Self.names(of: event)
    if event.driver != .unknown, names || byContext.values[index].driver == .unknown {
      byContext.values[index].driver = event.driver
    }
    if event.timeline != NameTable.unknown,
      names || byContext.values[index].name == NameTable.unknown
    {
      byContext.values[index].name = event.timeline
    }
    switch event.kind {
    case .fenceEmit: byContext.values[index].emitted += 1
    case .fenceSignaled:
      byContext.values[index].signaled += 1
      byContext.values[index].lastSignaled = max(
        byContext.values[index].lastSignaled ?? 0,
        event.fenceKey.sequence
      )
      byContext.values[index].lastSignalTime = event.time
      byContext.values[index].noteSignal(event.fenceKey.sequence, at: event.time)
      guard !byContext.values[index].hasSeveralSignalers else { return }
      // An interrupt hits whatever thread runs.
      let signaler = byContext.values[index].signaler ?? event.pid
      if signaler != event.pid || event.flags.contains(.interrupt) {
        byContext.values[index].hasSeveralSignalers = true
        byContext.values[index].signaler = nil
      } else if event.pid > 0 {
        byContext.values[index].signaler = event.pid
      }
    default: break
    }
  }

  private mutating func signaled(_ key: DMAFence.Key, _ event: DMAEvent) {
    guard let index = byKey.index(forKey: key), !byKey.values[index].isSignaled else {
      return
    }
    byKey.values[index].isSignaled = true
    pending -= 1
    signaledCount += 1
    forget(key)
  }

  /// Forgets a fence that is signaled when nobody needs to know.
  mutating func forget(_ key: DMAFence.Key) {
    guard let fence = byKey[key], fence.isSignaled, fence.buffers == 0, fence.waiters.isEmpty
    else { return }
    // Its destruction is of no interest any more.
    byKey[key] = nil
  }

  /// A reservation object lets go of a fence.
  mutating func release(_ key: DMAFence.Key) {
    guard let index = byKey.index(forKey: key) else { return }
    byKey.values[index].buffers -= min(byKey.values[index].buffers, 1)
    forget(key)
  }

  /// `dma_resv_add_fence`: into the place of an earlier one of its context, or of a signaled one.
  mutating func add(
    _ event: DMAEvent,
    to buffer: inout DMABuf,
    _ evidence: inout SharingEvidence
  ) {
    let key = event.fenceKey
    guard let index = byKey.index(forKey: key) else { return }
    let reservation = DMABuf.Reservation(
      fence: key,
      usage: event.fenceUsage,
      order: evidence.takeOrder()
    )
    var replaced: DMAFence.Key?
    let place = buffer.fences.firstIndex { old in
      if old.fence.context == key.context, old.usage >= reservation.usage,
        key.sequence >= old.fence.sequence
      {
        return true
      }
      return byKey[old.fence]?.isSignaled ?? true
    }
    if let place {
      replaced = buffer.fences[place].fence
      buffer.fences[place] = reservation
    } else if buffer.fences.count < DMABuf.rememberedFences {
      buffer.fences.append(reservation)
    } else {
      evidence.untracked += 1
      return
    }
    var dropped: [DMAFence.Key] = []
    buffer.pendingFences.removeAll { old in
      guard byKey[old.fence]?.isSignaled ?? true else { return false }
      dropped.append(old.fence)
      return true
    }
    if !byKey.values[index].isSignaled, buffer.pendingFences.count < DMABuf.rememberedFences {
      buffer.pendingFences.append(reservation)
      byKey.values[index].buffers += 1
    }
    byKey.values[index].buffers += 1
    if let replaced { release(replaced) }
    for key in dropped { release(key) }
  }

  /// A fence that somebody must wait for before touching the bytes of a buffer, and has not.
  ///
  /// - Parameter driver: of the device, which need not wait for what was asked of it, nor for what was
  ///   asked of others later; unknown for the CPU.
  func access(
    _ event: DMAEvent,
    of buffer: DMABuf,
    by driver: DriverID,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) {
    let isWriter = event.direction != .toDevice
    var limit = UInt64.max
    if driver != .unknown {
      for reservation in buffer.pendingFences where byKey[reservation.fence]?.driver == driver {
        limit = min(limit, reservation.order)
      }
    }
    for reservation in buffer.pendingFences where reservation.order < limit {
      guard let fence = byKey[reservation.fence], !fence.isSignaled, evidence.isKnown(fence) else {
        continue
      }
      if driver != .unknown, fence.driver == driver { continue }
      // Readers wait for the kernel and for writers, writers for readers too.
      guard reservation.usage <= (isWriter ? 2 : 1) else { continue }
      var incident = SharingIncident(kind: .accessWithoutFence, event: event)
      incident.origin = fence.first
      incident.inode = buffer.inode
      incident.fence = fence.key
      incident.detail = isWriter ? 1 : 0
      log.report(incident)
      return
    }
  }

  private static func neverSignaled(
    _ fence: DMAFence,
    at event: DMAEvent,
    _ detail: UInt64,
    _ log: inout IncidentLog
  ) {
    var incident = SharingIncident(kind: .neverSignaled, event: event, origin: fence.first)
    incident.fence = fence.key
    incident.value = UInt64(fence.waiters.count)
    incident.detail = detail
    log.report(incident)
  }

  /// Who waits for whom in the end, and what was passed over.
  ///
  /// A wait that is open when the trace ends may end the next moment, and whoever asks whether a fence
  /// is signaled signals it: only threads that have waited for each other for long, without a signal
  /// of their timelines since, say something.
  mutating func finish(_ evidence: SharingEvidence, _ log: inout IncidentLog) {
    for index in byContext.values.indices {
      byContext.values[index].settle(at: evidence.lastTime)
    }
    let wanted = all.filter { !$0.isSignaled && evidence.isKnown($0) && $0.isWanted }
    var waitsFor: [Int32: Int32] = [:]
    for fence in wanted {
      for waiter in fence.waiters {
        if let signaler = hangs(waiter, fence, evidence) { waitsFor[waiter.pid] = signaler }
      }
    }
    // Threads of which it is said.
    var circles: Set<Int32> = []
    for fence in wanted {
      if let waiter = fence.waiters.first(where: { hangs($0, fence, evidence) != nil }) {
        var circle = [waiter.pid]
        var thread = waitsFor[waiter.pid]
        while let next = thread, next != waiter.pid, circle.count <= 64 {
          circle.append(next)
          thread = waitsFor[next]
        }
        if thread == waiter.pid, circle.count > 1 {
          guard circles.isDisjoint(with: circle) else { continue }
          circles.formUnion(circle)
          var incident = SharingIncident(kind: .deadlock, event: waiter, origin: fence.first)
          incident.fence = fence.key
          incident.value = UInt64(circle.count)
          incident.detail = (evidence.lastTime &- waiter.time) / 1_000_000
          log.report(incident)
          continue
        }
      }
      if let settled = byContext[fence.key.context]?.settled,
        settled > fence.key.sequence
      {
        Self.neverSignaled(fence, at: fence.waiters.first ?? fence.first, 4, &log)
      }
    }
  }

  /// The thread that signaled the timeline of a fence for whom another one has waited long, with
  /// nothing signaled since.
  private func hangs(_ waiter: DMAEvent, _ fence: DMAFence, _ evidence: SharingEvidence) -> Int32? {
    let now = evidence.lastTime
    guard waiter.pid > 0, now >= waiter.time, now - waiter.time >= SharingEvidence.longTime,
      let timeline = byContext[fence.key.context], let signaler = timeline.signaler,
      timeline.lastSignalTime <= waiter.time
    else { return nil }
    return signaler
  }
}
