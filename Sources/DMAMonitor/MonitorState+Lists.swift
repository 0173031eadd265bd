import DMADebugCore
import DMAReplay
import DMATrace
import TerminalKit

/// Lists that were made for a state, to be used again while it is the same.
struct ListCaches {
  /// What a list depends on.
  struct Key: Hashable {
    var view: MonitorState.View
    var filter = ""
    var pinned = ""
    var errorsOnly = false
    var sort: ListSort?
    var isTree = false
    var toggled: Set<String> = []
    var epoch: UInt64 = 0
    var other = 0
    /// When in time; behind what was asked for, a list that is not old may stand in while time goes
    /// on by itself.
    var event: UInt64 = 0
    var change: UInt64 = 0
    var entries = 0
    var findings = 0

    /// The same question at whatever time.
    func asks(_ other: Key) -> Bool {
      var a = self
      var b = other
      a.event = 0
      a.change = 0
      a.entries = 0
      a.findings = 0
      b.event = 0
      b.change = 0
      b.entries = 0
      b.findings = 0
      return a == b
    }
  }

  /// Something that was made for a key, when, and how long that took.
  struct Made<Value> {
    var key: Key
    var value: Value
    var at: ContinuousClock.Instant
    var duration: Duration
  }

  var content: Made<MappingList.Content>?
  var slots: Made<[UInt32]>?
  var errors: Made<ErrorList.Content>?
  var order: Made<[Int]?>?
  var devices: Made<[DeviceSummary]>?
  var buffers: Made<BufferList.Content>?
  var regions: Made<[AddressRegion]>?
  var statistics: Made<LiveStatistics>?
  var totals: Made<LiveTotals>?
  var history: (key: [UInt64], value: AddressHistory)?

  /// Nothing here keeps a state alive: these are numbers and copies. Histories are of no use for
  /// another state.
  mutating func letGo() {
    history = nil
  }

  /// The value for a key: the one at hand if it was made for it, or, while time goes on, if making
  /// a new one so soon would take over.
  static func get<Value>(
    _ cache: inout Made<Value>?,
    _ key: Key,
    isMoving: Bool,
    _ make: () -> Value
  ) -> Value {
    if let made = cache {
      if made.key == key { return made.value }
      let age = ContinuousClock.now - made.at
      if isMoving, made.key.asks(key), age < made.duration * 12 { return made.value }
    }
    let start = ContinuousClock.now
    let value = make()
    let end = ContinuousClock.now
    cache = Made(key: key, value: value, at: end, duration: end - start)
    return value
  }
}

/// Live mappings and bytes, in all and by direction.
struct LiveTotals {
  var count: UInt64 = 0
  var bytes: UInt64 = 0
  var byDirection = [(count: UInt64, bytes: UInt64)](repeating: (0, 0), count: 4)

  init(_ engine: DMADebug) {
    var parts = byDirection
    engine.withMappings { table in
      for index in table.indices where table[index].sequence != 0 {
        let direction = Int(table[index].direction.rawValue)
        parts[direction].count += 1
        parts[direction].bytes &+= table[index].size
      }
    }
    byDirection = parts
    count = parts.reduce(0) { $0 + $1.count }
    bytes = parts.reduce(0) { $0 &+ $1.bytes }
  }
}

extension MonitorState {
  private func key(_ view: View) -> ListCaches.Key {
    var key = ListCaches.Key(view: view)
    key.epoch = epoch
    key.event = timeline.event
    key.change = timeline.engine.changeCount
    key.entries = timeline.entries.count
    if view == .errors { key.findings = lint.revision }
    return key
  }

  private func fullKey() -> ListCaches.Key {
    var key = key(view)
    let place = place
    key.filter = place.filterText
    key.pinned = pinnedText
    key.errorsOnly = place.errorsOnly
    key.sort = place.sort
    key.isTree = place.isTree
    key.toggled = place.toggled
    if difference != nil { key.other = 1 }
    return key
  }

  /// The rows of what is shown: filtered, sorted, grouped.
  mutating func list(_ glyphs: Glyphs = .unicode) -> any RowList {
    if difference == nil, view == .mappings { return mappingList() }
    let base = baseList(glyphs)
    let full = fullKey()
    let filters = filters()
    let place = place
    // Only these change which rows there are; a tree keeps its order.
    let sort = place.isTree && view.hasTree && difference == nil ? nil : place.sort
    if filters.isEmpty, !place.errorsOnly, sort == nil { return base }
    let order = ListCaches.get(&caches.order, full, isMoving: false) {
      ArrangedList.order(
        of: base,
        filters: filters,
        errorsOnly: place.errorsOnly,
        sort: sort.map { ($0.column, $0.isAscending) }
      )
    }
    return order.map { ArrangedList(base: base, order: $0) } ?? base
  }

  private mutating func baseList(_ glyphs: Glyphs) -> any RowList {
    if let difference { return DifferenceList.make(difference, timeline) }
    switch view {
    case .mappings: return mappingList()
    case .errors: return errorList()
    case .events: return eventList()
    case .devices:
      return DeviceList.make(
        deviceSummaries(),
        names,
        glyphs,
        isTree: place.isTree,
        closed: place.toggled
      )
    case .files: return FileList.make(timeline.engine, names)
    case .buffers: return bufferList(glyphs)
    case .map:
      return RegionList.make(
        regions(),
        now: timeline.time,
        barWidth: mapBarWidth,
        glyphs,
        names
      )
    case .stats: return SiteList.make(statistics().sites, timeline)
    }
  }

  /// Mappings that dma-debug has complained about until now, by sequence.
  func wrongMappings() -> Set<UInt64> {
    var wrong: Set<UInt64> = []
    let now = timeline.event
    for entry in timeline.entries where entry.event <= now && entry.report.kind.isError {
      if let mapping = entry.report.mapping { wrong.insert(mapping.sequence) }
    }
    return wrong
  }

  mutating func mappingList() -> MappingList {
    let context = context
    let wrong = wrongMappings()
    let place = places[.mappings] ?? Place()
    var base = key(.mappings)
    let all = ListCaches.get(&caches.slots, base, isMoving: isMoving) {
      MappingSelection(context).all()
    }
    base.filter = place.filterText
    base.pinned = pinnedText
    base.errorsOnly = place.errorsOnly
    base.sort = place.sort
    base.isTree = place.isTree
    base.toggled = place.toggled
    let shown = view
    view = .mappings
    let filters = filters()
    view = shown
    let content = ListCaches.get(&caches.content, base, isMoving: isMoving) {
      var selection = MappingSelection(context)
      selection.wrong = wrong
      // Slots that were found a moment ago may have been freed since.
      let live = context.engine.withMappings { table in
        all.filter { Int($0) < table.count && table[Int($0)].sequence != 0 }
      }
      var slots = selection.filtered(live, by: filters, errorsOnly: place.errorsOnly)
      if let sort = place.sort, let field = MappingField(rawValue: sort.column) {
        slots = selection.sorted(slots, by: field, ascending: sort.isAscending)
      }
      return place.isTree
        ? MappingList.tree(
          slots,
          context,
          total: live.count,
          toggled: place.toggled,
          wrong: wrong,
          sort: place.sort
        ) : MappingList.plain(slots, context, total: live.count)
    }
    return MappingList(
      content: content,
      context: context,
      fields: settings.mappingFields,
      freshFrom: settings.highlightsNew ? freshFrom : .max,
      wrong: wrong
    )
  }

  /// Opens the groups of the mappings that have some words, so that a search can reach them.
  mutating func openGroups(with text: String) {
    let context = context
    let selection = MappingSelection(context)
    let words = text.lowercased().split(separator: " ").map { FilterExpression(plain: String($0)) }
    guard !words.isEmpty else { return }
    let found = selection.filtered(selection.all(), by: filters() + words)
    guard let place = places[.mappings], found.count < 100_000 else { return }
    var open: Set<String> = []
    for slot in found {
      let mapping = selection.mapping(slot)
      let path = [
        context.names.drivers.string(context.engine.driver(of: mapping.device).rawValue),
        context.names.devices.string(mapping.device.rawValue),
        mapping.type.kernelName.description,
      ]
      for depth in 1...3 { open.insert(path.prefix(depth).joined(separator: "\u{0}")) }
    }
    var toggled = place.toggled
    for key in open {
      // Drivers are open unless they were closed, what is deeper is closed unless it was opened.
      if key.contains("\u{0}") { toggled.insert(key) } else { toggled.remove(key) }
    }
    places[.mappings]?.toggled = toggled
  }

  mutating func errorList() -> ErrorList {
    let place = places[.errors] ?? Place()
    var key = key(.errors)
    key.event = 0
    key.change = 0
    key.isTree = place.isTree
    key.toggled = place.toggled
    let entries = timeline.entries
    let findings = lint.findings
    let content = ListCaches.get(&caches.errors, key, isMoving: isMoving) {
      place.isTree
        ? ErrorList.Content.grouped(entries, findings, open: place.toggled)
        : ErrorList.Content.plain(entries, findings)
    }
    return ErrorList(
      content: content,
      entries: entries,
      names: names,
      generation: timeline.engine.configuration.generation,
      now: timeline.event,
      showsNanoseconds: hasClock
    )
  }

  func eventList() -> EventList {
    let (batch, position, first) = timeline.neighbourhood
    var wrong: Set<UInt64> = []
    let last = first + UInt64(batch.events.count)
    for entry in timeline.entries where entry.event > first && entry.event <= last {
      if entry.report.kind.isError { wrong.insert(entry.event) }
    }
    for finding in lint.findings where finding.severity != .note {
      let event = finding.eventNumber
      if event > first, event <= last { wrong.insert(event) }
    }
    return EventList(
      batch: batch,
      events: batch.events,
      names: names,
      first: first,
      position: position,
      wrong: wrong,
      showsNanoseconds: hasClock
    )
  }

  mutating func deviceSummaries() -> [DeviceSummary] {
    let timeline = timeline
    return ListCaches.get(&caches.devices, key(.devices), isMoving: isMoving) {
      DeviceSummary.all(timeline, sparkline: DeviceList.sparkline)
    }
  }

  private mutating func bufferList(_ glyphs: Glyphs) -> BufferList.Content {
    let context = context
    let place = place
    // The rows themselves do not depend on filters.
    var key = fullKey()
    key.filter = ""
    key.pinned = ""
    key.errorsOnly = false
    key.other = glyphs.isASCII ? 1 : 0
    var content = ListCaches.get(&caches.buffers, key, isMoving: isMoving) {
      BufferList.make(
        context,
        glyphs,
        isTree: place.isTree,
        toggled: place.toggled,
        sort: place.sort
      )
    }
    content.context = context
    return content
  }

  mutating func regions() -> [AddressRegion] {
    var key = key(.map)
    key.other = mapZoom.count
    let timeline = timeline
    let zoom = mapZoom.last
    return ListCaches.get(&caches.regions, key, isMoving: isMoving) {
      if let zoom {
        return AddressRegion.parts(
          of: zoom.range,
          space: zoom.space,
          timeline.engine,
          count: 16
        )
      }
      return AddressRegion.all(timeline.engine)
    }
  }

  mutating func statistics() -> LiveStatistics {
    let timeline = timeline
    return ListCaches.get(&caches.statistics, key(.stats), isMoving: isMoving) {
      LiveStatistics(timeline)
    }
  }

  mutating func totals() -> LiveTotals {
    let timeline = timeline
    return ListCaches.get(&caches.totals, key(.mappings), isMoving: isMoving) {
      LiveTotals(timeline.engine)
    }
  }

  /// What happened to an address until an event; found once for what is shown.
  mutating func history(
    _ device: DeviceID,
    _ address: UInt64,
    size: UInt64,
    through event: UInt64
  ) -> AddressHistory {
    let key = [UInt64(device.rawValue), address, size, event]
    if let known = caches.history, known.key == key { return known.value }
    var found = AddressHistory()
    do throws(TraceError) {
      found = try timeline.history(of: device, address, size: size, through: event)
    } catch {
      say(error.description)
    }
    caches.history = (key, found)
    return found
  }

  /// Keeps the cursor on the row that it follows.
  mutating func applyFollowing(_ list: any RowList) {
    guard let followed = place.followed else { return }
    if list.identity(place.selection) == followed { return }
    if let row = (0..<list.count).first(where: { list.identity($0) == followed }) {
      place.selection = row
    }
  }
}
