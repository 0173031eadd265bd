// SPDX-License-Identifier: MIT

/// What the kernel keeps about shared buffers, fences and channels.
struct SharingState {
  /// Buffers that were exported and not released (`db_list`), in their order.
  var buffers: [SharedBuffer] = []
  /// `dmabuf_inode`
  var nextInode: UInt64 = 1
  /// Descriptors of the processes, which share one table.
  var files: [Int: OpenFile] = [:]
  /// `dma_fence_context_counter`; 0 is that of the fence that is always signalled.
  var nextContext: UInt64 = 1
  /// Reservation locks of one set (`ww_acquire_ctx`).
  var nextTicket: UInt64 = 1
  /// What devices will raise, the last one first.
  var interrupts: [PendingInterrupt] = []
  var interruptSerial: UInt64 = 0
  /// Channels that clients hold, by controller.
  var channels: [EngineChannel] = []
  /// Windows through which the CPU sees a buffer: first address, bytes and the buffer.
  var windows: [UInt64: (length: UInt64, buffer: SharedBuffer)] = [:]
  /// Blocks of the carve-out heap; empty before it is used.
  var carveout: [CarveoutBlock] = []

  /// The lowest descriptor that is free, from 3 on.
  var freeDescriptor: Int {
    var number = 3
    while files[number] != nil { number += 1 }
    return number
  }
}

/// What a descriptor leads to.
enum OpenFile {
  case buffer(SharedBuffer)
  case syncFile(Fence)
}

/// Errors of the kernel, negative as functions return them.
enum KernelError {
  static let noEntry = -2
  static let io = -5
  static let badDescriptor = -9
  static let noMemory = -12
  static let busy = -16
  static let invalid = -22
  static let deadlock = -35
  static let overflow = -75
  static let addressInUse = -98
  static let already = -114
  /// `-ERESTARTSYS`: a signal ended the wait.
  static let interrupted = -512
}

/// A piece of the memory that was set aside.
struct CarveoutBlock {
  let address: UInt64
  var isUsed = false
}
