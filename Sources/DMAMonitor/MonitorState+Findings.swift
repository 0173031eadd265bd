import DMADebugCore
import DMALint
import DMAReplay

/// Going to what is wrong.
extension MonitorState {
  /// The event that ``MonitorAction/nextError`` and the like go to; `nil` when there is none.
  func eventOfMessage(_ action: MonitorAction) -> UInt64? {
    let forwards: Bool
    switch action {
    case .nextError, .nextMessage: forwards = true
    case .previousError, .previousMessage: forwards = false
    default: return nil
    }
    let errorsOnly = action == .nextError || action == .previousError
    let events = [
      timeline.nextEntry(forwards: forwards, errorsOnly: errorsOnly)
        .map { timeline.entries[$0].event },
      lint.event(after: timeline.event, forwards: forwards, errorsOnly: errorsOnly),
    ].compactMap { $0 }
    return forwards ? events.min() : events.max()
  }

  /// Puts the cursor on the row of the errors view that belongs to now.
  mutating func selectErrorAtNow() {
    let now = timeline.event
    let list = self.list()
    guard let errors = ErrorRows(list) else { return }
    var best: Int?
    for row in 0..<list.count {
      guard let members = errors.members(row) else { continue }
      if members.contains(where: { errors.errors.event($0) == now }) {
        best = row
        // The message itself says more than its group.
        if list.branch(row)?.group == nil { break }
      }
    }
    if let best { place.selection = best }
  }

  /// Puts the cursor of the errors view on the row of a finding.
  mutating func show(_ finding: Finding) {
    let shown = view
    view = .errors
    defer { view = shown }
    guard let item = item(of: finding) else { return selectErrorAtNow() }
    var content = errorList().content
    // The message itself, not only the group of it.
    for group in content.groups where !group.isOpen && group.members.count > 1 {
      guard case .message(let position) = item, group.members.contains(position) else { continue }
      places[.errors, default: .init()].toggled.insert(group.key)
      content = errorList().content
    }
    let list = self.list()
    guard let errors = ErrorRows(list) else { return }
    let row = (0..<list.count).first {
      list.branch($0)?.group == nil && errors.item($0) == item
    }
    if let row { moveSelection(to: row) }
  }

  /// What of the errors view is a finding: itself, or the message that it is made of.
  private mutating func item(of finding: Finding) -> ErrorList.Item? {
    guard finding.rule.isOfKernel else {
      return lint.findings.firstIndex { $0.identifier == finding.identifier }.map { .finding($0) }
    }
    let event = min(finding.eventNumber, timeline.eventCount)
    return timeline.entries.firstIndex {
      $0.event == event && Rule($0.report.kind) == finding.rule
        && finding.device == name(of: $0)
    }.map { .message($0) }
  }

  /// The device of a name that findings have.
  func device(named name: String?) -> DeviceID? {
    guard let name else { return nil }
    return Array(name.utf8).withUnsafeBufferPointer { names.devices.find($0) }
      .map { DeviceID(rawValue: $0) }
  }

  private func name(of entry: Timeline.Entry) -> String? {
    let device = entry.report.device
    return device == .unknown ? nil : names.devices.string(device.rawValue)
  }
}
