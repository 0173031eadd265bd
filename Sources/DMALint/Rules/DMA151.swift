// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

enum DMA151: RuleDefinition {
  static let rule = Rule(
    "DMA151",
    "live-unchecked",
    .warning,
    .strong,
    "a live mapping whose map error nobody asked about",
    kernelWords: nil,
    why: "Drivers ask for the map error right after the map. A mapping that is in a saved dump and "
      + "was not asked about will most likely never be: a failed map would go unseen, and dma-debug "
      + "complains when it is unmapped. Only a dma-api/dump shows it.",
    fix: "Call dma_mapping_error() on the address before the device gets it.",
    keys: [],
    bad: RuleExample(
      setup: [
        "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
          + "DMA_TO_DEVICE dma map error not checked attrs=0x0"
      ],
      kind: .dump
    ),
    good: RuleExample(
      setup: [
        "alpha 0000:00:03.0 phy idx 0 P=0x0000000000001000 D=1000 L=100 cln=0x0000000000000040 "
          + "DMA_TO_DEVICE dma map error checked attrs=0x0"
      ],
      kind: .dump
    )
  )

  static func examine(_ dump: MappingDump, _ collector: inout FindingCollector) {
    struct Key: Hashable {
      var driver: UInt32
      var device: UInt32
      var type: MappingType
      var direction: Direction
    }
    var places: [Key: Int?] = [:]
    for entry in dump.entries where entry.mapError == .notChecked {
      let key = Key(
        driver: entry.driver.rawValue,
        device: entry.device.rawValue,
        type: entry.type,
        direction: entry.direction
      )
      if let known = places[key] {
        if let known { collector.change(known) { $0.count += 1 } }
        continue
      }
      let position = collector.add(
        rule,
        entry,
        of: dump,
        "\(entry.size) bytes mapped \(entry.direction.traceName) at"
          + " \(LintContext.hexadecimal(entry.dmaAddress)): nobody has asked for the map error",
        origin: entry
      )
      places[key] = .some(position)
    }
  }
}
