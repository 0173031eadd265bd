// SPDX-License-Identifier: MIT
import DMADebugCore

struct DMA109: Check {
  static let rule = Rule(
    "DMA109",
    "map-churn",
    .note,
    .hint,
    "one buffer mapped and unmapped over and over",
    kernelWords: nil,
    why: "The same bytes were mapped and unmapped hundreds of times for one device. Each "
      + "round costs cache maintenance, an IOTLB flush or a copy.",
    fix: "Map it once, and sync around each use.",
    keys: [],
    bad: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 "
          + "attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 attrs=",
      ],
      count: 600
    ),
    good: RuleExample(
      setup: [
        RuleExample.probe
      ],
      cycle: [
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 "
          + "phys_addr={n}000 attrs=",
        "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr={n}000 size=256 attrs=",
      ],
      count: 600
    )
  )

  /// A buffer that is mapped again and again.
  private struct Buffer {
    var device = DeviceID.unknown
    var direction = Direction.bidirectional
    var physical: UInt64 = 0
    var size: UInt64 = 0
    var count: UInt64 = 0
    var first: DMAEvent?
  }

  /// So many buffers are watched at once; those that come more often stay.
  private static let places = 4096
  private static let minimum: UInt64 = 512

  private var buffers = [Buffer](repeating: Buffer(), count: places)

  mutating func mapped(_ change: MappingChange, _ context: inout LintContext) {
    guard change.isStreaming, change.size > 0, let physical = change.physicalAddress else { return }
    let hash = (physical ^ change.size << 40 ^ UInt64(change.device.rawValue) << 20)
    let place = Int(truncatingIfNeeded: (hash &* 0x9e37_79b9_7f4a_7c15) >> 40) % Self.places
    if buffers[place].physical == physical, buffers[place].size == change.size,
      buffers[place].device == change.device, buffers[place].direction == change.direction
    {
      buffers[place].count += 1
      return
    }
    if buffers[place].count > 1, buffers[place].count < Self.minimum {
      buffers[place].count -= 1
    } else if buffers[place].count <= 1 {
      buffers[place] = Buffer(
        device: change.device,
        direction: change.direction,
        physical: physical,
        size: change.size,
        count: 1,
        first: context.event
      )
    }
  }

  mutating func finish(_ context: inout LintContext) {
    for buffer in buffers where buffer.count >= Self.minimum {
      guard let event = buffer.first else { continue }
      context.report(
        Self.rule,
        at: event,
        "\(buffer.size) bytes at 0x\(String(buffer.physical, radix: 16)) were mapped"
          + " \(buffer.count) times",
        count: buffer.count
      )
    }
  }
}
