// SPDX-License-Identifier: MIT
import DMADebugCore

/// A channel of a DMA controller, in the hands of a client (`struct dma_chan`).
public final class EngineChannel {
  /// `dma0chan3`
  public let name: String
  /// A number into the table of channels.
  let id: UInt32
  /// The controller, for which memory has to be mapped.
  public let controller: Device
  public let client: Device
  let number: Int
  /// What `dmaengine_slave_config()` set; `nil` before.
  public internal(set) var configuration: DMASlaveConfiguration?
  /// The last cookie that was given out, and that is complete.
  var cookie: UInt64 = 0
  var completedCookie: UInt64 = 0
  /// Submitted, and not issued yet.
  var submitted: [DMADescriptor] = []
  /// Issued, the first one running.
  var issued: [DMADescriptor] = []
  public internal(set) var isReleased = false
  /// Raised by every termination, so that interrupts of what was before are known to be late.
  var epoch = 0
  /// Callbacks that were due when a transfer was terminated without waiting for them.
  var lateCallbacks: [() -> Void] = []
  /// What the client's device puts into its FIFO, for transfers from the device.
  var source: Pattern?
  /// What the client's device should get out of its FIFO, for transfers to the device.
  var sink: Pattern?

  init(name: String, id: UInt32, controller: Device, client: Device, number: Int) {
    self.name = name
    self.id = id
    self.controller = controller
    self.client = client
    self.number = number
  }

  /// Descriptors that are not complete.
  public var inFlight: Int { submitted.count + issued.count }
}

/// `struct dma_slave_config`
public struct DMASlaveConfiguration: Sendable, Equatable {
  public var direction: Direction
  /// Physical address of the FIFO.
  public var fifo: UInt64
  /// Bytes of an access to it, 1, 2, 4 or 8, and accesses of a burst.
  public var width: UInt64
  public var burst: UInt64
  /// How fast the client's device is: nanoseconds for 64 bytes.
  public var pace: UInt64 = 250

  public init(direction: Direction, fifo: UInt64, width: UInt64 = 4, burst: UInt64 = 16) {
    self.direction = direction
    self.fifo = fifo
    self.width = width
    self.burst = burst
  }
}

/// A transfer that a channel is to do (`struct dma_async_tx_descriptor`).
public final class DMADescriptor {
  enum Kind: UInt32 {
    case slaveSG = 0
    case memcpy = 1
    case cyclic = 2
  }

  /// What became of it (`enum dma_status`).
  public enum Status: UInt64, Sendable {
    case complete = 0
    case inProgress = 1
    case paused = 2
    case error = 3
  }

  let channel: EngineChannel
  let kind: Kind
  let direction: Direction
  /// Where the memory is: DMA addresses and bytes; a cyclic one has its periods here.
  let segments: [ScatterList.Entry]
  /// Of a copy: where it comes from.
  let sourceAddress: UInt64
  /// `callback`, in the controller's tasklet, with the bytes that are left.
  public var callback: ((DMADescriptor) -> Void)?
  /// How often the channel has told that it, or a period, is done.
  public internal(set) var completions = 0
  public internal(set) var cookie: UInt64 = 0
  /// Nanoseconds at which the channel began with it.
  var start: UInt64 = 0
  var isRunning = false
  /// Bytes that were moved; of a cyclic one since it began.
  var moved: UInt64 = 0
  public internal(set) var status = Status.inProgress
  /// FIFO contents of this transfer.
  var pattern: Pattern?

  init(
    _ channel: EngineChannel,
    _ kind: Kind,
    _ direction: Direction,
    _ segments: [ScatterList.Entry],
    source: UInt64 = 0
  ) {
    self.channel = channel
    self.kind = kind
    self.direction = direction
    self.segments = segments
    sourceAddress = source
  }

  /// Bytes of all pieces, once round of a cyclic one.
  public var length: UInt64 { segments.reduce(0) { $0 &+ $1.length } }

  /// Bytes that are left, in this round.
  public var residue: UInt64 {
    let total = length
    if kind == .cyclic { return total == 0 ? 0 : total - moved % total }
    return total - min(moved, total)
  }
}
