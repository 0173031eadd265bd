// SPDX-License-Identifier: MIT
import DMADebugCore

/// Fences (`drivers/dma-buf/dma-fence.c`).
extension Machine {
  /// A wait without end (`MAX_SCHEDULE_TIMEOUT`).
  public static let endless = UInt64(Int64.max)
  /// After so long a task that does not run is reported (`hung_task_timeout_secs`), in nanoseconds.
  static let hungTask: UInt64 = 120_000_000_000

  func event(_ kind: DMAEvent.Kind, _ fence: Fence) -> DMAEvent {
    var event = event(kind, nil as Device?)
    event.driver = fence.driver
    event.site = fence.timeline
    event.address = fence.context
    event.size = fence.seqno
    return event
  }

  /// An event that asks for the names by `dma_fence_driver_name()`: since 6.17 a signalled fence has
  /// none, because its driver may be gone.
  private func safeEvent(_ kind: DMAEvent.Kind, _ fence: Fence) -> DMAEvent {
    var event = event(kind, fence)
    if fence.isSignaled, options.generation.detachesSignaledFences {
      event.driver = DriverID(rawValue: names.drivers.intern("detached-driver"))
      event.site = names.timelines.intern("signaled-timeline")
    }
    return event
  }

  /// `dma_fence_context_alloc()`: the first of so many new contexts.
  @discardableResult
  public func dmaFenceContextAlloc(_ count: UInt64 = 1) -> UInt64 {
    enter(.dmaFenceContextAlloc)
    defer { sharing.nextContext &+= count }
    return sharing.nextContext
  }

  /// A timeline of a driver: a context of its own, whose fences are numbered from 1.
  func makeTimeline(_ driver: String, _ name: String) -> FenceTimeline {
    FenceTimeline(
      driver: DriverID(rawValue: names.drivers.intern(driver)),
      name: names.timelines.intern(name),
      context: dmaFenceContextAlloc()
    )
  }

  /// `dma_fence_init()`
  ///
  /// - Parameters:
  ///   - context: of ``dmaFenceContextAlloc(_:)``.
  ///   - enableSignaling: asks the hardware for an interrupt; `false` when the work is done already.
  public func dmaFenceInit(
    driver: String,
    timeline: String,
    context: UInt64,
    seqno: UInt64,
    enableSignaling: (() -> Bool)? = nil
  ) -> Fence {
    makeFence(
      driver: DriverID(rawValue: names.drivers.intern(driver)),
      timeline: names.timelines.intern(timeline),
      context: context,
      seqno: seqno,
      enableSignaling: enableSignaling
    )
  }

  /// The next fence of a timeline.
  func nextFence(_ timeline: FenceTimeline) -> Fence {
    timeline.seqno += 1
    return makeFence(
      driver: timeline.driver,
      timeline: timeline.name,
      context: timeline.context,
      seqno: timeline.seqno,
      enableSignaling: { true }
    )
  }

  private func makeFence(
    driver: DriverID,
    timeline: UInt32,
    context: UInt64,
    seqno: UInt64,
    parts: [Fence] = [],
    enableSignaling: (() -> Bool)?
  ) -> Fence {
    enter(.dmaFenceInit)
    let fence = Fence(
      driver: driver,
      timeline: timeline,
      context: context,
      seqno: seqno,
      parts: parts,
      enableSignaling: enableSignaling
    )
    emit(event(.fenceInit, fence))
    return fence
  }

  /// `dma_fence_array_create()`: is signalled when all of its fences are. Takes their references.
  public func dmaFenceArrayCreate(_ fences: [Fence], context: UInt64, seqno: UInt64) -> Fence {
    enter(.dmaFenceArrayCreate)
    return makeFence(
      driver: DriverID(rawValue: names.drivers.intern("dma_fence_array")),
      timeline: names.timelines.intern("unbound"),
      context: context,
      seqno: seqno,
      parts: fences,
      enableSignaling: nil
    )
  }

  /// `trace_dma_fence_emit`: a driver hands the work behind the fence to the hardware.
  public func dmaFenceEmit(_ fence: Fence) {
    emit(event(.fenceEmit, fence))
  }

  /// `dma_fence_get()`
  @discardableResult
  public func dmaFenceGet(_ fence: Fence) -> Fence {
    enter(.dmaFenceGet)
    fence.references += 1
    return fence
  }

  /// `dma_fence_put()`: the last one ends the fence. One that somebody still waits for is signalled
  /// with an error first, and the kernel warns.
  public func dmaFencePut(_ fence: Fence) {
    enter(.dmaFencePut)
    guard fence.references > 0 else {
      warn(nil, "refcount_t: underflow; use-after-free.")
      return
    }
    fence.references -= 1
    guard fence.references == 0 else { return }
    if !fence.isSignaled, !fence.callbacks.isEmpty {
      warn(
        nil,
        "Fence \(names.drivers.string(fence.driver.rawValue)):"
          + "\(names.timelines.string(fence.timeline)):\(String(fence.context, radix: 16)):"
          + "\(String(fence.seqno, radix: 16)) released with pending signals!"
      )
      fence.error = KernelError.deadlock
      signal(fence)
    }
    emit(safeEvent(.fenceDestroy, fence))
    for part in fence.parts { dmaFencePut(part) }
  }

  /// `dma_fence_signal()`: 0, or -EINVAL when it is signalled already.
  @discardableResult
  public func dmaFenceSignal(_ fence: Fence) -> Int {
    enter(.dmaFenceSignal)
    return signal(fence)
  }

  @discardableResult
  private func signal(_ fence: Fence) -> Int {
    guard !fence.isSignaled else { return KernelError.invalid }
    fence.isSignaled = true
    emit(event(.fenceSignaled, fence))
    let callbacks = fence.callbacks
    fence.callbacks = []
    for callback in callbacks {
      callback.calls += 1
      callback.body(fence)
    }
    return 0
  }

  /// `dma_fence_set_error()`: a negative error, before the fence is signalled.
  public func dmaFenceSetError(_ fence: Fence, _ error: Int) {
    enter(.dmaFenceSetError)
    guard !fence.isSignaled, error < 0 else {
      warn(nil, "WARNING: at include/linux/dma-fence.h: dma_fence_set_error")
      return
    }
    fence.error = error
  }

  /// `dma_fence_is_signaled()`
  public func dmaFenceIsSignaled(_ fence: Fence) -> Bool {
    enter(.dmaFenceIsSignaled)
    return fence.isSignaled
  }

  /// `dma_fence_enable_sw_signaling()`
  public func dmaFenceEnableSWSignaling(_ fence: Fence) {
    enter(.dmaFenceEnableSWSignaling)
    enableSignaling(fence)
  }

  private func enableSignaling(_ fence: Fence) {
    guard !fence.isSignalingEnabled else { return }
    fence.isSignalingEnabled = true
    guard !fence.isSignaled else { return }
    if let enable = fence.enableSignaling {
      emit(event(.fenceEnableSignal, fence))
      if !enable() { signal(fence) }
    }
    guard !fence.parts.isEmpty else { return }
    // dma_fence_array_enable_signaling
    emit(event(.fenceEnableSignal, fence))
    for part in fence.parts {
      let callback = FenceCallback { [unowned self] _ in partIsDone(fence) }
      if !add(callback, to: part) { partIsDone(fence) }
    }
  }

  private func partIsDone(_ fence: Fence) {
    fence.pendingParts -= 1
    guard fence.pendingParts == 0 else { return }
    if let failed = fence.parts.first(where: { $0.error != 0 }) { fence.error = failed.error }
    signal(fence)
  }

  /// `dma_fence_add_callback()`: 0, or -ENOENT when the fence is signalled already.
  @discardableResult
  public func dmaFenceAddCallback(_ fence: Fence, _ callback: FenceCallback) -> Int {
    enter(.dmaFenceAddCallback)
    return add(callback, to: fence) ? 0 : KernelError.noEntry
  }

  private func add(_ callback: FenceCallback, to fence: Fence) -> Bool {
    guard !fence.isSignaled else { return false }
    enableSignaling(fence)
    guard !fence.isSignaled else { return false }
    fence.callbacks.append(callback)
    return true
  }

  /// `dma_fence_remove_callback()`: whether it was still waiting.
  @discardableResult
  public func dmaFenceRemoveCallback(_ fence: Fence, _ callback: FenceCallback) -> Bool {
    enter(.dmaFenceRemoveCallback)
    guard let index = fence.callbacks.firstIndex(where: { $0 === callback }) else { return false }
    fence.callbacks.remove(at: index)
    return true
  }

  // MARK: Waiting

  /// `dma_fence_wait_timeout()`
  ///
  /// - Parameter timeout: nanoseconds, or ``endless``.
  /// - Returns: What is left of the time, at least 1; 0 when it has run out; -ERESTARTSYS when the
  ///   task had to be killed because nothing would ever signal the fence.
  @discardableResult
  public func dmaFenceWaitTimeout(_ fence: Fence, timeout: UInt64) -> Int {
    enter(.dmaFenceWaitTimeout)
    enableSignaling(fence)
    emit(safeEvent(.fenceWaitStart, fence))
    let start = now
    let end = start &+ min(timeout, Self.hungTask)
    while !fence.isSignaled, let next = nextInterrupt, next <= end { takeInterrupt() }
    let result: Int
    if fence.isSignaled {
      let used = now - start
      result = timeout == Self.endless ? Int(timeout) : Int(timeout > used ? timeout - used : 1)
    } else {
      now = max(now, end) / Self.microsecond * Self.microsecond
      result = timeout == Self.endless ? KernelError.interrupted : 0
      timeOut(fence, isHung: timeout == Self.endless)
    }
    emit(safeEvent(.fenceWaitEnd, fence))
    return result
  }

  /// A task of which nothing is seen any more: it waits for a fence that is never signalled. Only
  /// mistakes do this.
  func hang(_ fence: Fence) {
    enter(.dmaFenceWaitTimeout)
    enableSignaling(fence)
    emit(safeEvent(.fenceWaitStart, fence))
    timeOut(fence, isHung: true)
  }

  private func timeOut(_ fence: Fence, isHung: Bool) {
    if isHung {
      let name = names.tasks.string(task)
      log(nil, "INFO: task \(name):\(pid) blocked for more than 120 seconds.")
    }
    observe(isHung ? .hungTask : .fenceTimeout, nil, fence.seqno)
  }

  /// `WARN_ON()`: a line of the log, and the machine has noticed.
  func warn(_ device: Device?, _ text: String) {
    log(device, text)
    observe(.kernelWarning, device, 0)
  }
}
