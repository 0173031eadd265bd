// SPDX-License-Identifier: MIT

/// What collections take on the heap, spare room included. Checkpoints are bounded by these sums, so
/// they must not leave out what grows.

extension Array {
  /// Bytes of the buffer, not of what its elements point to.
  package var storageBytes: Int {
    capacity == 0 ? 0 : capacity * MemoryLayout<Element>.stride + 32
  }
}

extension Dictionary {
  /// Bytes of the table, not of what keys and values point to. It is filled to three quarters.
  package var storageBytes: Int {
    let slots = capacity == 0 ? 0 : capacity + capacity / 3
    return slots * (MemoryLayout<Key>.stride + MemoryLayout<Value>.stride) + slots / 8
  }
}

extension Set {
  /// Bytes of the table, not of what the elements point to. It is filled to three quarters.
  package var storageBytes: Int {
    let slots = capacity == 0 ? 0 : capacity + capacity / 3
    return slots * MemoryLayout<Element>.stride + slots / 8
  }
}
