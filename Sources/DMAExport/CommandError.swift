// SPDX-License-Identifier: MIT

/// A command that cannot go on: a message for standard error, and exit status 2.
package struct CommandError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) {
    self.description = description
  }
}
