// SPDX-License-Identifier: MIT
import DMAExport
import DMATrace
import Glibc

/// What comes in without a name.
enum StandardInput {
  /// How long to wait in silence for the first bytes.
  private static let patience: Int32 = 2000

  /// Whether it is a pipe, a FIFO or a file: then it is the trace of commands that are given none.
  /// Terminals and `/dev/null` are not.
  static var isCapture: Bool {
    var status = stat()
    guard fstat(STDIN_FILENO, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFIFO || status.st_mode & S_IFMT == S_IFREG
  }

  /// Makes commands say what they wait for when nothing comes.
  static func announceWaiting() {
    WaitingInput.waiter = { input in
      if !input.hasBegun, !input.wait(milliseconds: patience) {
        StandardError.write("dmatop: waiting for input from \(input.description)…")
      }
      _ = input.wait()
    }
  }
}
