// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

extension FindingCollector {
  /// Adds a finding about an entry of a saved dump.
  ///
  /// - Parameter origin: The entry on the other side of the mistake.
  /// - Returns: Its position; `nil` when there are too many.
  mutating func add(
    _ rule: Rule,
    _ entry: DumpEntry,
    of dump: MappingDump,
    _ message: String,
    origin: DumpEntry
  ) -> Int? {
    let device = dump.names.devices.string(entry.device.rawValue)
    var finding = Finding(
      rule: rule,
      severity: rule.severity,
      path: path,
      line: entry.line,
      time: 0,
      task: nil,
      pid: -1,
      cpu: nil,
      device: device,
      driver: dump.names.drivers.string(entry.driver.rawValue),
      message: message,
      origin: Finding.Origin(origin),
      subject: .device(name: device)
    )
    finding.isReplayable = false
    return append(finding)
  }
}
