import DMADebugCore

/// What makes two findings the same mistake, in this run and in the next: rule, driver, device, kind
/// of mapping and both functions. Never addresses, times, lines or sizes.
enum Fingerprint {
  /// 64 bits of FNV-1a as 16 digits.
  static func of(_ finding: Finding) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ text: String?) {
      for byte in (text ?? "").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      // Parts must not run into each other.
      hash = (hash ^ 0xff) &* 0x100_0000_01b3
    }
    add("dmatop/v1")
    add(finding.rule.id)
    add(finding.driver)
    add(finding.device)
    add(finding.origin?.type.kernelName.description)
    add(finding.origin?.direction.traceName.description)
    add(finding.origin?.site.map(function))
    add(finding.site.map(function))
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// A function without the offset in it, which another build changes.
  private static func function(_ site: String) -> String {
    var words = site.split(separator: " ").map(String.init)
    if let first = words.first { words[0] = String(first.prefix { $0 != "+" }) }
    return words.joined(separator: " ")
  }
}
