// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reservation objects (`drivers/dma-buf/dma-resv.c`).
extension Machine {
  /// `dma_resv_lock()`
  ///
  /// - Parameter ticket: of a set of locks that are taken together (`ww_acquire_ctx`); 0 for none.
  /// - Returns: 0; -EALREADY when the ticket holds it; -EDEADLK when an older ticket does. Nobody else
  ///   runs, so a lock that the task itself holds without ticket is never given back: the machine
  ///   notices.
  @discardableResult
  public func dmaResvLock(_ object: ReservationObject, ticket: UInt64 = 0) -> Int {
    enter(.dmaResvLock)
    guard let holder = object.holder else {
      object.holder = ticket
      return 0
    }
    if ticket != 0, holder == ticket { return KernelError.already }
    if ticket != 0, holder != 0, holder < ticket { return KernelError.deadlock }
    log(nil, "WARNING: possible recursive locking detected")
    observe(.lockDeadlock, nil, object.inode)
    return KernelError.deadlock
  }

  /// `dma_resv_unlock()`
  public func dmaResvUnlock(_ object: ReservationObject) {
    enter(.dmaResvUnlock)
    if object.holder == nil { warn(nil, "WARNING: bad unlock balance detected!") }
    object.holder = nil
  }

  /// `ww_acquire_init()`: a ticket for locks that are taken together; a smaller one is older.
  func makeTicket() -> UInt64 {
    defer { sharing.nextTicket += 1 }
    return sharing.nextTicket
  }

  /// `dma_resv_assert_held()`
  func assertHeld(_ object: ReservationObject, _ function: String) {
    if object.holder == nil {
      warn(nil, "WARNING: \(function): lockdep_is_held(&(obj)->lock.base)")
    }
  }

  /// `dma_resv_reserve_fences()`: places for so many fences more; 0, or -EINVAL for none.
  @discardableResult
  public func dmaResvReserveFences(_ object: ReservationObject, _ count: Int) -> Int {
    enter(.dmaResvReserveFences)
    assertHeld(object, "dma_resv_reserve_fences")
    guard count > 0 else {
      warn(nil, "WARNING: dma_resv_reserve_fences without fences")
      return KernelError.invalid
    }
    object.places = max(object.places, object.fences.count + min(count, 1 << 16))
    return 0
  }

  /// `dma_resv_add_fence()`: the object takes a reference of its own. A fence takes the place of an
  /// older one of its context and of any that is signalled.
  public func dmaResvAddFence(
    _ object: ReservationObject,
    _ fence: Fence,
    _ usage: ReservationObject.Usage
  ) {
    enter(.dmaResvAddFence)
    assertHeld(object, "dma_resv_add_fence")
    var event = event(.fenceAdd, fence)
    event.dmaAddress = object.inode
    event.mappedEntries = usage.rawValue
    emit(event)
    dmaFenceGet(fence)
    let replaced = object.fences.firstIndex { old in
      old.fence.isSignaled
        || old.fence.context == fence.context && old.usage >= usage
          && fence.isLaterOrSame(old.fence)
    }
    if let replaced {
      let old = object.fences[replaced].fence
      object.fences[replaced] = (fence, usage)
      dmaFencePut(old)
      return
    }
    if object.fences.count >= object.places {
      warn(nil, "kernel BUG at drivers/dma-buf/dma-resv.c: no place was reserved")
    }
    object.fences.append((fence, usage))
    object.places = max(object.places, object.fences.count)
  }

  /// `dma_resv_wait_timeout()`: waits for the fences of a usage and those before it.
  ///
  /// - Parameter timeout: nanoseconds, or ``endless``.
  /// - Returns: What is left of the time, at least 1; 0 when it has run out; negative as
  ///   ``dmaFenceWaitTimeout(_:timeout:)``.
  @discardableResult
  public func dmaResvWaitTimeout(
    _ object: ReservationObject,
    _ usage: ReservationObject.Usage,
    timeout: UInt64
  ) -> Int {
    enter(.dmaResvWaitTimeout)
    return wait(object, usage, timeout)
  }

  func wait(_ object: ReservationObject, _ usage: ReservationObject.Usage, _ timeout: UInt64) -> Int
  {
    var left = Int(min(max(1, timeout), Self.endless))
    for entry in object.fences where entry.usage <= usage && !entry.fence.isSignaled {
      dmaFenceGet(entry.fence)
      left = dmaFenceWaitTimeout(entry.fence, timeout: UInt64(left))
      dmaFencePut(entry.fence)
      if left <= 0 { return left }
    }
    return left
  }

  /// `dma_resv_test_signaled()`
  public func dmaResvTestSignaled(
    _ object: ReservationObject,
    _ usage: ReservationObject.Usage
  ) -> Bool {
    enter(.dmaResvTestSignaled)
    return object.fences.allSatisfy { $0.usage > usage || $0.fence.isSignaled }
  }

  /// `dma_resv_get_singleton()`: the fences of a usage as one, with a reference; `nil` for none.
  public func dmaResvGetSingleton(
    _ object: ReservationObject,
    _ usage: ReservationObject.Usage
  ) -> Fence? {
    enter(.dmaResvGetSingleton)
    let fences = object.fences.filter { $0.usage <= usage && !$0.fence.isSignaled }.map(\.fence)
    guard let first = fences.first else { return nil }
    for fence in fences { dmaFenceGet(fence) }
    if fences.count == 1 { return first }
    let context = dmaFenceContextAlloc()
    return dmaFenceArrayCreate(fences, context: context, seqno: 1)
  }

  /// `dma_resv_fini()`
  func finish(_ object: ReservationObject) {
    let fences = object.fences
    object.fences = []
    for entry in fences { dmaFencePut(entry.fence) }
  }
}
