// SPDX-License-Identifier: MIT

/// The exit status that the captures call for, whatever a command itself ends with.
///
/// Only ``CaptureReport`` says that something could not be read, and only the end of the program asks.
enum ExitStatus {
  // A command runs on one thread, which is also the one that ends the program.
  nonisolated(unsafe) private static var isDamaged = false

  /// Something of an input could not be read.
  static func noteDamage() { isDamaged = true }

  /// The status of the program, for that of its command.
  static func of(_ command: Int32) -> Int32 { isDamaged ? 2 : command }
}
