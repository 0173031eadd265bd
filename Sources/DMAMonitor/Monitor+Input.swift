// SPDX-License-Identifier: MIT
import Glibc

extension Monitor {
  /// Whether reading a descriptor would return at once.
  static func hasInput(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) > 0
  }
}
