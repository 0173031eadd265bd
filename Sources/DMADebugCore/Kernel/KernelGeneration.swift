// SPDX-License-Identifier: MIT

/// Which dma-debug is mirrored: a set of features, picked by kernel version.
///
/// The reference generations are 6.12 (6.12.48 and later 6.12.y) and 7.3; the kernels between them
/// combine features of both.
public struct KernelGeneration: Sendable, Equatable {
  /// How a line of `dma-api/dump` looks.
  public enum DumpLayout: Sendable {
    /// With the page frame number, until 6.12.47: `P=7310000 N=7310 …`.
    case pageFrame
    /// `P=0x<16 digits>`, from 6.12.48.
    case physical
    /// The same with `attrs=0x…` at its end, from 7.2.
    case attributes
  }

  /// The version that was asked for, `6.12` or `7.3.4`.
  public let version: String
  /// `phy` instead of `single` and `resource` (6.18).
  public let hasPhyType: Bool
  /// `dma_alloc_pages` makes `noncoherent` entries (6.12.48 of 6.12.y, 6.18).
  public let hasNoncoherentType: Bool
  public let dumpLayout: DumpLayout
  /// `check_unmap` compares attributes (7.2).
  public let comparesAttributes: Bool
  /// Overlap is allowed when both mappings say so (7.0), and never reported where the DMA
  /// alignment is smaller than a cacheline (7.1).
  public let allowsIntendedOverlap: Bool
  public let silentOnCoherentMachines: Bool
  /// CPU addresses are printed with a doubled `0x` (6.12.48).
  public let doublesCPUAddressPrefix: Bool
  /// Events of a fence that is signaled have other names in place of its driver's (6.17).
  public let detachesSignaledFences: Bool
  /// dma-bufs have tracepoints (7.0).
  public let hasBufferTracepoints: Bool
  /// Fences are described by context, with their names only while they are pending (6.19).
  public let describesFencesByContext: Bool

  /// 6.12.48 and later 6.12.y.
  public static let linux612 = KernelGeneration(version: "6.12", 6, 12, 48)
  public static let linux73 = KernelGeneration(version: "7.3", 7, 3, 0)

  /// The generation of a kernel version.
  ///
  /// - Parameter version: `6.12`, `6.12.117`, `7.3.4-rc1`…; a version without patch level means
  ///   the newest of its series.
  /// - Returns: `nil` when it is no version, or older than 6.12, which has no `dma:*` events.
  public init?(version: some StringProtocol) {
    var numbers: [Int] = []
    for part in version.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false) {
      let digits = part.prefix { $0.isASCII && $0.isNumber }
      guard let number = Int(digits), number < 1000 else { break }
      numbers.append(number)
      if digits.count != part.count { break }
    }
    guard numbers.count >= 2, (numbers[0], numbers[1]) >= (6, 12) else { return nil }
    self.init(
      version: String(version),
      numbers[0],
      numbers[1],
      numbers.count > 2 ? numbers[2] : 999
    )
  }

  /// Whether it is that version or a later one; a version that is none counts as later.
  public func isAtLeast(_ other: String) -> Bool {
    func numbers(_ text: String) -> [Int] {
      text.split(separator: ".").prefix(3).map { Int($0.prefix { $0.isNumber }) ?? 0 }
    }
    let own = numbers(version)
    let wanted = numbers(other)
    for index in 0..<max(own.count, wanted.count) {
      // A version without patch level means the newest of its series.
      let a = index < own.count ? own[index] : index < 2 ? 0 : .max
      let b = index < wanted.count ? wanted[index] : 0
      if a != b { return a > b }
    }
    return true
  }

  private init(version: String, _ major: Int, _ minor: Int, _ patch: Int) {
    self.version = version
    let atLeast = { (wanted: (Int, Int)) in (major, minor) >= wanted }
    let isLate612 = major == 6 && minor == 12 && patch >= 48
    hasPhyType = atLeast((6, 18))
    hasNoncoherentType = isLate612 || atLeast((6, 18))
    dumpLayout =
      atLeast((7, 2)) ? .attributes : isLate612 || atLeast((6, 13)) ? .physical : .pageFrame
    comparesAttributes = atLeast((7, 2))
    allowsIntendedOverlap = atLeast((7, 0))
    silentOnCoherentMachines = atLeast((7, 1))
    doublesCPUAddressPrefix = isLate612 || atLeast((6, 13))
    detachesSignaledFences = atLeast((6, 17))
    hasBufferTracepoints = atLeast((7, 0))
    describesFencesByContext = atLeast((6, 19))
  }
}
