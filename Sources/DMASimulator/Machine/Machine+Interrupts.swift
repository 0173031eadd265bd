// SPDX-License-Identifier: MIT

/// An interrupt that a device will raise.
struct PendingInterrupt {
  /// Nanoseconds of simulated time.
  let time: UInt64
  /// Of two at the same time the one that was asked for first comes first.
  let serial: UInt64
  /// The CPU that takes it.
  let cpu: UInt32
  let body: () -> Void
}

/// Work of devices that ends later, and the interrupts that tell so.
///
/// They come when nobody runs: while somebody waits, and between two steps of the drivers.
extension Machine {
  /// A device raises an interrupt at a time.
  ///
  /// - Parameters:
  ///   - delay: nanoseconds from now.
  ///   - cpu: takes the interrupt.
  ///   - body: the device's work and the driver's handler.
  func raise(after delay: UInt64, cpu: UInt32, _ body: @escaping () -> Void) {
    sharing.interruptSerial += 1
    let interrupt = PendingInterrupt(
      time: now &+ delay,
      serial: sharing.interruptSerial,
      cpu: cpu,
      body: body
    )
    // The list is short and sorted, the next one last.
    var index = sharing.interrupts.count
    while index > 0, sharing.interrupts[index - 1].time <= interrupt.time { index -= 1 }
    sharing.interrupts.insert(interrupt, at: index)
  }

  /// When the next interrupt comes; `nil` when no device has any work.
  var nextInterrupt: UInt64? { sharing.interrupts.last?.time }

  /// Takes the next interrupt: time goes on to it, and its handler runs instead of the task.
  func takeInterrupt() {
    guard let interrupt = sharing.interrupts.popLast() else { return }
    if interrupt.time > now { now = interrupt.time / Self.microsecond * Self.microsecond }
    let before = (task, pid, cpu, site, currentFunction)
    switchTask("swapper/\(interrupt.cpu)", pid: 0, cpu: interrupt.cpu)
    interrupt.body()
    (task, pid, cpu, site, currentFunction) = before
  }

  /// Takes the interrupts that come up to a time.
  func takeInterrupts(until limit: UInt64) {
    while let next = nextInterrupt, next <= limit { takeInterrupt() }
  }

  /// The running task sleeps: time goes on, and what comes meanwhile is handled.
  func sleep(_ nanoseconds: UInt64) {
    let end = now &+ nanoseconds
    takeInterrupts(until: end)
    if now < end { now = end / Self.microsecond * Self.microsecond }
  }
}
