// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA108: Check {
  static let rule = Rule(
    "DMA108",
    "useless-sync",
    .note,
    .hint,
    "syncs that do nothing",
    kernelWords: nil,
    why: "Buffers for the device to write were synced for the device again and again "
      + "although the CPU had not been given them since the map or the last such sync. It "
      + "costs time where caches are not coherent or buffers bounce.",
    fix: "Leave the sync out: the map has done it.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_sync_single_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_sync_single_for_cpu: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_sync_single_for_device: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256",
        "dma_unmap_phys: 0000:00:03.0 dir=FROM_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 200
    )
  )

  private struct Counts {
    var syncs: UInt64 = 0
    var useless: UInt64 = 0
    var firstUseless = FirstEvents.none
  }

  /// So many must be useless, and nine of ten.
  private static let minimum: UInt64 = 128

  private var devices = PerDevice(Counts())
  private var firsts = FirstEvents()

  mutating func synced(_ sync: ObservedSync?, _ context: inout LintContext) {
    let event = context.event
    devices[event.device].syncs += 1
    guard let sync, event.kind == .syncSingleForDevice,
      sync.owner == .fresh || sync.owner == .device, sync.mapping.direction == .fromDevice
    else { return }
    devices[event.device].useless += 1
    if devices[event.device].useless == 1 {
      devices[event.device].firstUseless = firsts.keep(event)
    }
  }

  mutating func finish(_ context: inout LintContext) {
    for counts in devices.values {
      guard let event = firsts[counts.firstUseless], counts.useless >= Self.minimum,
        counts.useless * 10 >= counts.syncs * 9
      else { continue }
      context.report(
        Self.rule,
        at: event,
        "\(counts.useless) of \(counts.syncs) syncs did nothing: the CPU had not"
          + " been given the buffer",
        count: counts.useless
      )
    }
  }
}
