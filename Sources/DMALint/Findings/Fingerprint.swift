// SPDX-License-Identifier: MIT
import DMADebugCore

/// FNV-1a of 64 bits: a hash that is the same in every run, for names that outlive one.
public struct StableHash {
  public private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  public mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }
}

/// What makes two findings the same mistake, in this run and in the next: rule, driver, device, kind
/// of mapping and both functions. Never addresses, times, lines or sizes.
enum Fingerprint {
  /// 64 bits of FNV-1a as 16 digits.
  static func of(_ finding: Finding) -> String {
    var hash = StableHash()
    func add(_ text: String?) {
      hash.add((text ?? "").utf8)
      // Parts must not run into each other.
      hash.add(CollectionOfOne(0xff))
    }
    add("dmatop/v1")
    add(finding.rule.id)
    add(finding.driver)
    add(finding.device)
    add(finding.origin?.type?.kernelName.description)
    add(finding.origin?.direction?.traceName.description)
    add(finding.origin?.site.map(function))
    add(finding.site.map(function))
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// A function without the offset in it, which another build changes.
  private static func function(_ site: String) -> String {
    var words = site.split(separator: " ").map(String.init)
    if let first = words.first { words[0] = String(first.prefix { $0 != "+" }) }
    return words.joined(separator: " ")
  }
}
