// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMAReplay
import DMATrace

/// `dmatop stat`
struct StatCommand: FileCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
  }

  static let configuration = CommandConfiguration(
    commandName: "stat",
    abstract: "Totals by driver and device, lifetimes, and the sites with most live mappings.",
    discussion: """
      Example:
        dmatop stat --devices devices.txt --at snapshot:end trace.txt
      """
  )

  @OptionGroup var moment: MomentArguments

  @Option(help: "text or json.")
  var format = Format.text

  @Option(help: ArgumentHelp("How many map sites to list.", valueName: "n"))
  var sites = 10

  func files() -> RunFiles { moment.files }

  func run() throws {
    if try SimulationOptions.simulation(path: moment.trace) == nil {
      switch try Capture.open(moment.trace) {
      case .trace(let reader): return try run(moment.replay.open(reader))
      case .log(var reader): return try printLog(&reader)
      case .dump(let dump): return try run(moment.replay.open(dump))
      }
    }
    try run(moment.replay.open(moment.trace))
  }

  private func printLog(_ reader: inout LogReader) throws {
    guard moment.at == .end else {
      throw CommandError(
        "--at is a moment of a trace; \(displayName(moment.trace)) is a kernel log"
      )
    }
    // What stands beside a trace is of no use here, but has to be right.
    _ = try moment.replay.options()
    let report = try LogStatistics(path: moment.trace, &reader)
    moment.replay.report.say(moment.trace, log: reader.summary)
    var output = BufferedOutput()
    switch format {
    case .text: for line in report.lines() { output.write(line + "\n") }
    case .json: output.write(bytes: report.json())
    }
  }

  private func run(_ opened: Replay) throws {
    var replay = opened
    replay.collect([.reports, .changes])
    var statistics = Statistics()
    statistics.observe(replay.output)
    try replay.run(moment.trace, to: moment.at, moment.replay.report) { replay, event in
      statistics.observe(event, replay.output)
    }
    statistics.observe(replay.output)
    let report = StatReport(
      path: moment.trace,
      statistics: statistics,
      replay: replay,
      siteLimit: sites
    )
    var output = BufferedOutput()
    switch format {
    case .text: report.writeText(to: &output)
    case .json: report.writeJSON(to: &output)
    }
    output.flush()
  }
}

/// What `dmatop stat` shows.
struct StatReport {
  /// Devices of one driver, by name, and their sum. There may be a million devices: nothing but
  /// their numbers is kept, and what is shown of one is made when it is written.
  struct Group {
    let driver: String
    var devices: [UInt32]
    var totals: Statistics.Totals
  }

  let path: String
  let statistics: Statistics
  let replay: Replay
  let siteLimit: Int

  /// Devices that did something, by driver and name.
  private func groups() -> [Group] {
    let names = replay.names
    func driver(_ number: UInt32) -> UInt32 {
      replay.engine.driver(of: DeviceID(rawValue: number)).rawValue
    }
    func totals(_ number: UInt32) -> Statistics.Totals { statistics.devices[Int(number)] }
    var numbers: [UInt32] = []
    for (index, totals) in statistics.devices.enumerated() where !totals.isIdle {
      numbers.append(UInt32(index))
    }
    numbers.sort { a, b in
      let (first, second) = (driver(a), driver(b))
      if first != second {
        return names.drivers[first].lexicographicallyPrecedes(names.drivers[second])
      }
      return names.devices[a].lexicographicallyPrecedes(names.devices[b])
    }
    var groups: [Group] = []
    var last: UInt32?
    for number in numbers {
      if driver(number) == last {
        groups[groups.count - 1].devices.append(number)
        groups[groups.count - 1].totals.add(totals(number))
      } else {
        let name = names.drivers.string(driver(number))
        groups.append(Group(driver: name, devices: [number], totals: totals(number)))
        last = driver(number)
      }
    }
    return groups
  }

  /// Sites with live mappings, most first.
  private var liveSites: [(site: String, value: Statistics.Site)] {
    var sites: [(site: String, value: Statistics.Site)] = []
    for value in statistics.sites where value.live > 0 {
      sites.append((replay.names.callSite(stack: value.stack) ?? "?", value))
    }
    sites.sort { a, b in
      if a.value.live != b.value.live { return a.value.live > b.value.live }
      if a.value.liveBytes != b.value.liveBytes { return a.value.liveBytes > b.value.liveBytes }
      return (a.site, a.value.stack) < (b.site, b.value.stack)
    }
    return Array(sites.prefix(max(0, siteLimit)))
  }

  /// Live mappings by type and direction.
  private var kinds: [(type: MappingType, direction: Direction, count: UInt64, bytes: UInt64)] {
    var counts = [(count: UInt64, bytes: UInt64)](
      repeating: (0, 0),
      count: MappingType.allCases.count * Direction.allCases.count
    )
    replay.engine.forEachLiveMapping { mapping in
      let slot = Int(mapping.type.rawValue) * 4 + Int(mapping.direction.rawValue)
      counts[slot].count += 1
      counts[slot].bytes &+= mapping.size
    }
    return counts.enumerated().compactMap { slot, value in
      guard value.count > 0, let type = MappingType(rawValue: UInt8(slot / 4)),
        let direction = Direction(rawValue: UInt8(slot % 4))
      else { return nil }
      return (type, direction, value.count, value.bytes)
    }
  }

  private var span: UInt64 {
    statistics.lastTime - min(statistics.firstTime ?? 0, statistics.lastTime)
  }

  private var isNanoseconds: Bool { replay.summary.clock == .nanoseconds }

  private func duration(_ value: UInt64?) -> String {
    guard let value else { return "-" }
    return isNanoseconds ? FieldValue.duration(value) : "\(value) ticks"
  }

  // MARK: Text

  func writeText(to output: inout BufferedOutput) {
    for line in head() { output.write(line + "\n") }
    writeDevices(to: &output)
    for line in tail() { output.write(line + "\n") }
  }

  private func head() -> [String] {
    let summary = replay.summary
    let engine = replay.engine
    let pool = engine.poolCounters
    var lines = [
      "trace     \(displayName(path)), \(summary.dialect)",
      "kernel    \(engine.configuration.generation.version) (\(replay.origin.description))",
      "events    \(engine.eventCount) over \(duration(span)), \(statistics.dmaEvents) of dma;"
        + " \(summary.lostEvents) lost, \(summary.malformedLines) not understood",
      "pool      \(pool.free) free, \(pool.minimumFree) at least, \(pool.total) in all"
        + (engine.isDisabled ? "; disabled" : ""),
      "errors    \(engine.errorCount)",
    ]
    if let undecided = Diagnostics.sentence(engine.undecided) {
      lines.append("undecided \(undecided)")
    }
    lines += sharingLines()
    lines.append("")
    return lines
  }

  private func tail() -> [String] {
    var lines = exporterTable()
    let kinds = kinds
    if !kinds.isEmpty {
      var table = TextTable([("LIVE NOW", false), ("DIR", false), ("COUNT", true), ("BYTES", true)])
      for kind in kinds {
        table.add([
          kind.type.kernelName.description, kind.direction.traceName.description,
          String(kind.count), FieldValue.bytes(kind.bytes),
        ])
      }
      lines += [""] + table.lines()
    }
    let sites = liveSites
    if !sites.isEmpty {
      var table = TextTable([("LIVE", true), ("BYTES", true), ("MAPS", true), ("MAP SITE", false)])
      for site in sites {
        table.add([
          String(site.value.live), FieldValue.bytes(site.value.liveBytes), String(site.value.maps),
          String(escaping: site.site.utf8),
        ])
      }
      lines += [""] + table.lines()
    }
    return lines
  }

  /// What devices share, fences, IOVA ranges and channels, where the trace has such events.
  private func sharingLines() -> [String] {
    let sharing = replay.engine.sharing
    var lines: [String] = []
    func plural(_ count: some BinaryInteger, _ word: String) -> String {
      "\(count) \(word)\(count == 1 ? "" : "s")"
    }
    if sharing.bufferEvents > 0 {
      let totals = sharing.bufferTotals
      var line = "buffers   \(totals.live) live, \(FieldValue.bytes(totals.bytes))"
      if totals.possiblyGone > 0 { line += "; \(totals.possiblyGone) possibly gone" }
      if sharing.shows(.bufferAttach) {
        line += "; \(plural(sharing.attachmentCount, "attachment"))"
      } else if sharing.attachmentCount > 0 {
        // Their use proves these; others may be attached unseen.
        line += "; \(plural(sharing.attachmentCount, "attachment")) at least"
      }
      if sharing.undecidedLinks > 0 {
        line += "; \(plural(sharing.undecidedLinks, "map")) that may be of several of them"
      }
      lines.append(line)
    }
    if sharing.hasFences {
      lines.append(
        "fences    \(sharing.pendingFences) pending, \(sharing.fencesSignaled) signaled on "
          + plural(sharing.timelines().count { $0.context != 0 }, "timeline")
      )
    }
    if sharing.iovaEvents > 0 {
      let linked = sharing.ranges().reduce(0 as UInt64) { $0 &+ $1.linkedBytes }
      lines.append(
        "IOVA      \(plural(sharing.iovaRangeCount, "range")), \(FieldValue.bytes(linked)) linked"
      )
    }
    if sharing.channelEvents > 0 {
      let channels = sharing.channels()
      lines.append(
        "dmaengine \(plural(channels.count, "channel")), "
          + plural(channels.reduce(0) { $0 + $1.inFlight }, "descriptor") + " in flight"
      )
    }
    if sharing.untracked > 0 {
      lines.append("untracked \(sharing.untracked) buffers, fences or others beyond the limits")
    }
    return lines
  }

  /// Exporters by name.
  private var exporters: [(name: String, totals: ExporterTotals)] {
    replay.engine.sharing.exporters.map { (replay.names.exporters.string($0.key), $0.value) }
      .sorted { $0.name < $1.name }
  }

  private func exporterTable() -> [String] {
    let exporters = exporters
    guard !exporters.isEmpty else { return [] }
    var table = TextTable([
      ("EXPORTER", false), ("LIVE", true), ("PEAK", true), ("BYTES", true), ("PEAK BYTES", true),
      ("EXPORTED", true),
    ])
    for (name, totals) in exporters {
      table.add([
        String(escaping: name.utf8), String(totals.live), String(totals.peak),
        FieldValue.bytes(totals.bytes), FieldValue.bytes(totals.peakBytes),
        String(totals.exported),
      ])
    }
    return [""] + table.lines()
  }

  private func writeDevices(to output: inout BufferedOutput) {
    var table = TextTable([
      ("DRIVER", false), ("DEVICE", false), ("LIVE", true), ("PEAK", true), ("BYTES", true),
      ("PEAK BYTES", true), ("MAPS", true), ("UNMAPS", true), ("SYNCS", true),
      ("TOTAL BYTES", true), ("LIFE P50", true), ("P99", true), ("MAX", true), ("ERRORS", true),
    ])
    let groups = groups()
    let names = replay.names
    func forEachRow(_ body: ([String]) -> Void) {
      for group in groups {
        for number in group.devices {
          let device = names.devices.string(number)
          body(cells(group.driver, device, statistics.devices[Int(number)]))
        }
        if group.devices.count > 1 {
          body(cells(group.driver, "\(group.devices.count) devices", group.totals))
        }
      }
      let hasSeveral = groups.count > 1
      if hasSeveral { body(cells("all", "", statistics.total)) }
    }
    // Once for the widths of the columns, and once to write.
    forEachRow { table.fit($0) }
    output.write(table.heading + "\n")
    forEachRow { output.write(table.line($0) + "\n") }
  }

  private func cells(
    _ driver: String,
    _ device: String,
    _ totals: Statistics.Totals
  ) -> [String] {
    let life = totals.lifetimes
    return [
      String(escaping: driver.utf8), String(escaping: device.utf8),
      String(totals.live), String(totals.peakLive), FieldValue.bytes(totals.liveBytes),
      FieldValue.bytes(totals.peakBytes), String(totals.maps), String(totals.unmaps),
      String(totals.syncs), FieldValue.bytes(totals.bytes),
      duration(life.percentile(permille: 500)), duration(life.percentile(permille: 990)),
      duration(life.count > 0 ? life.maximum : nil), String(totals.errors),
    ]
  }

  // MARK: JSON

  func writeJSON(to output: inout BufferedOutput) {
    let engine = replay.engine
    let summary = replay.summary
    let pool = engine.poolCounters
    var json = JSONWriter(indented: true)
    json.object { json in
      json.pair("schema", "dmatop.stat/1")
      json.pair("trace", path)
      json.pair("dialect", summary.dialect)
      json.pair("kernel", engine.configuration.generation.version)
      json.pair("kernel_origin", replay.origin.description)
      json.pair("clock", isNanoseconds ? "ns" : "ticks")
      json.pair("events", engine.eventCount)
      json.pair("dma_events", statistics.dmaEvents)
      json.pair("lost_events", summary.lostEvents)
      json.pair("overwritten_events", summary.overwrittenEvents)
      json.pair("malformed_lines", summary.malformedLines)
      json.pair("span_ns", span)
      json.pair("error_count", UInt64(engine.errorCount))
      json.pair("disabled", engine.isDisabled)
      json.key("pool")
      json.object { json in
        json.pair("total", UInt64(pool.total))
        json.pair("free", UInt64(pool.free))
        json.pair("min_free", UInt64(pool.minimumFree))
      }
      json.key("undecided")
      json.object { json in
        for reason in Undecided.Reason.allCases {
          json.pair(reason.rawValue, engine.undecided[reason])
        }
      }
      json.key("sharing")
      json.object { appendSharing(to: &$0) }
      json.key("total")
      json.object { append(statistics.total, to: &$0) }
      json.key("drivers")
      json.array { json in
        let names = replay.names
        for group in groups() {
          json.object { json in
            json.pair("driver", group.driver)
            append(group.totals, to: &json)
            json.key("devices")
            json.array { json in
              for number in group.devices {
                json.object { json in
                  json.pair("device", names.devices.string(number))
                  append(statistics.devices[Int(number)], to: &json)
                }
                if json.text.bytes.count > 1 << 16 { output.write(bytes: json.takeText()) }
              }
            }
          }
        }
      }
      json.key("live_by_type")
      json.array { json in
        for kind in kinds {
          json.object { json in
            json.pair("type", kind.type.kernelName.description)
            json.pair("dir", kind.direction.traceName.description)
            json.pair("live", kind.count)
            json.pair("live_bytes", kind.bytes)
          }
        }
      }
      json.key("map_sites")
      json.array { json in
        for site in liveSites {
          json.object { json in
            json.pair("site", site.site)
            json.pair("live", site.value.live)
            json.pair("live_bytes", site.value.liveBytes)
            json.pair("maps", site.value.maps)
          }
        }
      }
    }
    output.write(bytes: json.text.bytes + [0x0a])
  }

  private func appendSharing(to json: inout JSONWriter) {
    let sharing = replay.engine.sharing
    let totals = sharing.bufferTotals
    json.pair("buffer_events", sharing.bufferEvents)
    json.pair("fence_events", sharing.fenceEvents)
    json.pair("iova_events", sharing.iovaEvents)
    json.pair("dmaengine_events", sharing.channelEvents)
    json.pair("buffers", totals.live)
    json.pair("buffer_bytes", totals.bytes)
    json.pair("buffers_possibly_gone", totals.possiblyGone)
    json.key("attachments")
    if sharing.shows(.bufferAttach) || sharing.attachmentCount > 0 || sharing.bufferEvents == 0 {
      json.number(UInt64(sharing.attachmentCount))
    } else {
      json.null()
    }
    json.pair("undecided_links", sharing.undecidedLinks)
    json.pair("undecided_origins", sharing.undecidedOrigins)
    json.pair("pending_fences", UInt64(sharing.pendingFences))
    json.pair("signaled_fences", sharing.fencesSignaled)
    json.pair("iova_ranges", UInt64(sharing.iovaRangeCount))
    json.pair("iova_linked_bytes", sharing.ranges().reduce(0) { $0 &+ $1.linkedBytes })
    json.pair("channels", UInt64(sharing.channels().count))
    json.pair("descriptors_in_flight", UInt64(sharing.channels().reduce(0) { $0 + $1.inFlight }))
    json.pair("untracked", sharing.untracked)
    json.key("exporters")
    json.array { json in
      for (name, totals) in exporters {
        json.object { json in
          json.pair("exporter", name)
          json.pair("live", totals.live)
          json.pair("peak", totals.peak)
          json.pair("bytes", totals.bytes)
          json.pair("peak_bytes", totals.peakBytes)
          json.pair("exported", totals.exported)
        }
      }
    }
  }

  private func append(_ totals: Statistics.Totals, to json: inout JSONWriter) {
    json.pair("live", totals.live)
    json.pair("peak_live", totals.peakLive)
    json.pair("live_bytes", totals.liveBytes)
    json.pair("peak_bytes", totals.peakBytes)
    json.pair("maps", totals.maps)
    json.pair("unmaps", totals.unmaps)
    json.pair("syncs", totals.syncs)
    json.pair("failed_maps", totals.failedMaps)
    json.pair("bounces", totals.bounces)
    json.pair("bytes", totals.bytes)
    json.pair("errors", totals.errors)
    json.key("lifetime_ns")
    json.object { json in
      let life = totals.lifetimes
      let maximum: UInt64? = life.count > 0 ? life.maximum : nil
      for (name, value) in [
        ("p50", life.percentile(permille: 500)), ("p99", life.percentile(permille: 990)),
        ("max", maximum),
      ] {
        json.key(name)
        if let value { json.number(value) } else { json.null() }
      }
    }
  }
}
