// SPDX-License-Identifier: MIT

/// A channel of dmaengine (`struct dma_chan`).
public struct DMAChannel: Sendable {
  /// A descriptor that was prepared and is not complete.
  public struct Descriptor: Sendable {
    public internal(set) var cookie: UInt64?
    public internal(set) var isIssued = false
    /// The event that submitted it.
    var submitted: DMAEvent?
    /// Events were lost since: it may be issued, or over.
    var isDoubtful = false
    /// 0 slave_sg, 1 memcpy, 2 cyclic.
    public internal(set) var type: UInt32
    public internal(set) var address: UInt64
    public internal(set) var size: UInt64
    public internal(set) var direction: Direction
    public internal(set) var residue: UInt64?
    public internal(set) var event: DMAEvent
    /// The slot of the mapping that it uses, while it is known to.
    public internal(set) var slot: UInt32?
  }

  static let maximumDescriptors = 4096

  /// A number into ``TraceNames/channels``.
  public let name: UInt32
  /// Who uses it.
  public internal(set) var client: DeviceID
  public internal(set) var isRequested = false
  public internal(set) var isConfigured = false
  public internal(set) var event: DMAEvent
  public internal(set) var submitted: UInt64 = 0
  public internal(set) var completed: UInt64 = 0
  public internal(set) var descriptors: [Descriptor] = []

  /// Descriptors between submit and completion.
  public var inFlight: Int { descriptors.count { $0.cookie != nil } }
}
