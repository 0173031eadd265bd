// SPDX-License-Identifier: MIT

/// The program's version, the one place where it stands.
public enum Version {
  public static let string = "0.1.0"
}
