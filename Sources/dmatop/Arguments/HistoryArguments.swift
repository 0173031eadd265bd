// SPDX-License-Identifier: MIT
import ArgumentParser
import DMAMonitor
import DMAReplay

/// How much memory time travel may take: an option of all that opens the monitor.
struct HistoryArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Memory to go back in time with, 16M to 64G; checkpoint_megabytes in the settings.",
      valueName: "size"
    )
  )
  var history: HistorySize?

  /// A size that the monitor can do with, in whole megabytes.
  struct HistorySize: ExpressibleByArgument {
    let megabytes: Int

    init?(argument: String) {
      guard let bytes = FieldValue.bytes(parsing: argument),
        let megabytes = Int(exactly: bytes >> 20),
        MonitorSettings.checkpointRange.contains(megabytes)
      else { return nil }
      self.megabytes = megabytes
    }
  }

  /// Puts it in the place of what the settings say.
  func apply(to reader: inout SettingsReader) {
    if let history { reader.set(checkpointMegabytes: history.megabytes) }
  }
}
