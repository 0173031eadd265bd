// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reports as lines of the monitor.
enum ReportText {
  /// The message, without driver and device.
  static func words(_ report: Report, _ generation: KernelGeneration) -> String {
    var text = TextBuffer()
    KernelMessage.append(words: report, generation, to: &text)
    return text.string
  }
}
