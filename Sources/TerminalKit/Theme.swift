// SPDX-License-Identifier: MIT

/// How the parts of a user interface look. A program speaks of roles, a user picks the theme.
///
/// No role is told from another by colour alone: what matters also has a word, a sign or an
/// attribute that a terminal without colours shows.
public struct Theme: Hashable, Sendable {
  /// What a part of the screen is there for.
  public enum Role: Int, CaseIterable, Sendable {
    case plain
    /// The line at the top, words of the key bar.
    case bar
    /// The keys of the key bar.
    case key
    /// Headings of columns, and of the column by which a table is sorted.
    case heading
    case sortedHeading
    /// The row of the cursor.
    case selection
    /// A tab that is open, and others.
    case openTab
    case tab
    /// Names of values.
    case label
    /// What is wrong, what may be wrong, what is well.
    case error
    case warning
    case good
    /// What is less important.
    case faint
    /// What just came.
    case fresh
    /// A row that was marked.
    case marked
    /// A place that a search found.
    case match
    /// Bars and charts.
    case chart
    case secondChart
    /// Messages and badges that must be seen.
    case notice
    /// A box over everything else.
    case box
  }

  public let name: String
  private let styles: [Style]

  /// The look of a role.
  public subscript(role: Role) -> Style { styles[role.rawValue] }

  /// A theme in which `look` says how a role looks.
  init(_ name: String, _ look: (Role) -> Style) {
    self.name = name
    styles = Role.allCases.map(look)
  }

  /// The themes there are, the standard one first.
  public static let all: [Theme] = [.standard, .light, .mono, .highContrast, .colorBlind]

  /// The theme of a name; `nil` when there is none.
  public init?(named name: String) {
    guard let theme = Self.all.first(where: { $0.name == name }) else { return nil }
    self = theme
  }

  /// For dark terminals, with their own eight colours.
  public static let standard = Theme("default") { role in
    switch role {
    case .plain: .plain
    case .bar: Style(foreground: .black, background: .cyan)
    case .key: Style(bold: true)
    case .heading: Style(foreground: .black, background: .green)
    case .sortedHeading: Style(foreground: .black, background: .cyan)
    case .selection: Style(reverse: true)
    case .openTab: Style(bold: true, reverse: true)
    case .tab: .plain
    case .label: Style(foreground: .cyan)
    case .error: Style(foreground: .red, bold: true)
    case .warning: Style(foreground: .yellow)
    case .good: Style(foreground: .green)
    case .faint: Style(dim: true)
    case .fresh: Style(foreground: .green)
    case .marked: Style(foreground: .yellow, bold: true)
    case .match: Style(foreground: .black, background: .yellow)
    case .chart: Style(foreground: .blue)
    case .secondChart: Style(foreground: .green)
    case .notice: Style(foreground: .yellow, bold: true)
    case .box: Style(reverse: true)
    }
  }

  /// For light terminals: no yellow or cyan letters on white.
  public static let light = Theme("light") { role in
    switch role {
    case .plain: .plain
    case .bar: Style(foreground: .white, background: .blue)
    case .key: Style(bold: true)
    case .heading: Style(foreground: .white, background: .green)
    case .sortedHeading: Style(foreground: .white, background: .blue)
    case .selection: Style(reverse: true)
    case .openTab: Style(bold: true, reverse: true)
    case .tab: .plain
    case .label: Style(foreground: .blue)
    case .error: Style(foreground: .red, bold: true)
    case .warning: Style(foreground: .magenta)
    case .good: Style(foreground: .green)
    case .faint: Style(foreground: .brightBlack)
    case .fresh: Style(foreground: .green, bold: true)
    case .marked: Style(foreground: .magenta, bold: true)
    case .match: Style(foreground: .white, background: .magenta)
    case .chart: Style(foreground: .blue)
    case .secondChart: Style(foreground: .green)
    case .notice: Style(foreground: .magenta, bold: true)
    case .box: Style(reverse: true)
    }
  }

  /// Attributes only.
  public static let mono = Theme("mono") { role in
    switch role {
    case .plain, .tab, .good, .chart, .secondChart, .label: .plain
    case .bar, .heading, .selection, .box: Style(reverse: true)
    case .sortedHeading, .openTab: Style(bold: true, reverse: true)
    case .key, .error, .notice, .fresh: Style(bold: true)
    case .warning, .match, .marked: Style(bold: true, underline: true)
    case .faint: Style(dim: true)
    }
  }

  /// Bright letters on black, whatever the terminal's own colours are.
  public static let highContrast = Theme("high-contrast") { role in
    switch role {
    case .plain, .tab: Style(foreground: .brightWhite, background: .black)
    case .bar, .heading: Style(foreground: .black, background: .brightWhite, bold: true)
    case .sortedHeading: Style(foreground: .black, background: .brightYellow, bold: true)
    case .key: Style(foreground: .brightYellow, background: .black, bold: true)
    case .selection: Style(foreground: .black, background: .brightCyan, bold: true)
    case .openTab: Style(foreground: .black, background: .brightYellow, bold: true)
    case .label: Style(foreground: .brightCyan, background: .black)
    case .error: Style(foreground: .brightRed, background: .black, bold: true)
    case .warning: Style(foreground: .brightYellow, background: .black)
    case .good, .fresh: Style(foreground: .brightGreen, background: .black)
    case .faint: Style(foreground: .white, background: .black)
    case .marked: Style(foreground: .brightYellow, background: .black, bold: true)
    case .match: Style(foreground: .black, background: .brightYellow)
    case .chart: Style(foreground: .brightCyan, background: .black)
    case .secondChart: Style(foreground: .brightGreen, background: .black)
    case .notice: Style(foreground: .brightYellow, background: .black, bold: true)
    case .box: Style(foreground: .black, background: .brightWhite)
    }
  }

  /// Blue and orange instead of green and red, which many cannot tell apart.
  public static let colorBlind = Theme("colour-blind") { role in
    switch role {
    case .plain: .plain
    case .bar: Style(foreground: .black, background: .indexed(110))
    case .key: Style(bold: true)
    case .heading: Style(foreground: .black, background: .indexed(74))
    case .sortedHeading: Style(foreground: .black, background: .indexed(214))
    case .selection: Style(reverse: true)
    case .openTab: Style(bold: true, reverse: true)
    case .tab: .plain
    case .label: Style(foreground: .indexed(74))
    case .error: Style(foreground: .indexed(208), bold: true)
    case .warning: Style(foreground: .indexed(220))
    case .good, .fresh: Style(foreground: .indexed(39))
    case .faint: Style(dim: true)
    case .marked: Style(foreground: .indexed(214), bold: true)
    case .match: Style(foreground: .black, background: .indexed(220))
    case .chart: Style(foreground: .indexed(39))
    case .secondChart: Style(foreground: .indexed(74))
    case .notice: Style(foreground: .indexed(220), bold: true)
    case .box: Style(reverse: true)
    }
  }
}
