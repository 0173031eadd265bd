// SPDX-License-Identifier: MIT
import DMADebugCore

/// Something in a kernel log that is about DMA.
public struct LogRecord: Sendable {
  /// What the kernel says.
  public enum Kind: Sendable, Equatable {
    /// A message of dma-debug.
    case report(Report.Kind)
    /// `cpu touching an active dma mapped cacheline` (3.14 … 5.8)
    case cpuTouch
    /// dma-debug has no memory for its cacheline tracker, and ends.
    case trackingOutOfMemory
    /// An IOMMU stopped an access.
    case iommuFault
    /// No room in the bounce buffer.
    case swiotlbFull
    /// Another line of dma-debug: start-up and the like.
    case note
  }

  /// What the message says in numbers, as far as it does.
  public struct Values: Sendable, Equatable {
    /// Device address, or the IOVA of a fault.
    public var dmaAddress: UInt64?
    /// Bytes, of the free or sync for those that compare two.
    public var size: UInt64?
    /// Bytes that were mapped, where both are named.
    public var mappedSize: UInt64?
    public var mappedType: MappingType?
    public var mappedDirection: Direction?
    /// Leaked entries, entries of a pool.
    public var count: UInt64?
    /// A fault: the device wanted to write.
    public var isWrite: Bool?

    public init() {}
  }

  public var kind: Kind
  /// Line of the message, from 1.
  public var line: UInt64
  /// Nanoseconds since boot by the clock of printk; `nil` when the log does not have it.
  public var time: UInt64?
  /// Nanoseconds since 1970, for logs with dates only; `nil` when there is no full date.
  public var wallTime: UInt64?
  /// The driver, or the bus, before the device.
  public var driver: String?
  public var device: String?
  /// The words without prefix, driver and device; a leak has two lines. Misspelt and shifted names
  /// of types are put right.
  public var message: String
  public var values = Values()
  /// From the WARN block.
  public var task: String?
  public var pid: Int32 = -1
  public var cpu: UInt32?
  /// Call trace of the WARN block, innermost first; frames that the kernel doubts left out.
  public var stack: [String] = []
  /// `Mapped at:`, innermost first.
  public var mappedAt: [String] = []
  /// The line of `Mapped at:`, 0 without.
  public var mappedLine: UInt64 = 0
  /// Blocks of several CPUs ran into each other, so that stacks are left out.
  public var isMixed = false

  init(_ kind: Kind, line: UInt64, message: String) {
    self.kind = kind
    self.line = line
    self.message = message
  }

  /// The line as the newest kernels would print it, without a line end. A leak has two.
  public var normalised: String {
    var text = ""
    switch kind {
    case .iommuFault, .swiotlbFull: break
    default: text = "DMA-API: "
    }
    if let device {
      if let driver { text += driver + " " }
      text += device + ": "
    }
    return text + message
  }

  /// The function that called into the DMA-API for what is wrong.
  public var site: String? { Self.callSite(stack) }

  /// The function that had mapped.
  public var mapSite: String? { Self.callSite(mappedAt) }

  private static func callSite(_ stack: [String]) -> String? {
    stack.first { frame in
      let name = frame.utf8.prefix { $0 != 0x2b && $0 != 0x20 }
      return !TraceNames.isAPIFunction(name) && !isOwnFunction(name)
    }
  }

  /// Functions of dma-debug, of WARN and of what unwinds stacks.
  private static func isOwnFunction(_ name: some Collection<UInt8>) -> Bool {
    let name = String(decoding: name, as: UTF8.self)
    return ownFunctions.contains(name)
  }

  private static let ownFunctions: Set<String> = [
    "check_unmap", "check_sync", "check_for_stack", "check_for_illegal_area", "check_sg_segment",
    "check_mapping_error", "add_dma_entry", "err_printk", "dma_entry_alloc", "warn_slowpath_fmt",
    "warn_slowpath_common", "warn_slowpath_null", "__warn", "__warn_printk", "report_bug",
    "__report_bug", "handle_bug", "exc_invalid_op", "asm_exc_invalid_op", "dump_stack",
    "dump_stack_lvl", "__dump_stack", "show_stack", "unwind_backtrace", "dump_backtrace",
    "dma_debug_device_change",
    "notifier_call_chain", "blocking_notifier_call_chain",
    "__blocking_notifier_call_chain", "bus_notify", "swiotlb_tbl_map_single", "swiotlb_map",
    "debug_dma_assert_idle", "do_error_trap", "do_invalid_op", "invalid_op", "brk_handler",
    "bug_handler", "call_break_hook", "el1_dbg", "el1h_64_sync", "el1h_64_sync_handler",
  ]
}

extension LogRecord {
  /// How the kernel prints a device of an IOMMU event: bus, slot and function, without the domain.
  static func deviceName(_ words: some StringProtocol) -> String {
    // `0x00:0x02.0` of some kernels.
    let plain = words.split(separator: "0x", omittingEmptySubsequences: true).joined()
    let parts = plain.split(separator: ":")
    return parts.count == 2 ? "0000:" + plain : plain
  }
}

extension LogRecord {
  /// How the memory was mapped, by the message or by the function that dma-debug was called from.
  public var mappedType: MappingType? {
    if let type = values.mappedType { return type }
    for frame in mappedAt {
      let name = String(frame.prefix { $0 != "+" && $0 != " " })
      if let type = Self.typesByFunction[name] { return type }
    }
    return nil
  }

  private static let typesByFunction: [String: MappingType] = [
    "debug_dma_map_page": .single, "debug_dma_map_sg": .scatterGather,
    "debug_dma_alloc_coherent": .coherent, "debug_dma_map_resource": .resource,
    "debug_dma_alloc_pages": .noncoherent, "debug_dma_map_phys": .phy,
  ]
}
