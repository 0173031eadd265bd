// SPDX-License-Identifier: MIT
import DMADebugCore

/// What every device did over time, in a bounded number of equal pieces.
///
/// Pieces double in width whenever time has outgrown them, those of all devices together.
public struct Activity: Sendable {
  public static let pieces = 256
  /// Devices beyond these are counted in the totals only.
  private static let maximumDevices = 4096

  /// A stretch of time of one device.
  public struct Piece: Sendable {
    /// Mappings made (segments of a list count one each) and syncs.
    public var maps: UInt32 = 0
    public var syncs: UInt32 = 0
    /// Bytes mapped anew.
    public var bytes: UInt64 = 0
    /// The most bytes, and the most mappings, alive at any time in it.
    public var peakBytes: UInt64 = 0
    public var peakLive: UInt32 = 0
    /// Times that data was bounced through swiotlb.
    public var bounces: UInt32 = 0
    /// Events of any kind; counted for all together only.
    public var events: UInt32 = 0

    mutating func add(_ other: Piece) {
      maps &+= other.maps
      syncs &+= other.syncs
      bytes &+= other.bytes
      peakBytes = max(peakBytes, other.peakBytes)
      peakLive = max(peakLive, other.peakLive)
      bounces &+= other.bounces
      events &+= other.events
    }
  }

  /// One device, or all together.
  public struct Series: Sendable {
    fileprivate(set) public var pieces: [Piece] = []
    /// What lives at the end of what was read.
    fileprivate var live: UInt32 = 0
    fileprivate var liveBytes: UInt64 = 0

    /// What happened in all.
    public var sum: Piece {
      var sum = Piece()
      for part in pieces { sum.add(part) }
      return sum
    }
  }

  /// By device number.
  public private(set) var devices: [Series] = []
  public private(set) var total = Series()
  /// Lifetimes of all mappings that ended, by powers of two of nanoseconds: place `n` counts those
  /// from 2^(n-1) to below 2^n, place 0 those that ended when they began.
  public private(set) var lifetimes = [UInt64](repeating: 0, count: 65)
  /// Time at which the first piece begins.
  public private(set) var start: UInt64 = 0
  /// Nanoseconds of a piece.
  public private(set) var width: UInt64 = 1 << 10
  private var isEmpty = true
  private var shift: UInt64 = 10
  private var current = 0

  public init() {}

  /// The piece that a time belongs to; beyond the last one the last one.
  public func piece(at time: UInt64) -> Int {
    let distance = time > start ? time - start : 0
    return Int(min(distance >> shift, UInt64(Self.pieces - 1)))
  }

  /// How often something happened in a second, over the second before `now` or what there is of it;
  /// `nil` when that is less than ten milliseconds.
  public func rate(_ series: Series, at now: UInt64, _ value: (Piece) -> UInt64) -> UInt64? {
    let last = piece(at: now)
    let count = max(1, Int(min(1_000_000_000 >> shift, UInt64(Self.pieces))))
    let first = max(0, last + 1 - count)
    let begin = start + UInt64(first) << shift
    guard now > begin, now - begin >= 10_000_000 else { return nil }
    var sum: UInt64 = 0
    for index in first...last where index < series.pieces.count {
      sum += value(series.pieces[index])
    }
    return UInt64(Double(sum) * 1e9 / Double(now - begin))
  }

  /// Bytes that a copy takes once everything in the original has changed.
  var storageBytes: Int {
    devices.reduce(devices.storageBytes) { $0 + $1.pieces.storageBytes }
      + total.pieces.storageBytes + lifetimes.storageBytes + MemoryLayout<Activity>.stride
  }

  /// Takes in an event; what it changed follows with ``observe(_:at:)``.
  public mutating func observe(_ event: borrowing DMAEvent) {
    note(event)
  }

  /// Takes in what the last event changed.
  public mutating func observe(_ changes: [MappingChange], at time: UInt64) {
    for change in changes { take(change, time) }
  }

  @inline(__always)
  private mutating func note(_ event: borrowing DMAEvent) {
    if isEmpty {
      isEmpty = false
      start = event.time
    }
    let distance = event.time > start ? event.time - start : 0
    while distance >> shift >= UInt64(Self.pieces) { widen() }
    current = max(current, Int(distance >> shift))
    Self.fill(&total, current)
    total.pieces[current].events &+= 1
    switch event.kind {
    case .syncSingleForCPU, .syncSingleForDevice, .syncSGForCPU, .syncSGForDevice:
      with(event.device) { series, piece in series.pieces[piece].syncs &+= 1 }
    case .swiotlbBounced:
      with(event.device) { series, piece in series.pieces[piece].bounces &+= 1 }
    default: break
    }
  }

  private mutating func take(_ change: MappingChange, _ time: UInt64) {
    if !change.isAdded, !change.isAdopted {
      let lifetime = time > change.time ? time - change.time : 0
      lifetimes[64 - lifetime.leadingZeroBitCount] += 1
    }
    with(change.device) { series, piece in
      if change.isAdded {
        series.live &+= 1
        series.liveBytes &+= change.size
        if !change.isAdopted {
          series.pieces[piece].maps &+= 1
          series.pieces[piece].bytes &+= change.size
        }
      } else {
        series.live &-= 1
        series.liveBytes &-= change.size
      }
      series.pieces[piece].peakBytes = max(series.pieces[piece].peakBytes, series.liveBytes)
      series.pieces[piece].peakLive = max(series.pieces[piece].peakLive, series.live)
    }
  }

  @inline(__always)
  private mutating func with(_ device: DeviceID, _ change: (inout Series, Int) -> Void) {
    let piece = current
    Self.fill(&total, piece)
    change(&total, piece)
    let index = Int(device.rawValue)
    guard index < Self.maximumDevices else { return }
    if index >= devices.count {
      devices.append(contentsOf: repeatElement(Series(), count: index + 1 - devices.count))
    }
    Self.fill(&devices[index], piece)
    change(&devices[index], piece)
  }

  /// What lived goes on to live in the pieces that nothing happened in.
  @inline(__always)
  private static func fill(_ series: inout Series, _ piece: Int) {
    while series.pieces.count <= piece {
      var empty = Piece()
      empty.peakBytes = series.liveBytes
      empty.peakLive = series.live
      series.pieces.append(empty)
    }
  }

  private mutating func widen() {
    Self.widen(&total)
    for index in devices.indices { Self.widen(&devices[index]) }
    current /= 2
    shift += 1
    width = 1 << shift
  }

  private static func widen(_ series: inout Series) {
    var pieces: [Piece] = []
    for index in stride(from: 0, to: series.pieces.count, by: 2) {
      var piece = series.pieces[index]
      if index + 1 < series.pieces.count { piece.add(series.pieces[index + 1]) }
      pieces.append(piece)
    }
    series.pieces = pieces
  }
}
