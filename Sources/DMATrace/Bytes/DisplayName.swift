// SPDX-License-Identifier: MIT
import DMADebugCore

/// A path as messages show it: control characters escaped, `-` as what it stands for.
package func displayName(_ path: String) -> String {
  path == "-" ? "standard input" : String(escaping: path.utf8)
}
