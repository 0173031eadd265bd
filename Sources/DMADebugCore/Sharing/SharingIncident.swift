// SPDX-License-Identifier: MIT

/// A mistake in sharing that the events show.
public struct SharingIncident: Sendable {
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A buffer's last known reference was put while a device is attached.
    case leakedAttachment
    /// A driver left its device while it is attached.
    case unboundWhileAttached
    case detachWhileMapped
    case unmapWithoutMap
    /// `dma_buf_vunmap` or `dma_buf_kunmap` too many, or the last put with a mapping left.
    case unbalancedKernelMapping
    /// An end of CPU access without its begin, or the last put within.
    case unbalancedAccess
    case accessOutsideWindow
    case accessWithoutFence
    case useAfterPut
    case neverSignaled
    case deadlock
    case iovaLeftLinked
    case iovaNotSynced
    case iovaOutside
    case releaseInFlight
    case unmapInFlight
    /// A device looks through a mapping from before the buffer moved.
    case staleMapping
    case detachWhilePinned
    /// Exported, and nobody can reach it.
    case lostBuffer
    /// A driver left its device and its ranges.
    case leakedRange
    /// Submitted and terminated or released without having been issued.
    case neverIssued
  }

  public var kind: Kind
  /// Where it shows; its device is the one that did it.
  public var event: DMAEvent
  /// The other side: where the attachment, mapping, fence or descriptor began.
  public var origin: DMAEvent?
  /// Inode, when it is about a buffer.
  public var inode: UInt64?
  public var fence: DMAFence.Key?
  /// How many, or how many bytes.
  public var value: UInt64 = 0
  /// Sub-kind, as the message needs it.
  public var detail: UInt64 = 0
}

/// Mistakes in sharing, when somebody wants to hear of them.
public struct IncidentLog: Sendable {
  /// The most that are kept between two calls of ``clear()``.
  static let maximum = 4096

  public let isKept: Bool
  public private(set) var incidents: [SharingIncident] = []

  init(isKept: Bool) {
    self.isKept = isKept
  }

  mutating func report(_ incident: SharingIncident) {
    guard isKept, incidents.count < Self.maximum else { return }
    incidents.append(incident)
  }

  mutating func clear() {
    if !incidents.isEmpty { incidents.removeAll(keepingCapacity: true) }
  }
}
