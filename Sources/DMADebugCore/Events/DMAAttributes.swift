// SPDX-License-Identifier: MIT

/// The `DMA_ATTR_…` flags of a mapping, with the kernel's bit numbers.
public struct DMAAttributes: OptionSet, Sendable, Hashable, BitwiseCopyable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public static let weakOrdering = DMAAttributes(rawValue: 1 << 1)
  public static let writeCombine = DMAAttributes(rawValue: 1 << 2)
  public static let noKernelMapping = DMAAttributes(rawValue: 1 << 4)
  public static let skipCPUSync = DMAAttributes(rawValue: 1 << 5)
  public static let forceContiguous = DMAAttributes(rawValue: 1 << 6)
  public static let allocSinglePages = DMAAttributes(rawValue: 1 << 7)
  public static let noWarn = DMAAttributes(rawValue: 1 << 8)
  public static let privileged = DMAAttributes(rawValue: 1 << 9)
  public static let mmio = DMAAttributes(rawValue: 1 << 10)
  /// `CACHE_CLEAN` of 7.0, `DEBUGGING_IGNORE_CACHELINES` (traced as `CACHELINES_OVERLAP`) from 7.1.
  public static let ignoreCachelines = DMAAttributes(rawValue: 1 << 11)
  public static let requireCoherent = DMAAttributes(rawValue: 1 << 12)
  public static let ccShared = DMAAttributes(rawValue: 1 << 13)
  public static let allocCCShared = DMAAttributes(rawValue: 1 << 14)

  /// The flags that a 7.2+ kernel compares when a mapping is freed (`check_unmap`).
  public static let comparedOnUnmap: DMAAttributes = [
    .noKernelMapping, .forceContiguous, .mmio, .requireCoherent, .privileged, .ccShared,
  ]

  /// The flags with which a mapping says that sharing its cachelines is intended.
  static let cachelinesIntended: DMAAttributes = [.ignoreCachelines, .requireCoherent]

  /// Every name that a tracepoint of any 6.12+ kernel prints for a flag.
  ///
  /// The first name of a bit is the one that dmatop writes.
  public static let traceNames: [(name: StaticString, flag: DMAAttributes)] = [
    ("WEAK_ORDERING", .weakOrdering),
    ("WRITE_COMBINE", .writeCombine),
    ("NO_KERNEL_MAPPING", .noKernelMapping),
    ("SKIP_CPU_SYNC", .skipCPUSync),
    ("FORCE_CONTIGUOUS", .forceContiguous),
    ("ALLOC_SINGLE_PAGES", .allocSinglePages),
    ("NO_WARN", .noWarn),
    ("PRIVILEGED", .privileged),
    ("MMIO", .mmio),
    ("CACHELINES_OVERLAP", .ignoreCachelines),
    ("CACHE_CLEAN", .ignoreCachelines),
    ("DEBUGGING_IGNORE_CACHELINES", .ignoreCachelines),
    ("REQUIRE_COHERENT", .requireCoherent),
    ("CC_SHARED", .ccShared),
    ("ALLOC_CC_SHARED", .allocCCShared),
  ]
}
