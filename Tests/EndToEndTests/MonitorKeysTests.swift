// SPDX-License-Identifier: MIT
import DMAReplay
import TerminalKit
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// The monitor on a virtual screen: what keys do.
@Suite struct MonitorKeysTests {
  private static let capture =
    Fixtures.root + "/fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt"

  struct Outcome {
    let screen: VirtualScreen
    let monitor: Monitor

    var state: MonitorState { monitor.state }
    /// The last picture before the end.
    var picture: String { screen.snapshot() }
  }

  /// Runs the monitor over a capture that has been read, and gives the last picture before it quits.
  static func run(
    _ steps: [VirtualScreen.Step],
    path: String = capture,
    at moment: Moment = .event(300),
    width: Int = 140,
    height: Int = 40,
    settings: MonitorSettings = MonitorSettings(),
    effects: Monitor.Effects = Monitor.Effects()
  ) throws -> Outcome {
    let timeline = try Timeline(
      ReplayArguments.reader(path),
      options: ReplayOptions()
    )
    var state = MonitorState(path: path, moment: moment, timeline: timeline)
    state.settings = settings
    while !state.isDone { state.advance(limit: .max) }
    let screen = VirtualScreen(width: width, height: height, steps: steps + [.timeout])
    var monitor = Monitor(state, glyphs: .unicode, effects: effects)
    monitor.run(on: screen)
    return Outcome(screen: screen, monitor: monitor)
  }

  // MARK: Time

  @Test func stepsAndComesBack() throws {
    let there = try Self.run([.type("b#100"), .key(.enter), .type("tt")])
    #expect(there.state.timeline.event > 100)
    let back = try Self.run([.type("b#100"), .key(.enter), .type("ttT,")])
    #expect(back.state.timeline.event < there.state.timeline.event)
    #expect(back.picture.contains("event \(back.state.timeline.event)/323"))
  }

  @Test func everyWayToSayAMoment() throws {
    func event(_ text: String) throws -> UInt64 {
      try Self.run([.type("b" + text), .key(.enter)]).state.timeline.event
    }
    #expect(try event("start") == 0)
    #expect(try event("end") == 323)
    #expect(try event("#17") == 17)
    #expect(try event("100%") == 323)
    #expect(try event("0%") == 1)
    let now = try event("+0ms")
    #expect(now == 300)
    #expect(try event("+1h") == 323)
    #expect(try event("-1h") == 0)
    #expect(try event("-10ms") < 300)
    #expect(try event("3.9") < 300)
    #expect(try event("0:00:03.9") == event("3.9"))
    #expect(try event("0:3.9") == event("3.9"))
    #expect(try event("nonsense") == 300)
    let again = try Self.run([.type("b-1ms"), .key(.enter), .type(";;")])
    let once = try Self.run([.type("b-1ms"), .key(.enter)])
    #expect(again.state.timeline.event < once.state.timeline.event)
  }

  @Test func marksNameMomentsAndTheDifferenceIsShown() throws {
    let outcome = try Self.run([
      .type("b#100"), .key(.enter), .type("A\"x"), .key(.enter), .type("b#250"), .key(.enter),
      .type("B"),
    ])
    #expect(outcome.state.marks["x"]?.event == 100)
    #expect(outcome.picture.contains("A to B"))
    #expect(outcome.picture.contains("+150 events"))
    let back = try Self.run([
      .type("b#100"), .key(.enter), .type("\"x"), .key(.enter), .type("r'x"),
    ])
    #expect(back.state.timeline.event == 100)
    let diff = try Self.run([
      .type("b#100"), .key(.enter), .type("A"), .type("b#250"), .key(.enter), .type("BD"),
    ])
    #expect(diff.picture.contains("A to B: "))
    #expect(diff.picture.contains("GROWTH"))
    #expect(diff.state.timeline.event == 250)
    let closed = try Self.run([.type("ABDq")])
    #expect(closed.state.difference == nil)
  }

  @Test func errorsAreReachedFromEverywhere() throws {
    let outcome = try Self.run([.type("re")])
    #expect(outcome.state.timeline.engine.errorCount == 1)
    let there = try Self.run([.type("2z")])
    #expect(there.state.timeline.event == outcome.state.timeline.event)
    let none = try Self.run([.type("reeee")])
    #expect(none.picture.contains("there is none in this direction"))
  }

  @Test func playsToTheEndAtAnySpeed() throws {
    let steps = [VirtualScreen.Step](repeating: .timeout, count: 200)
    let outcome = try Self.run([.type("r}}}}}}} ")] + steps)
    #expect(outcome.state.timeline.event == 323)
    #expect(!outcome.state.isPlaying)
    #expect(outcome.state.speed == MonitorState.fastest)
    let slow = try Self.run([.type("{{{{")])
    #expect(slow.state.speed == 0.125)
    #expect(slow.state.speedName == "1/8×")
  }

  @Test func aWriteIsSeenInTheLogAndDroppedBySeeking() throws {
    let steps: [VirtualScreen.Step] = [
      .type("5"), .key(.down), .key(.down), .type("onvme"), .key(.enter),
    ]
    let outcome = try Self.run(steps)
    #expect(outcome.state.timeline.engine.driverFilter == Array("nvme".utf8))
    #expect(outcome.picture.contains("wrote dma-api/driver_filter"))
    #expect(outcome.picture.contains("enable driver filter for driver [nvme]"))
    #expect(outcome.picture.contains("what-if"))
    let away = try Self.run(steps + [.type("..")])
    #expect(away.state.timeline.engine.driverFilter.isEmpty)
    let refused = try Self.run([
      .type("5o1"), .key(.enter), .type("b#10"), .key(.enter), .type("o"),
    ])
    #expect(refused.state.prompt?.kind == .write)
  }

  // MARK: Rows

  @Test func filtersAsOneTypes() throws {
    let typing = try Self.run([.type("\\nvme")])
    #expect(typing.picture.contains("FILTER nvme"))
    #expect(typing.picture.contains("12 of 18 shown"))
    let out = try Self.run([.type("\\nvme"), .key(.escape)])
    #expect(!out.picture.contains("FILTER"))
    let kept = try Self.run([.type("\\nvme size>=64k"), .key(.enter)])
    #expect(kept.picture.contains("2 of 18 shown"))
    #expect(kept.picture.contains("2 of 18 mappings"))
    let cleared = try Self.run([.type("\\nvme"), .key(.enter), .key(.delete)])
    #expect(!cleared.picture.contains("FILTER"))
    let wrong = try Self.run([.type("\\nonsense>3"), .key(.enter)])
    #expect(wrong.picture.contains("no field 'nonsense'"))
    let editing = try Self.run([
      .type("\\ahci"), .key(.enter), .type("\\"), .key(.control("u")), .type("nv"), .key(.enter),
      .type("\\"), .key(.up), .key(.up), .key(.enter),
    ])
    #expect(editing.picture.contains("FILTER ahci"))
  }

  @Test func eachViewHasItsFilterAndOneCanBePinned() throws {
    let own = try Self.run([.type("\\nvme"), .key(.enter), .type("4")])
    #expect(!own.picture.contains("FILTER"))
    #expect(own.picture.contains("ahci"))
    let pinned = try Self.run([.type("\\nvme size>1k"), .key(.enter), .type("P4")])
    #expect(pinned.picture.contains("PINNED nvme size>1k"))
    #expect(!pinned.picture.contains("ahci"))
    let free = try Self.run([.type("\\nvme"), .key(.enter), .type("PP")])
    #expect(!free.picture.contains("PINNED"))
  }

  @Test func searchMovesAndHidesNothing() throws {
    let outcome = try Self.run([.type("/nvme")])
    #expect(outcome.picture.contains("'nvme' 1/12"))
    #expect(outcome.picture.contains("ahci"))
    #expect(outcome.state.place.selection == 6)
    let next = try Self.run([.type("/nvme"), .key(.enter), .type("nnN")])
    #expect(next.state.place.selection == 7)
    let wrapped = try Self.run([.type("/nvme"), .key(.enter), .type("N")])
    #expect(wrapped.state.place.selection == 17)
    let none = try Self.run([.type("/zzz"), .key(.enter)])
    #expect(none.picture.contains("'zzz' is not here"))
    let style = outcome.screen.snapshot(styles: true)
    #expect(style.contains("black on yellow"))
  }

  @Test func sortsByAnyColumn() throws {
    func first(_ steps: [VirtualScreen.Step]) throws -> UInt64? {
      var state = try Self.run(steps).state
      return state.mappingList().mapping(0)?.size
    }
    #expect(try first([.type(":sort -size"), .key(.enter)]) == 91392)
    #expect(try first([.type(":sort size"), .key(.enter)]) == 24)
    #expect(try first([.type(":sort size"), .key(.enter), .type("I")]) == 91392)
    // The picker: the sixth column is the size, largest first.
    let picked = try Self.run([
      .key(.function(6)), .key(.down), .key(.down), .key(.down), .key(.down), .key(.down),
      .key(.enter),
    ])
    #expect(picked.state.place.sort?.column == "size")
    #expect(picked.picture.contains("SIZE▼"))
    let hidden = try Self.run([.key(.function(6)), .key(.end), .key(.enter)])
    #expect(hidden.state.place.sort?.column == "seq")
    let cycled = try Self.run([.type(">>")])
    #expect(cycled.state.place.sort?.column == "device")
    let wrong = try Self.run([.type(":sort nonsense"), .key(.enter)])
    #expect(wrong.picture.contains("columns: age_ns"))
  }

  @Test func groupsOpenAndClose() throws {
    let tree = try Self.run([.key(.function(5))])
    #expect(tree.picture.contains("- ahci (6)"))
    #expect(tree.picture.contains("+ 0000:00:1f.2 (6)"))
    let open = try Self.run([.key(.function(5)), .key(.down), .key(.right), .key(.down)])
    #expect(open.picture.contains("- 0000:00:1f.2 (6)"))
    #expect(open.picture.contains("+ coherent (6)"))
    let all = try Self.run([.key(.function(5)), .type("**")])
    #expect(all.picture.contains("0x6960000"))
    let shut = try Self.run([.key(.function(5)), .key(.enter)])
    #expect(shut.picture.contains("+ ahci (6)"))
    #expect(!shut.picture.contains("1f.2"))
    let devices = try Self.run([.type("4"), .key(.left)])
    #expect(devices.picture.contains("+ ahci"))
    let plain = try Self.run([.type("4"), .key(.function(5))])
    #expect(!plain.picture.contains("- ahci"))
    let findings = try Self.run(
      [.type("2"), .key(.right), .key(.down)],
      path: Fixtures.root + "/fixtures/kernel/linux-6.12/bug-sg-count/trace.txt",
      at: .end
    )
    #expect(findings.picture.contains("- device driver syncs"))
    #expect(findings.picture.contains("  device driver syncs"))
  }

  @Test func theCursorFollowsAMapping() throws {
    // The youngest mapping is the last row; with the sort inverted the first.
    let outcome = try Self.run([.key(.end), .type("FI")])
    #expect(outcome.state.place.selection == 0)
    #expect(outcome.picture.contains("FOLLOW"))
    let left = try Self.run([.key(.end), .type("F"), .key(.up), .type("I")])
    #expect(left.state.place.followed == nil)
  }

  @Test func marksRowsAndExportsAndCopiesThem() throws {
    var saved: [(rows: Int, name: String)] = []
    var effects = Monitor.Effects()
    effects.export = { (_, rows, name, _) throws(CommandError) in
      saved.append((rows.count, name))
      return rows.count
    }
    let outcome = try Self.run(
      [.type("mm"), .key(.control("s")), .type("a.csv"), .key(.enter), .type("y")],
      effects: effects
    )
    #expect(saved.count == 1)
    #expect(saved.first?.rows == 2)
    #expect(saved.first?.name == "a.csv")
    #expect(outcome.screen.copies.count == 1)
    #expect(outcome.screen.copies.first?.split(separator: "\n").count == 2)
    #expect(outcome.picture.contains("2 marked"))
    let cleared = try Self.run(
      [.type("mmU"), .key(.control("s")), .type("a.csv"), .key(.enter)],
      effects: effects
    )
    #expect(saved.last?.rows == 18)
    #expect(cleared.state.place.marked.isEmpty)
    let range = try Self.run([.type("m"), .key(.down), .key(.down), .type("V")])
    #expect(range.state.place.marked.count == 4)
  }

  @Test(arguments: ["rows.csv", "rows.json", "rows.jsonl", "rows.txt"])
  func exportsInEachFormat(_ name: String) throws {
    let path = Fixtures.temporaryDirectory() + "/" + name
    var effects = Monitor.Effects()
    effects.export = { (list, rows, name, view) throws(CommandError) in
      try ListExport.write(list, rows, to: name, view: view.title.lowercased())
    }
    let outcome = try Self.run(
      [.type("\\nvme"), .key(.enter), .key(.control("s")), .type(path), .key(.enter)],
      width: 200,
      effects: effects
    )
    #expect(outcome.picture.contains("12 rows saved"))
    let text = try #require(Fixtures.text(path))
    #expect(text.contains("0000:00:06.0"))
    #expect(!text.contains("ahci"))
    if name.hasSuffix(".csv") { #expect(text.hasPrefix("age_ns,driver,device,type,dma_addr,size")) }
    if name.hasSuffix(".json") { #expect(text.contains("\"schema\":\"dmatop.mappings/1\"")) }
    // What is there stays.
    let again = try Self.run(
      [.key(.control("s")), .type(path), .key(.enter)],
      effects: effects
    )
    #expect(again.picture.contains("File exists"))
    #expect(Fixtures.text(path) == text)
  }

  @Test func anExportForSpreadsheetsHasNoFormulas() throws {
    let line = "dma_map_page: =1+1 dir=TO_DEVICE dma_addr=1000 size=64 phys_addr=1000 attrs="
    let trace = Fixtures.temporary("t.txt", TraceText.kernel([line]))
    let path = Fixtures.temporaryDirectory() + "/rows.csv"
    var effects = Monitor.Effects()
    effects.export = { (list, rows, name, view) throws(CommandError) in
      try ListExport.write(list, rows, to: name, view: view.title.lowercased())
    }
    _ = try Self.run(
      [.key(.control("s")), .type(path), .key(.enter)],
      path: trace,
      at: .end,
      effects: effects
    )
    let text = try #require(Fixtures.text(path))
    #expect(text.contains(",'=1+1,") && text.contains(",64,"), "\(text)")
  }

  // MARK: Details and other views

  @Test func aMappingShowsItsHistory() throws {
    let outcome = try Self.run([.type("/checked"), .key(.enter), .key(.enter)])
    #expect(outcome.picture.contains("history of the address"))
    #expect(outcome.picture.contains("dma_map_phys"))
    #expect(outcome.picture.contains("mapped at: "))
    let scrolled = try Self.run(
      [.type("/checked"), .key(.enter), .key(.enter), .type("JJJ")],
      height: 24
    )
    #expect(scrolled.state.detailScroll > 0)
  }

  @Test func anErrorIsExplained() throws {
    let outcome = try Self.run([.type("2"), .key(.enter)])
    for words in [
      "DMA003", "why: ", "fix: ", "history of the address", "called from: ", "dma_unmap_phys",
    ] {
      #expect(outcome.picture.contains(words), "\(words)")
    }
  }

  @Test func anEventShowsItsLists() throws {
    let outcome = try Self.run(
      [.type("3/dma_map_sg"), .key(.enter), .key(.enter)],
      path: Fixtures.root + "/fixtures/kernel/linux-6.12/bug-sg-count/trace.txt",
      at: .end
    )
    #expect(outcome.picture.contains("segment 0: 0x"))
    #expect(outcome.picture.contains("physical 0x"))
  }

  /// Found by somebody who used it: the state of views 4 and 8 is that of now, not of the end.
  @Test func statisticsAreThoseOfNow() throws {
    let early = try Self.run([.type("b#24"), .key(.enter), .type("8")])
    #expect(early.picture.contains("maps      0"))
    let devices = try Self.run([.type("b#24"), .key(.enter), .type("4")])
    #expect(devices.picture.contains("no device has done anything yet"))
    let later = try Self.run([.type("b#200"), .key(.enter), .type("8")])
    #expect(later.picture.contains("maps      64"))
    let start = try Self.run([.type("r")])
    #expect(!start.picture.contains("events/s"))
    #expect(start.picture.contains("time 0.857906"))
  }

  @Test func theErrorsStillToComeAreSaid() throws {
    let outcome = try Self.run([.type("2")])
    #expect(outcome.picture.contains("2 Errors (0 of 1)"))
    #expect(outcome.picture.contains(">3.942366"))
  }

  @Test func groupsFollowTheSortAndSearchFindsThem() throws {
    let bytes = try Self.run([.key(.function(5)), .type(":sort size"), .key(.enter)])
    let ahci = bytes.picture.range(of: "ahci (6)")?.lowerBound
    let nvme = bytes.picture.range(of: "nvme (12)")?.lowerBound
    #expect(try #require(nvme) < #require(ahci))
    let other = try Self.run([.key(.function(5)), .type(":sort -size"), .key(.enter)])
    let first = other.picture.range(of: "ahci (6)")?.lowerBound
    let second = other.picture.range(of: "nvme (12)")?.lowerBound
    #expect(try #require(first) < #require(second))
    let group = try Self.run([.key(.function(5)), .type("/nvme (12)"), .key(.enter)])
    #expect(group.picture.contains("'nvme (12)' 1/1"))
    let inside = try Self.run([.key(.function(5)), .type("/6a9c000"), .key(.enter)])
    #expect(inside.picture.contains("'6a9c000' 1/1"))
    #expect(inside.picture.contains("0x6a9c000"))
  }

  @Test func theDifferenceLeadsToItsMappings() throws {
    let outcome = try Self.run([
      .type("b#100"), .key(.enter), .type("A"), .type("b#280"), .key(.enter), .type("BD"),
      .key(.enter),
    ])
    #expect(outcome.state.view == .mappings)
    #expect(outcome.picture.contains("22 of 37 shown"))
  }

  @Test func writeErrorsAreThoseOfTheKernel() throws {
    let outcome = try Self.run([.type("5"), .key(.down), .type("o1"), .key(.enter)])
    #expect(outcome.picture.contains("write error: Invalid argument"))
  }

  @Test func relatedViewsLeadToEachOther() throws {
    let devices = try Self.run([.type("4"), .key(.down), .type("z")])
    #expect(devices.state.view == .mappings)
    #expect(devices.picture.contains("FILTER device=0000:00:1f.2"))
    let events = try Self.run([.type("3"), .key(.up), .key(.up), .type("z")])
    #expect(events.state.timeline.event == 298)
    let mapping = try Self.run([.key(.end), .type("z")])
    #expect(mapping.state.timeline.event < 300)
    #expect(mapping.state.place.followed != nil)
    let map = try Self.run([.type("7z")])
    #expect(map.picture.contains("FILTER dma_addr>=0x5d5f000"))
    #expect(map.picture.contains("16 of 18 shown"))
  }

  @Test func addressesOfDevicesBehindAnIOMMUAreTheirOwn() throws {
    let outcome = try Self.run(
      [.type("7")],
      path: Fixtures.root + "/fixtures/kernel/linux-6.12/iommu-fuzz-01/trace.txt",
      at: .end
    )
    #expect(outcome.picture.contains("0000:00:1f.2"))
    #expect(outcome.picture.contains("0000:00:04.0"))
  }

  @Test func theMapZoomsIn() throws {
    let inside = try Self.run([.type("7"), .key(.enter)])
    #expect(inside.state.mapZoom.count == 1)
    #expect(inside.picture.contains("Esc goes back"))
    let cell = try Self.run([.type("7"), .key(.right), .key(.right)])
    #expect(cell.state.mapCell == 1)
    #expect(cell.picture.contains("in 0x5d"))
    let out = try Self.run([.type("7"), .key(.enter), .key(.escape)])
    #expect(out.state.mapZoom.isEmpty)
    let deep = try Self.run([.type("7")] + .init(repeating: .key(.enter), count: 20))
    #expect(deep.picture.contains("as close as it gets"))
  }

  /// Every capture of a real kernel, every view: drawn, filtered, sorted, walked through.
  @Test(arguments: KernelCase.all)
  func everyCaptureCanBeLookedAt(_ capture: KernelCase) throws {
    for view in 1...8 {
      let outcome = try Self.run(
        [
          .type("\(view)"), .key(.enter), .key(.escape), .type("I\\e"), .key(.enter), .key(.delete),
          .type("x"), .type("x"), .type("b50%"), .key(.enter), .type("tT.,eEwW"), .key(.end),
          .resize(Size(width: 20, height: 5)), .resize(Size(width: 300, height: 100)),
        ],
        path: capture.trace,
        at: .end
      )
      #expect(outcome.picture.contains("dmatop  kernel"))
      #expect(outcome.state.failure == nil)
    }
  }

  // MARK: Everything else

  @Test func thePaletteDoesEverything() throws {
    #expect(try Self.run([.type(":errors"), .key(.enter)]).state.view == .errors)
    #expect(try Self.run([.type(":goto 50%"), .key(.enter)]).state.timeline.event < 300)
    #expect(try Self.run([.type(":theme light"), .key(.enter)]).state.settings.theme == .light)
    #expect(try Self.run([.type(":diff"), .key(.enter)]).picture.contains("set markers first"))
    let completed = try Self.run([.type(":dev"), .key(.tab), .key(.enter)])
    #expect(completed.state.view == .devices)
    let unknown = try Self.run([.type(":zzz"), .key(.enter)])
    #expect(unknown.picture.contains("there is no action 'zzz'"))
    // Each action can be typed, and none of them ends the program but quit.
    for action in MonitorAction.allCases where action != .quit {
      _ = try Self.run([.type(":\(action.rawValue)"), .key(.enter), .key(.escape)])
    }
  }

  @Test func theSetupScreenChangesAndSaves() throws {
    var saved: MonitorSettings?
    var effects = Monitor.Effects()
    effects.saveSettings = {
      saved = $0
      return nil
    }
    let outcome = try Self.run(
      [
        .key(.function(2)), .key(.right), .key(.down), .key(.right), .key(.function(12)),
        .key(.escape),
      ],
      effects: effects
    )
    #expect(outcome.state.settings.theme == .light)
    #expect(outcome.state.settings.preset == .htop)
    #expect(saved == outcome.state.settings)
    #expect(outcome.picture.contains("settings saved"))
    // The keys are those of the preset at once: a space marks.
    let marking = try Self.run(
      [.key(.function(2)), .key(.down), .key(.right), .key(.escape), .type(" ")]
    )
    #expect(marking.state.place.marked.count == 1)
  }

  @Test func helpShowsTheKeysThatHold() throws {
    var settings = MonitorSettings()
    settings.keyChanges = [.init(action: .tree, keys: [.function(9)])]
    let help = try Self.run([.type("?")], height: 100, settings: settings)
    #expect(help.picture.contains("F9            group rows"))
    let rebound = try Self.run([.key(.function(9))], settings: settings)
    #expect(rebound.state.place.isTree)
    let old = try Self.run([.key(.function(5))], settings: settings)
    #expect(!old.state.place.isTree)
  }

  @Test func clicksDoWhatKeysDo() throws {
    func click(_ x: Int, _ y: Int) -> VirtualScreen.Step {
      .key(.mouse(MouseEvent(.press(1), at: Position(x: x, y: y))))
    }
    // The heading of the size, and again.
    let sorted = try Self.run([click(71, 6), click(71, 6)])
    #expect(sorted.state.place.sort == .init(column: "size", isAscending: true))
    let row = try Self.run([click(10, 9)])
    #expect(row.state.place.selection == 2)
    let opened = try Self.run([click(10, 9), click(10, 9)])
    #expect(opened.state.showsDetail)
    let tab = try Self.run([click(17, 5)])
    #expect(tab.state.view == .errors)
    let strip = try Self.run([click(1, 4)])
    #expect(strip.state.timeline.event <= 1)
    let bar = try Self.run([click(1, 39)])
    #expect(bar.state.overlay == .help)
    let wheel = try Self.run([.key(.mouse(MouseEvent(.wheelDown, at: Position(x: 1, y: 10))))])
    #expect(wheel.state.place.selection == 3)
  }

  @Test func columnsMoveSideways() throws {
    let outcome = try Self.run([.key(.right), .key(.right)], width: 80)
    #expect(!outcome.picture.contains("AGE"))
    #expect(outcome.picture.contains("DIR"))
  }

  @Test(arguments: Theme.all)
  func everyThemeDrawsTheSameLetters(_ theme: Theme) throws {
    var settings = MonitorSettings()
    settings.theme = theme
    for view in 1...8 {
      let outcome = try Self.run([.type("\(view)")], settings: settings)
      let plain = try Self.run([.type("\(view)")])
      #expect(outcome.picture == plain.picture)
    }
  }

  // MARK: Pastes and floods

  @Test func whatIsPastedIsNoCommand() throws {
    let outcome = try Self.run([.key(.paste("")), .key(.paste("2q:theme mono\rQ"))])
    #expect(outcome.state.view == .mappings)
    #expect(outcome.picture.contains("pasted text is no command"))
    // In a box it is nothing, too.
    let help = try Self.run([.type("?"), .key(.paste("q"))])
    #expect(help.state.overlay == .help)
  }

  @Test func aPasteGoesIntoTheLine() throws {
    let outcome = try Self.run([.type("\\"), .key(.paste("nvme\r\nsize>=64k\u{1b}[2J"))])
    #expect(outcome.state.prompt?.editor.text == "nvme size>=64k[2J")
    let done = try Self.run([.type("\\"), .key(.paste("nvme")), .key(.enter)])
    #expect(done.state.place.filterText == "nvme")
  }

  @Test(arguments: ["\\", "/", ":", "b"])
  func aLargePasteIsBoundedAndEscapeWorks(_ prompt: String) throws {
    let megabyte = String(repeating: "nvme size>4k ", count: 80_000)
    let start = ContinuousClock.now
    let outcome = try Self.run([.type(prompt), .key(.paste(megabyte))])
    #expect(outcome.state.prompt?.editor.text.utf8.count == LineEditor.maximumLength)
    #expect(outcome.picture.contains("full: 4096 bytes"))
    let closed = try Self.run([.type(prompt), .key(.paste(megabyte)), .key(.escape)])
    #expect(closed.state.prompt == nil)
    #expect(closed.state.place.filterText.isEmpty)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  /// Without marks around a paste it is a flood of keys: there is no picture for each of them.
  @Test func aFloodOfKeysIsTakenBeforeThePicture() throws {
    let letters = Array(repeating: Key.character("x"), count: 100_000)
    let start = ContinuousClock.now
    let outcome = try Self.run([.type("\\"), .flood(letters + [.escape])])
    #expect(outcome.state.prompt == nil)
    #expect(outcome.screen.frames.count < 100)
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  /// Keys that come together do what they do one by one.
  @Test func keysThatComeTogether() throws {
    let keys: [[Key]] = [
      [.character("3"), .end, .up, .up, .character("z")],
      [.end, .up, .enter], [.character("2"), .end, .home, .down, .enter],
      [.character("4"), .end, .character("z")],
      [.character("5"), .end, .up, .up, .character("m"), .character("m")],
      "\\nvme".map { .character($0) } + [.enter, .end, .character("m"), .down, .down],
      "/nvme".map { .character($0) } + [.escape, .character("n"), .character("m")],
      [.function(6), .end, .up, .enter], "ABD".map { .character($0) } + [.enter, .down],
      Array(repeating: .pageDown, count: 50) + [.up, .character("m")],
    ]
    for keys in keys {
      let one = try Self.run(keys.map { .key($0) }).state
      let all = try Self.run([.flood(keys)]).state
      // Only how far the list was scrolled on the way may differ.
      #expect(all.view == one.view, "\(keys)")
      #expect(all.timeline.event == one.timeline.event, "\(keys)")
      #expect(all.place.selection == one.place.selection, "\(keys)")
      #expect(all.place.marked == one.place.marked, "\(keys)")
      #expect(all.place.filterText == one.place.filterText, "\(keys)")
      #expect(all.place.sort == one.place.sort, "\(keys)")
      #expect(all.message == one.message, "\(keys)")
      #expect(all.showsDetail == one.showsDetail, "\(keys)")
    }
  }
}
