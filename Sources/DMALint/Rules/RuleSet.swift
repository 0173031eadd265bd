// SPDX-License-Identifier: MIT
// Made by scripts/generate-rules from the rule files of this directory; `make generate`.
import DMADebugCore
import DMATrace

extension Rule {
  /// Every rule, by id. Ids and names are for ever: a rule that goes away stays reserved.
  public static let all: [Rule] = [
    DMA001.rule,
    DMA002.rule,
    DMA003.rule,
    DMA004.rule,
    DMA005.rule,
    DMA006.rule,
    DMA007.rule,
    DMA008.rule,
    DMA009.rule,
    DMA010.rule,
    DMA011.rule,
    DMA012.rule,
    DMA013.rule,
    DMA014.rule,
    DMA015.rule,
    DMA016.rule,
    DMA017.rule,
    DMA018.rule,
    DMA019.rule,
    DMA020.rule,
    DMA021.rule,
    DMA022.rule,
    DMA023.rule,
    DMA024.rule,
    DMA025.rule,
    DMA026.rule,
    DMA027.rule,
    DMA028.rule,
    DMA101.rule,
    DMA102.rule,
    DMA103.rule,
    DMA104.rule,
    DMA105.rule,
    DMA106.rule,
    DMA107.rule,
    DMA108.rule,
    DMA109.rule,
    DMA110.rule,
    DMA111.rule,
    DMA112.rule,
    DMA113.rule,
    DMA114.rule,
    DMA115.rule,
    DMA116.rule,
    DMA117.rule,
    DMA150.rule,
    DMA151.rule,
    DMA201.rule,
    DMA202.rule,
    DMA203.rule,
    DMA204.rule,
    DMA205.rule,
    DMA206.rule,
    DMA207.rule,
    DMA208.rule,
    DMA209.rule,
    DMA210.rule,
    DMA211.rule,
    DMA212.rule,
    DMA213.rule,
    DMA214.rule,
    DMA215.rule,
    DMA216.rule,
    DMA217.rule,
    DMA218.rule,
    DMA219.rule,
    DMA220.rule,
    DMA221.rule,
    DMA222.rule,
    TRC001.rule,
    TRC002.rule,
    TRC003.rule,
    TRC004.rule,
    TRC005.rule,
    TRC006.rule,
    TRC007.rule,
    TRC008.rule,
  ]

  /// The rule for a message of the kernel; `nil` for lines that are no finding.
  public init?(_ kind: Report.Kind) {
    switch kind {
    case .freeInvalidAddress: self = DMA001.rule
    case .freeNotAllocated: self = DMA002.rule
    case .freeDifferentSize: self = DMA003.rule
    case .freeWrongFunction: self = DMA004.rule
    case .freeDifferentCPUAddress: self = DMA005.rule
    case .freeDifferentSGCount: self = DMA006.rule
    case .freeDifferentDirection: self = DMA007.rule
    case .mapErrorNotChecked: self = DMA008.rule
    case .freeDifferentAttributes: self = DMA009.rule
    case .syncNotAllocated: self = DMA010.rule
    case .syncOutsideRange: self = DMA011.rule
    case .syncDifferentDirection: self = DMA012.rule
    case .syncReadOnlyForCPU: self = DMA013.rule
    case .syncWriteOnlyToDevice: self = DMA014.rule
    case .syncDifferentSGCount: self = DMA015.rule
    case .overlappingCacheline: self = DMA016.rule
    case .segmentTooLong: self = DMA017.rule
    case .segmentAcrossBoundary: self = DMA018.rule
    case .pendingAtUnbind: self = DMA019.rule
    case .exceededOverlap: self = DMA020.rule
    case .poolGrown: self = DMA021.rule
    case .outOfMemory: self = DMA022.rule
    case .mapsStack: self = DMA023.rule
    case .mapsKernelText: self = DMA024.rule
    case .mapsVmalloc: self = DMA025.rule
    case .mapsInvalidArea: self = DMA026.rule
    case .mapsRAMAsResource: self = DMA027.rule
    default: return nil
    }
  }

  /// The rule for a message of a kernel log; `nil` for lines that are no finding.
  public init?(_ kind: LogRecord.Kind) {
    switch kind {
    case .report(let kind): self.init(kind)
    case .trackingOutOfMemory: self = DMA022.rule
    case .cpuTouch: self = DMA028.rule
    case .iommuFault: self = DMA117.rule
    case .swiotlbFull: self = DMA150.rule
    default: return nil
    }
  }
}

/// The checks beyond the kernel with what they remember, and who hears of what.
struct RuleSet {
  private var dma101 = DMA101()
  private var dma102 = DMA102()
  private var dma103 = DMA103()
  private var dma104 = DMA104()
  private var dma105 = DMA105()
  private var dma106 = DMA106()
  private var dma107 = DMA107()
  private var dma108 = DMA108()
  private var dma109 = DMA109()
  private var dma110 = DMA110()
  private var dma111 = DMA111()
  private var dma112 = DMA112()
  private var dma113 = DMA113()
  private var dma114 = DMA114()
  private var dma115 = DMA115()
  private var dma116 = DMA116()
  private var dma117 = DMA117()
  private var dma201 = DMA201()
  private var dma202 = DMA202()
  private var dma203 = DMA203()
  private var dma204 = DMA204()
  private var dma205 = DMA205()
  private var dma206 = DMA206()
  private var dma207 = DMA207()
  private var dma208 = DMA208()
  private var dma209 = DMA209()
  private var dma210 = DMA210()
  private var dma211 = DMA211()
  private var dma212 = DMA212()
  private var dma213 = DMA213()
  private var dma214 = DMA214()
  private var dma215 = DMA215()
  private var dma216 = DMA216()
  private var dma217 = DMA217()
  private var dma218 = DMA218()
  private var dma219 = DMA219()
  private var dma220 = DMA220()
  private var dma221 = DMA221()
  private var dma222 = DMA222()

  /// A mapping was made.
  @inline(__always)
  mutating func mapped(_ change: MappingChange, _ context: inout LintContext) {
    dma105.mapped(change, &context)
    dma109.mapped(change, &context)
    dma110.mapped(change, &context)
    dma112.mapped(change, &context)
  }

  /// A mapping went.
  @inline(__always)
  mutating func unmapped(_ change: MappingChange, _ context: inout LintContext) {
    dma106.unmapped(change, &context)
    dma110.unmapped(change, &context)
    dma217.unmapped(change, &context)
  }

  /// A mapping lies over bytes that a device may be writing.
  mutating func overlapped(_ overlap: Overlap, _ context: inout LintContext) {
    dma104.overlapped(overlap, &context)
    dma114.overlapped(overlap, &context)
  }

  /// One area was synced.
  mutating func synced(_ sync: ObservedSync?, _ context: inout LintContext) {
    dma107.synced(sync, &context)
    dma108.synced(sync, &context)
  }

  /// A mapping goes through a bounce buffer.
  mutating func bounced(_ context: inout LintContext) {
    dma111.bounced(&context)
  }

  /// An IOMMU stopped an access.
  mutating func faulted(_ context: inout LintContext) {
    dma117.faulted(&context)
  }

  /// Somebody called `dma_mapping_error()`.
  mutating func mapErrorChecked(_ context: inout LintContext) {}

  /// dma-debug says something.
  mutating func reported(_ report: Report, _ context: inout LintContext) {
    dma103.reported(report, &context)
    dma113.reported(report, &context)
    dma115.reported(report, &context)
    dma116.reported(report, &context)
  }

  /// An event of dma-bufs, fences, ranges of IOVA or channels.
  mutating func shared(_ context: inout LintContext) {
    dma212.shared(&context)
  }

  /// The trace is over.
  mutating func finish(_ context: inout LintContext) {
    dma101.finish(&context)
    dma102.finish(&context)
    dma108.finish(&context)
    dma109.finish(&context)
    dma110.finish(&context)
    dma111.finish(&context)
    dma212.finish(&context)
  }

  /// The engine found a mistake in sharing.
  mutating func incident(_ incident: SharingIncident, _ context: inout LintContext) {
    switch incident.kind {
    case .leakedAttachment: dma201.incident(incident, &context)
    case .unboundWhileAttached: dma202.incident(incident, &context)
    case .detachWhileMapped: dma203.incident(incident, &context)
    case .unmapWithoutMap: dma204.incident(incident, &context)
    case .unbalancedKernelMapping: dma205.incident(incident, &context)
    case .unbalancedAccess: dma206.incident(incident, &context)
    case .accessOutsideWindow: dma207.incident(incident, &context)
    case .accessWithoutFence: dma208.incident(incident, &context)
    case .useAfterPut: dma209.incident(incident, &context)
    case .neverSignaled: dma210.incident(incident, &context)
    case .deadlock: dma211.incident(incident, &context)
    case .iovaLeftLinked: dma213.incident(incident, &context)
    case .iovaNotSynced: dma214.incident(incident, &context)
    case .iovaOutside: dma215.incident(incident, &context)
    case .releaseInFlight: dma216.incident(incident, &context)
    case .unmapInFlight: dma217.incident(incident, &context)
    case .staleMapping: dma218.incident(incident, &context)
    case .detachWhilePinned: dma219.incident(incident, &context)
    case .lostBuffer: dma220.incident(incident, &context)
    case .leakedRange: dma221.incident(incident, &context)
    case .neverIssued: dma222.incident(incident, &context)
    }
  }

  /// Adds to a report of dma-debug what it does not say itself.
  static func amend(_ report: inout Report, _ context: inout LintContext) {
    switch report.kind {
    case .overlappingCacheline: DMA016.amend(&report, &context)
    case .pendingAtUnbind: DMA019.amend(&report, &context)
    case .exceededOverlap: DMA020.amend(&report, &context)
    default: break
    }
  }

  /// Looks at a saved dump.
  static func examine(_ dump: MappingDump, _ collector: inout FindingCollector) {
    DMA104.examine(dump, &collector)
    DMA151.examine(dump, &collector)
  }

  /// Looks at how sound a capture is.
  static func assess(_ capture: CaptureHealth, _ body: (Rule, CaptureFault) -> Void) {
    if let fault = TRC001.assess(capture) { body(TRC001.rule, fault) }
    if let fault = TRC002.assess(capture) { body(TRC002.rule, fault) }
    if let fault = TRC003.assess(capture) { body(TRC003.rule, fault) }
    if let fault = TRC004.assess(capture) { body(TRC004.rule, fault) }
    if let fault = TRC005.assess(capture) { body(TRC005.rule, fault) }
  }
}
