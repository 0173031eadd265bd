// SPDX-License-Identifier: MIT

/// By what the kernel tells fences apart.
public struct FenceKey: Hashable, Sendable {
  /// The context: one for each timeline.
  public var context: UInt64
  /// The sequence number in it.
  public var sequence: UInt64

  public init(context: UInt64, sequence: UInt64) {
    self.context = context
    self.sequence = sequence
  }
}
