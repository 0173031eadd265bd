// SPDX-License-Identifier: MIT

/// Which end of a text gives way when it does not fit.
public enum Truncation: Sendable {
  /// Keeps the beginning, as for messages.
  case tail
  /// Keeps the end, as for paths and addresses.
  case head
}
