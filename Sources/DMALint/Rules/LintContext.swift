// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace

/// What a check sees of the event at hand, and where it says what it found.
struct LintContext {
  /// Live mappings of a site from which on growth is a leak: `leak-minimum`.
  let leakMinimum: Int
  /// Bytes that the machine's DMA needs to have for itself; below 64 caches are coherent.
  let alignment: UInt64
  let generation: KernelGeneration
  /// What several rules ask for.
  var evidence: SharedEvidence
  /// The event that was applied; the last one in `finish`.
  fileprivate(set) var event = DMAEvent(.other)
  /// What dma-debug said of it.
  var reports: [Report] = []
  fileprivate(set) var verdicts: [Verdict] = []
  /// The time of the last event. Set in `finish`.
  fileprivate(set) var endTime: UInt64 = 0
  /// Sites with mappings that live in the end. Set in `finish`.
  fileprivate(set) var openSites: [SiteHistories.Open] = []
  private var state: LentState?

  init(_ generation: KernelGeneration, leakMinimum: Int, alignment: UInt64, joinsLog: Bool) {
    self.generation = generation
    self.leakMinimum = leakMinimum
    self.alignment = alignment
    evidence = SharedEvidence(joinsLog: joinsLog)
  }

  /// The engine after the event.
  var engine: EngineView {
    @inline(__always) get { lent.engine }
  }

  /// The names met so far.
  var names: TraceNames { lent.names }

  /// What is lent for as long as an event is looked at. Use it where ``evidence`` changes.
  var lent: LentState {
    @inline(__always) get {
      guard let state else { preconditionFailure("no event is looked at") }
      return state
    }
  }

  /// Looks at another event.
  @inline(__always)
  mutating func begin(_ event: DMAEvent, _ state: LentState) {
    self.event = event
    self.state = state
  }

  /// Looks at the end of the trace.
  mutating func end(at time: UInt64, _ state: LentState) {
    endTime = time
    self.state = state
    openSites = evidence.sites.open(state.engine)
  }

  /// Gives back what was lent.
  @inline(__always)
  mutating func letGo() { state = nil }

  @inline(__always) var hasVerdicts: Bool { !verdicts.isEmpty }

  /// Gives up what was found since the last call.
  mutating func takeVerdicts() -> [Verdict] {
    defer { verdicts.removeAll(keepingCapacity: true) }
    return verdicts
  }

  /// Says that a rule is broken.
  ///
  /// - Parameters:
  ///   - event: Where; the event at hand without.
  ///   - mapping: The other side of the mistake.
  ///   - subject: What it is about; the mapping or the device without.
  mutating func report(
    _ rule: Rule,
    at event: DMAEvent? = nil,
    _ message: String,
    mapping: Mapping? = nil,
    subject: Subject? = nil,
    count: UInt64 = 1
  ) {
    let event = event ?? self.event
    verdicts.append(
      Verdict(
        rule: rule,
        event: event,
        message: message,
        mapping: mapping,
        subject: subject ?? .of(mapping, event.device, names),
        count: count
      )
    )
  }

  /// What a finding about a site is about.
  func subject(of site: SiteHistories.Open) -> Subject {
    .site(
      function: names.mapSite(of: site.oldest),
      device: names.devices.string(site.oldest.device.rawValue)
    )
  }

  /// The driver that a device had when it mapped last, else the one it has.
  func driver(of device: DeviceID) -> DriverID {
    evidence.driver(of: device) ?? engine.driver(of: device)
  }

  /// What is, or was, at a DMA address.
  mutating func content(at address: UInt64, of device: DeviceID) -> AddressEvidence.Content? {
    let state = lent
    return evidence.addresses.content(at: address, of: device, state.engine)
  }

  /// The live mapping of another device that the call of a report describes in every detail.
  mutating func sameElsewhere(_ report: Report) -> Mapping? {
    let state = lent
    return evidence.addresses.sameElsewhere(report, state.engine)
  }
}
