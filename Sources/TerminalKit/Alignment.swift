// SPDX-License-Identifier: MIT

/// Which side of a column a text keeps to.
public enum Alignment: Sendable {
  case leading
  case trailing
}
