// SPDX-License-Identifier: MIT
import DMADebugCore

/// Words that rules about sharing have in common.
extension LintContext {
  /// Says that a rule is broken in the way that an incident tells.
  mutating func report(_ rule: Rule, _ incident: SharingIncident, _ message: String) {
    var subject: Subject?
    if let inode = incident.inode {
      subject = .buffer(inode: inode)
    } else if let fence = incident.fence {
      subject = .fence(context: fence.context, sequence: fence.sequence)
    }
    report(rule, at: incident.event, message, subject: subject)
  }

  /// The buffer of an incident.
  func buffer(_ incident: SharingIncident) -> String {
    guard let inode = incident.inode else { return "a buffer" }
    guard let buffer = engine.sharing.buffer(inode) else { return "buffer \(inode)" }
    let exporter = names.exporters.string(buffer.exporter)
    return "buffer \(inode) (\(exporter), \(buffer.size) bytes)"
  }

  /// The fence of an incident, with the names of its timeline.
  func fence(_ incident: SharingIncident) -> String {
    guard let key = incident.fence else { return "a fence" }
    var text = "fence \(key.context):\(key.sequence)"
    if let timeline = engine.sharing.timeline(key.context) {
      text += " of \(names.drivers.string(timeline.driver.rawValue))"
      text += " \(names.timelines.string(timeline.name))"
    }
    return text
  }

  /// Where the other side of an incident is.
  func origin(_ incident: SharingIncident) -> String {
    incident.origin.map { "line \($0.line)" } ?? "?"
  }

  /// `1 pin`, `2 pins`
  static func plural(_ count: UInt64, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  /// An address as messages have it.
  static func hexadecimal(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }
}
