// SPDX-License-Identifier: MIT

/// Why waiting ended.
public enum Wakeup: Hashable, Sendable {
  case key(Key)
  /// The descriptor that was waited for can be read, or has been closed by its writer.
  case descriptorReady
  /// The time is over.
  case timeout
}
