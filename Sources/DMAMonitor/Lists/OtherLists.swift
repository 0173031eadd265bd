// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import TerminalKit

/// Where a mapping was made: its stack, or the caller that asked for its map error.
struct MapSite: Hashable, Comparable {
  private let stack: UInt32
  private let symbol: UInt32

  init(_ mapping: Mapping) {
    stack = mapping.stack
    symbol = mapping.stack == StackTable.none ? mapping.site : NameTable.unknown
  }

  init(stack: UInt32, symbol: UInt32) {
    self.stack = stack
    self.symbol = symbol
  }

  func name(_ names: TraceNames) -> String? {
    if stack != StackTable.none { return names.callSite(stack: stack) }
    return symbol == NameTable.unknown ? nil : names.symbols.string(symbol)
  }

  static func < (a: MapSite, b: MapSite) -> Bool { (a.stack, a.symbol) < (b.stack, b.symbol) }
}

/// The files of dma-api/, and dma_buf/bufinfo.
enum FileList {
  /// The file of a row, however the list is arranged.
  static func file(_ list: any RowList, _ row: Int) -> VirtualFile? {
    let files = VirtualFile.allCases
    return list.identity(row).flatMap { Int(exactly: $0) }
      .flatMap { files.indices.contains($0) ? files[$0] : nil }
  }

  static func make(_ engine: DMADebug, _ names: TraceNames) -> FixedList {
    FixedList(
      columns: [
        ListColumn(name: "file", heading: "dma-api/", width: 17),
        ListColumn(name: "bytes", heading: "BYTES", width: 8, isTrailing: true),
      ],
      rows: VirtualFile.allCases.enumerated().map { index, file in
        FixedList.Row(
          values: [
            .text(file == .bufinfo ? file.path : file.rawValue),
            .number(UInt64(engine.read(file, names: names).count)),
          ],
          identity: UInt64(index)
        )
      }
    )
  }
}

/// Where live mappings were made.
enum SiteList {
  struct Site {
    var site: MapSite
    var device: DeviceID
    var count: UInt64 = 0
    var bytes: UInt64 = 0
    var oldest: UInt64 = 0
  }

  static func sites(_ timeline: Timeline) -> [Site] {
    struct Key: Hashable {
      var device: DeviceID
      var name: String?
    }
    var table: [Key: Site] = [:]
    var known: [MapSite: String?] = [:]
    let now = timeline.time
    let names = timeline.names
    timeline.engine.forEachLiveMapping { mapping in
      let place = MapSite(mapping)
      // Several ways lead to one function.
      let name = known[place] ?? place.name(names)
      known[place] = name
      let key = Key(device: mapping.device, name: name)
      var site = table[key] ?? Site(site: place, device: key.device)
      site.count += 1
      site.bytes &+= mapping.size
      site.oldest = max(site.oldest, now > mapping.time ? now - mapping.time : 0)
      table[key] = site
    }
    return table.values.sorted {
      ($1.bytes, $0.device.rawValue, $0.site) < ($0.bytes, $1.device.rawValue, $1.site)
    }
  }

  static func make(_ sites: [Site], _ timeline: Timeline) -> FixedList {
    let names = timeline.names
    let engine = timeline.engine
    return FixedList(
      columns: [
        ListColumn(name: "live", heading: "LIVE", width: 7, isTrailing: true),
        ListColumn(name: "bytes", heading: "BYTES", width: 9, isTrailing: true),
        ListColumn(name: "oldest_ns", heading: "OLDEST", width: 8, isTrailing: true, priority: 2),
        ListColumn(name: "driver", heading: "DRIVER", width: 12, priority: 3),
        ListColumn(name: "device", heading: "DEVICE", width: 12, priority: 1),
        ListColumn(name: "site", heading: "MAPPED BY", width: 30),
      ],
      rows: sites.enumerated().map { index, site in
        FixedList.Row(
          values: [
            .number(site.count), .number(site.bytes), .duration(site.oldest),
            .text(names.drivers.string(engine.driver(of: site.device).rawValue)),
            .text(names.devices.string(site.device.rawValue)), .optional(site.site.name(names)),
          ],
          identity: UInt64(index),
          texts: [1: FieldValue.bytes(site.bytes), 5: site.site.name(names) ?? "site unknown"]
        )
      }
    )
  }
}

/// What came and went between the markers A and B.
enum DifferenceList {
  /// What a row counts, however the list is arranged.
  static func group(
    _ difference: MappingDifference,
    _ list: any RowList,
    _ row: Int
  ) -> MappingDifference.Group? {
    let groups = difference.groups
    return list.identity(row).flatMap { Int(exactly: $0) }
      .flatMap { groups.indices.contains($0) ? groups[$0] : nil }
  }

  static func make(_ difference: MappingDifference, _ timeline: Timeline) -> FixedList {
    let names = timeline.names
    let engine = timeline.engine
    return FixedList(
      columns: [
        ListColumn(name: "growth", heading: "GROWTH", width: 7, isTrailing: true),
        ListColumn(name: "new", heading: "NEW", width: 7, isTrailing: true, priority: 1),
        ListColumn(name: "new_bytes", heading: "BYTES", width: 9, isTrailing: true, priority: 2),
        ListColumn(name: "gone", heading: "GONE", width: 7, isTrailing: true, priority: 1),
        ListColumn(name: "gone_bytes", heading: "BYTES", width: 9, isTrailing: true, priority: 2),
        ListColumn(name: "changed", heading: "CHANGED", width: 7, isTrailing: true, priority: 4),
        ListColumn(name: "driver", heading: "DRIVER", width: 14, priority: 3),
        ListColumn(name: "device", heading: "DEVICE", width: 14),
        ListColumn(name: "site", heading: "MAPPED BY", width: 30),
      ],
      rows: difference.groups.enumerated().map { index, group in
        let site = MapSite(stack: group.stack, symbol: group.site)
        return FixedList.Row(
          values: [
            .text(group.growth > 0 ? "+\(group.growth)" : String(group.growth)),
            .number(group.new), .number(group.newBytes), .number(group.gone),
            .number(group.goneBytes), .number(group.changed),
            .text(names.drivers.string(engine.driver(of: group.device).rawValue)),
            .text(names.devices.string(group.device.rawValue)), .optional(site.name(names)),
          ],
          identity: UInt64(index),
          role: group.growth > 0 ? .warning : .plain,
          texts: [
            2: FieldValue.bytes(group.newBytes), 4: FieldValue.bytes(group.goneBytes),
            8: site.name(names) ?? "?",
          ]
        )
      }
    )
  }
}
