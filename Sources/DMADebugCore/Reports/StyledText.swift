// SPDX-License-Identifier: MIT

/// Text for people, parts of which look different on a terminal.
///
/// Styles are kept beside the text: what is in the text can be escaped as a whole, and no byte of a
/// trace can ever begin a style.
public struct StyledText: Sendable {
  public enum Style: Sendable {
    case error
    case warning
    case note
    case faint
    case plain

    /// What sets it on a terminal.
    fileprivate var sequence: StaticString {
      switch self {
      case .error: "\u{1b}[1;31m"
      case .warning: "\u{1b}[1;33m"
      case .note: "\u{1b}[1;36m"
      case .faint: "\u{1b}[2m"
      case .plain: "\u{1b}[0m"
      }
    }
  }

  /// The text without its styles; only to be appended to.
  public var text = TextBuffer()
  private var changes: [(place: Int, style: Style)] = []

  public init() {}

  /// How what is appended from now on looks.
  public mutating func set(_ style: Style) {
    changes.append((text.bytes.count, style))
  }

  /// Appends the text with its styles, safe for a terminal.
  public func append(to output: inout TextBuffer) {
    var place = 0
    func appendText(until end: Int) {
      let start = output.bytes.count
      output.append(text.bytes[place..<end])
      output.escapeControls(from: start)
      place = end
    }
    for change in changes {
      appendText(until: change.place)
      output.append(change.style.sequence)
    }
    appendText(until: text.bytes.count)
  }
}
