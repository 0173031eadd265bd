// SPDX-License-Identifier: MIT
import DMADebugCore
import DMATrace

/// A file of this directory: a rule with its documentation, and the check that finds it.
///
/// `scripts/generate-rules` finds the files by their names and makes ``RuleSet`` of them: adding one
/// and running `make generate` is all that a new rule takes.
///
/// A rule that kernel logs show by a message of their own has `static let logRecord`, the kind of that
/// message; one that a saved dump shows has `static func examine(_:_:)`.
protocol RuleDefinition {
  static var rule: Rule { get }
}

/// A check of the kernel: the engine makes it, the rule says what it means.
///
/// One that can say more than the kernel has `static func amend(_:_:)`, which changes the report before
/// it becomes a finding.
protocol KernelCheck: RuleDefinition {
  /// What the engine reports.
  static var kind: Report.Kind { get }
}

/// A check beyond the kernel, with what it remembers of the trace.
///
/// It has those of these functions that it needs, all `mutating` and all with an `inout LintContext`
/// after what they are about:
///
/// - `mapped(_: MappingChange, …)` and `unmapped(_: MappingChange, …)`
/// - `overlapped(_: Overlap, …)`: a mapping lies over bytes that a device may be writing
/// - `synced(_: ObservedSync?, …)`: a sync of one area, and what is known of its mapping
/// - `bounced(…)`, `faulted(…)`, `mapErrorChecked(…)`: events of swiotlb, an IOMMU, and the hook
/// - `reported(_: Report, …)`: dma-debug says something
/// - `shared(…)`: an event of dma-bufs, fences, ranges of IOVA or channels
/// - `incident(_: SharingIncident, …)`: the engine found a mistake in sharing, of the kind that is
///   named by `static let incidentKind`
/// - `finish(…)`: the trace is over
///
/// They are called by name: which check hears of what is decided when ``RuleSet`` is made, not for each
/// event.
protocol Check: RuleDefinition {
  init()
}

/// A check of the capture itself.
protocol CaptureCheck: RuleDefinition {
  static func assess(_ capture: CaptureHealth) -> CaptureFault?
}
