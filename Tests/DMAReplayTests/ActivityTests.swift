// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace
import TestSupport
import Testing

@testable import DMAReplay

/// What devices did over time, and the history of addresses, against what the events say.
@Suite struct ActivityTests {
  private static func timeline() throws -> Timeline {
    let timeline = try SimulatedRun.timeline("desktop", events: 40_000, faults: "all@1%")
    while !timeline.isComplete { try timeline.read(limit: 5_000) }
    return timeline
  }

  @Test func sumsAreThoseOfTheStatistics() throws {
    let timeline = try Self.timeline()
    var statistics = Statistics()
    var replay = try Replay(reader: Self.reader(), options: ReplayOptions())
    replay.collect([.reports, .changes])
    _ = try replay.run(to: .end) { replay, event in statistics.observe(event, replay.output) }
    let activity = timeline.activity
    for (index, device) in statistics.devices.enumerated() where !device.isIdle {
      guard activity.devices.indices.contains(index) else {
        #expect(device.maps == 0 && device.syncs == 0 && device.bounces == 0)
        continue
      }
      let sum = activity.devices[index].sum
      #expect(UInt64(sum.maps) == device.maps)
      #expect(UInt64(sum.syncs) == device.syncs)
      #expect(sum.bytes == device.bytes)
      #expect(sum.peakBytes == device.peakBytes)
      #expect(UInt64(sum.peakLive) == device.peakLive)
      #expect(UInt64(sum.bounces) == device.bounces)
    }
    let total = activity.total.sum
    #expect(UInt64(total.events) == timeline.eventCount)
    #expect(UInt64(total.maps) == statistics.total.maps)
    #expect(activity.lifetimes.reduce(0, +) == statistics.total.unmaps)
    #expect(activity.total.pieces.count <= Activity.pieces)
  }

  private static func reader() throws -> any TraceReader {
    try SimulatedRun.reader("desktop", events: 40_000, faults: "all@1%")
  }

  @Test func anAddressHasItsWholeHistory() throws {
    let timeline = try Self.timeline()
    // All events of one device that name an address, read one by one.
    var replay = try Replay(reader: Self.reader(), options: ReplayOptions())
    var byAddress: [UInt64: [UInt64]] = [:]
    var device = DeviceID.unknown
    var number: UInt64 = 0
    _ = try replay.run(to: .end) { _, event in
      number += 1
      guard event.kind == .mapPhys || event.kind == .unmapPhys else { return }
      if device == .unknown { device = event.device }
      if event.device == device { byAddress[event.dmaAddress, default: []].append(number) }
    }
    let busy = byAddress.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    for (address, numbers) in busy.prefix(5) {
      for last in [UInt64(5_000), 20_000, 40_000] {
        let history = try timeline.history(of: device, address, size: 0, through: last)
        let found = history.entries.filter {
          ($0.event.kind == .mapPhys || $0.event.kind == .unmapPhys)
            && $0.event.dmaAddress == address
        }.map(\.number)
        let expected = numbers.filter { $0 <= last }
        if history.omitted == 0 {
          #expect(found == expected)
        } else {
          #expect(found.first == expected.first && found.last == expected.last)
        }
        #expect(history.firstSearched == 0)
      }
    }
    #expect(busy.count > 5)
  }

  @Test func historyOfListsKeepsTheirSegments() throws {
    let path = Fixtures.root + "/fixtures/kernel/linux-6.12/bug-sg-count/trace.txt"
    let timeline = try Timeline(TextTraceReader(path: path), options: ReplayOptions())
    while !timeline.isComplete { try timeline.read(limit: 1000) }
    let entry = try #require(timeline.entries.first { $0.report.mapping?.type == .scatterGather })
    let mapping = try #require(entry.report.mapping)
    let history = try timeline.history(
      of: mapping.device,
      mapping.dmaAddress,
      size: mapping.size,
      through: entry.event
    )
    let map = try #require(history.entries.first { $0.event.kind == .mapSG })
    #expect(map.event.segmentCount > 0)
    let addresses = (0..<Int(map.event.segmentCount)).map {
      history.batch.segmentAddress(map.event, $0)
    }
    #expect(addresses.contains(mapping.dmaAddress))
    // Looking back moved nothing.
    #expect(timeline.isFollowing)
  }
}
