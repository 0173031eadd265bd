// SPDX-License-Identifier: MIT
import DMADebugCore

/// Totals of a replay, by device and by map site.
public struct Statistics: Sendable {
  /// What one device did, or all together.
  public struct Totals: Sendable {
    /// Mappings alive now, and the most at any time.
    public var live: UInt64 = 0
    public var peakLive: UInt64 = 0
    /// Bytes mapped now, and the most at any time.
    public var liveBytes: UInt64 = 0
    public var peakBytes: UInt64 = 0
    /// Mappings made and freed (each segment of a list counts), and calls of sync.
    public var maps: UInt64 = 0
    public var unmaps: UInt64 = 0
    public var syncs: UInt64 = 0
    /// Bytes ever mapped.
    public var bytes: UInt64 = 0
    /// Errors that dma-debug reports.
    public var errors: UInt64 = 0
    /// Maps that failed.
    public var failedMaps: UInt64 = 0
    /// Times that data was bounced through swiotlb.
    public var bounces: UInt64 = 0
    /// From map to unmap, in nanoseconds or ticks.
    public var lifetimes = LogHistogram()

    public init() {}

    /// Nothing was ever counted.
    public var isIdle: Bool {
      maps == 0 && peakLive == 0 && syncs == 0 && errors == 0 && failedMaps == 0 && bounces == 0
    }

    /// Adds the totals of another device; peaks add up to an upper bound.
    public mutating func add(_ other: Totals) {
      live += other.live
      peakLive += other.peakLive
      liveBytes &+= other.liveBytes
      peakBytes &+= other.peakBytes
      maps += other.maps
      unmaps += other.unmaps
      syncs += other.syncs
      bytes &+= other.bytes
      errors += other.errors
      failedMaps += other.failedMaps
      bounces += other.bounces
      lifetimes.merge(other.lifetimes)
    }

    /// - Parameter isAdopted: It was alive before the first event and is no map of the trace.
    mutating func map(_ size: UInt64, isAdopted: Bool) {
      live += 1
      liveBytes &+= size
      if !isAdopted {
        maps += 1
        bytes &+= size
      }
      peakLive = max(peakLive, live)
      peakBytes = max(peakBytes, liveBytes)
    }

    /// - Parameter lifetime: `nil` when nobody knows since when it was mapped.
    mutating func unmap(_ size: UInt64, lifetime: UInt64?) {
      live -= 1
      unmaps += 1
      liveBytes &-= size
      if let lifetime { lifetimes.add(lifetime) }
    }
  }

  /// Where mappings that are alive were made.
  public struct Site: Sendable {
    /// A call stack, a number into ``TraceNames/stacks``.
    public var stack: UInt32
    public var live: UInt64 = 0
    public var liveBytes: UInt64 = 0
    public var maps: UInt64 = 0
  }

  public private(set) var total = Totals()
  /// By device number.
  public private(set) var devices: [Totals] = []
  /// By stack number.
  public private(set) var sites: [Site] = []
  public private(set) var firstTime: UInt64?
  /// Events of the `dma:` system.
  public private(set) var dmaEvents: UInt64 = 0
  public private(set) var lastTime: UInt64 = 0

  public init() {}

  /// Takes in an event that was just applied, with what came of it: changes and reports.
  public mutating func observe(_ event: DMAEvent, _ output: borrowing EngineOutput) {
    note(event)
    for change in output.changes { take(change, at: event.time) }
    count(output.reports)
  }

  private mutating func note(_ event: DMAEvent) {
    if firstTime == nil { firstTime = event.time }
    lastTime = max(lastTime, event.time)
    if event.kind.isCall { dmaEvents += 1 }
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice, .syncSGForCPU, .syncSGForDevice:
      with(event.device) { $0.syncs += 1 }
    case .swiotlbBounced:
      with(event.device) { $0.bounces += 1 }
    case .mapPage, .mapResource, .mapPhys:
      if event.dmaAddress == .max { with(event.device) { $0.failedMaps += 1 } }
    case .alloc, .allocPages:
      if event.address == 0 { with(event.device) { $0.failedMaps += 1 } }
    case .mapSGError, .allocSGTableError:
      with(event.device) { $0.failedMaps += 1 }
    default:
      break
    }
  }

  /// Takes in what stood in the output before the first event, or came with the end of the stream.
  public mutating func observe(_ output: borrowing EngineOutput) {
    for change in output.changes { take(change, at: 0) }
    count(output.reports)
  }

  private mutating func count(_ reports: [Report]) {
    for report in reports where report.kind.isError {
      with(report.device) { $0.errors += 1 }
    }
  }

  private mutating func take(_ change: MappingChange, at time: UInt64) {
    if change.isAdded {
      with(change.device) { $0.map(change.size, isAdopted: change.isAdopted) }
    } else {
      let lifetime = time >= change.time ? time - change.time : 0
      let known = change.isAdopted ? nil : lifetime
      with(change.device) { $0.unmap(change.size, lifetime: known) }
    }
    guard change.stack != StackTable.none else { return }
    let stack = Int(change.stack)
    while sites.count <= stack { sites.append(Site(stack: UInt32(sites.count))) }
    if change.isAdded {
      sites[stack].live += 1
      sites[stack].liveBytes &+= change.size
      sites[stack].maps += 1
    } else {
      sites[stack].live -= 1
      sites[stack].liveBytes &-= change.size
    }
  }

  private mutating func with(_ device: DeviceID, _ change: (inout Totals) -> Void) {
    let index = Int(device.rawValue)
    if index >= devices.count {
      devices.append(contentsOf: repeatElement(Totals(), count: index + 1 - devices.count))
    }
    change(&devices[index])
    change(&total)
  }
}
