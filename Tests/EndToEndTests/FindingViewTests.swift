import DMALint
import DMAReplay
import TerminalKit
import TestSupport
import Testing

@testable import DMAMonitor
@testable import dmatop

/// Findings of lint in view 2.
@Suite struct FindingViewTests {
  private static let examples = Rule.all.filter { $0.bad?.kind == .trace }.map(\.id)

  /// What lint finds in the bad example of a rule, and the arguments that open it.
  private static func lint(_ rule: Rule) throws -> (findings: [Finding], arguments: [String]) {
    let bad = try #require(rule.bad)
    let path = "\(Fixtures.root)/fixtures/rules/\(rule.id).bad.txt"
    var arguments = [path, "--isolated", "--kernel", bad.kernel]
    if !bad.isCoherentMachine { arguments += ["--dma-alignment", "64"] }
    if bad.isComplete { arguments.append("--complete") }
    let command = try ReplayCommand.parse(arguments)
    var replay = try #require(try command.replay.openRun([path]) { $0 }).replay
    var session = LintSession(&replay, captures: [path], LintConfiguration())
    _ = try replay.run(to: .end) { replay, event in session.observe(&replay, event) }
    return (session.finish(&replay).traces[0].findings, arguments)
  }

  /// The monitor that a command opens, on a virtual screen.
  private static func open(_ arguments: [String], _ steps: [VirtualScreen.Step] = []) throws
    -> (monitor: Monitor, picture: String)
  {
    let command = try ReplayCommand.parse(arguments)
    let trace = try #require(command.trace)
    var state = try command.state(trace, SettingsReader(), isTerminal: true)
    while !state.isDone { state.advance(limit: .max) }
    let screen = VirtualScreen(width: 200, height: 50, steps: steps + [.timeout])
    var monitor = Monitor(state, glyphs: .unicode, effects: Monitor.Effects())
    monitor.run(on: screen)
    return (monitor, screen.snapshot())
  }

  /// The command under a finding shows it on its row, under the cursor.
  @Test(arguments: examples)
  func theCommandOfAFindingPutsTheCursorOnItsRow(_ id: String) throws {
    let rule = try #require(Rule(named: id))
    let (findings, arguments) = try Self.lint(rule)
    #expect(findings.contains { $0.rule.id == id })
    for finding in findings {
      let command = arguments + ["--finding", finding.identifier]
      let (monitor, picture) = try Self.open(command)
      var state = monitor.state
      #expect(state.view == .errors)
      let list = state.list()
      let row = try #require(state.selectedRow(list))
      let rows = try #require(ErrorRows(list))
      let item = try #require(rows.item(row))
      #expect(list.branch(row)?.group == nil)
      #expect(list.text(row, 3) == finding.rule.id, "\(command)")
      #expect(list.text(row, 4) == (finding.rule.isOfKernel ? "kernel" : "lint"))
      #expect(list.text(row, 6) == finding.device ?? "")
      #expect(rows.errors.event(item) == min(finding.eventNumber, state.timeline.eventCount))
      #expect(state.timeline.event == rows.errors.event(item))
      #expect(picture.contains(finding.rule.id))
      // Nobody's mistake is there twice.
      let messages = state.timeline.entries.filter { $0.report.kind.isError }.count
      let others = findings.count { !$0.rule.isOfKernel }
      state.place.isTree = false
      #expect(state.errorList().count { $0 == "kernel" } >= messages)
      #expect(state.errorList().count { $0 == "lint" } == others)
    }
  }

  /// A finding belongs to its event: keys go there, and the strip has its sign.
  @Test func timeTravelKnowsFindings() throws {
    let path = Fixtures.root + "/fixtures/rules/DMA104.bad.txt"
    let (monitor, picture) = try Self.open([path], [.type("bstart"), .key(.enter), .type("2e")])
    let finding = try #require(monitor.state.lint.findings.first)
    #expect(finding.rule.id == "DMA104")
    #expect(monitor.state.timeline.event == finding.eventNumber)
    #expect(picture.contains("!"))
    #expect(picture.contains("2 Errors (1)"))
    // Before it is still to come.
    let (_, before) = try Self.open([path], [.type("bstart"), .key(.enter), .type("2")])
    #expect(before.contains("2 Errors (0 of 1)"))
    #expect(before.contains(">1.000003"))
  }
}

extension ErrorList {
  /// How many rows are of somebody.
  fileprivate func count(_ isWanted: (String) -> Bool) -> Int {
    (0..<count).count { isWanted(text($0, 4)) }
  }
}
