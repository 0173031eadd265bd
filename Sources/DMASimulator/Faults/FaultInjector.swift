// SPDX-License-Identifier: MIT
import DMADebugCore

/// Decides when a driver makes which mistake, and keeps a list of those it made.
public final class FaultInjector {
  private struct Planned {
    var plan: FaultPlan
    /// The opportunity at which it is made next.
    var next: UInt64
  }

  private unowned let machine: Machine
  @exclusivity(unchecked) private var planned: [Planned]
  private var random: SeededRandom
  @exclusivity(unchecked) private var opportunities: UInt64 = 0
  @exclusivity(unchecked) private var nextOpportunity: UInt64
  private var hasOverflowed = false
  private var isBusy = false
  private var hasSorted = false
  /// What was done, in order.
  public private(set) var injected: [InjectedFault] = []
  /// How often each mistake was made, by its number.
  public private(set) var counts = [UInt64](repeating: 0, count: Fault.allCases.count)
  /// What was asked for.
  private let plans: [FaultPlan]
  private static let maximumRecords = 1 << 20

  init(_ machine: Machine, _ plans: [FaultPlan], seed: UInt64) {
    self.machine = machine
    self.plans = plans
    random = SeededRandom(seed: seed ^ 0x0f0f_1234_5678_9abc)
    planned = []
    nextOpportunity = .max
    for (index, plan) in plans.enumerated() {
      // The first ones come soon, one after the other, so that short runs show something.
      planned.append(Planned(plan: plan, next: UInt64(8 + 4 * index)))
    }
    nextOpportunity = planned.map(\.next).min() ?? .max
  }

  /// The driver of a device maps something: perhaps it does something wrong besides.
  @inline(__always)
  func opportunity(_ device: Device, _ size: UInt64) {
    opportunities &+= 1
    if opportunities >= nextOpportunity { strike(device, size) }
  }

  /// Mistakes that were asked for and never made, and whether a driver of this machine could make
  /// them at all.
  public func unmade() -> [(fault: Fault, isPossible: Bool)] {
    var seen: Set<Fault> = []
    return plans.compactMap { plan in
      guard counts[plan.fault.rawValue] == 0, seen.insert(plan.fault).inserted else { return nil }
      let isPossible = machine.devices.contains { device in
        (plan.device == nil || plan.device == device.options.name)
          && plan.fault.isPossible(machine, device)
      }
      return (plan.fault, isPossible)
    }
  }

  private func strike(_ device: Device, _ size: UInt64) {
    // Misdeeds map things themselves.
    guard !isBusy, machine.hasRoom else { return }
    isBusy = true
    defer { isBusy = false }
    if !hasSorted {
      hasSorted = true
      // What no driver of this machine can do is not waited for.
      planned.removeAll { planned in
        !machine.devices.contains { planned.plan.fault.isPossible(machine, $0) }
      }
    }
    // Of those that are due the one that has waited longest.
    let due = planned.indices.filter { index in
      let plan = planned[index].plan
      return planned[index].next <= opportunities
        && (plan.device == nil || plan.device == device.options.name)
        && plan.fault.isPossible(machine, device)
    }
    if let index = due.min(by: { planned[$0].next < planned[$1].next }) {
      let plan = planned[index].plan
      commit(plan.fault, device, size)
      if let rate = plan.perMillion {
        // A uniform distance with the right mean keeps mistakes apart.
        let mean = max(1, 1_000_000 / rate)
        planned[index].next = opportunities + 1 + random.below(2 * mean)
      } else {
        planned[index].next = .max
      }
    }
    nextOpportunity = planned.map(\.next).min() ?? .max
  }

  /// Makes a mistake now.
  public func commit(_ fault: Fault, _ device: Device, _ size: UInt64) {
    guard injected.count < Self.maximumRecords else { return }
    let before = machine.eventCount
    let number = injected.count
    let outer = machine.currentFault
    machine.currentFault = number
    var misdeed = Misdeed(machine, device, size)
    let time = machine.now
    let observed = machine.observations.count
    misdeed.commit(fault)
    machine.currentFault = outer
    // When earlier leaks have used everything up, there is nothing left to do it with.
    let wasPossible = !machine.observations[observed...].contains { $0.kind.isExhaustion }
    var reports = wasPossible ? fault.reports(machine, device) : []
    if fault == .overlapOverflow, !hasOverflowed {
      hasOverflowed = true
      reports.insert(.exceededOverlap)
    }
    counts[fault.rawValue] += 1
    injected.append(
      InjectedFault(
        number: number,
        fault: fault,
        device: device.options.name,
        time: time,
        events: before..<machine.eventCount,
        reports: reports,
        observations: wasPossible ? fault.observations(machine, device) : [],
        leaksMapping: misdeed.leaksMapping,
        leaksResources: misdeed.leaksResources,
        text: misdeed.text
      )
    )
  }
}
