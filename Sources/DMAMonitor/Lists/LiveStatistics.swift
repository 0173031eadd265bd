// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay

/// Sizes, ages, types and map sites of what lives.
struct LiveStatistics {
  var sizes = [UInt64](repeating: 0, count: 65)
  var ages = [UInt64](repeating: 0, count: 65)
  var types: [(type: MappingType, count: Int, bytes: UInt64)] = []
  var sites: [SiteList.Site] = []

  init(_ timeline: Timeline) {
    let now = timeline.time
    var sizes = sizes
    var ages = ages
    var counts = [(count: Int, bytes: UInt64)](repeating: (0, 0), count: 256)
    timeline.engine.forEachLiveMapping { mapping in
      sizes[64 - mapping.size.leadingZeroBitCount] += 1
      let age = now > mapping.time ? now - mapping.time : 0
      ages[64 - age.leadingZeroBitCount] += 1
      counts[Int(mapping.type.rawValue)].count += 1
      counts[Int(mapping.type.rawValue)].bytes &+= mapping.size
    }
    self.sizes = sizes
    self.ages = ages
    types = MappingType.allCases.compactMap { type in
      let part = counts[Int(type.rawValue)]
      return part.count > 0 ? (type, part.count, part.bytes) : nil
    }
    sites = SiteList.sites(timeline)
  }
}
