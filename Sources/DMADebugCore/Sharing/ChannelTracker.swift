// SPDX-License-Identifier: MIT

/// Channels of dmaengine and the descriptors that they work on.
struct ChannelTracker: Sendable {
  static let maximumChannels = 1 << 12

  private var channelsByName: [UInt32: DMAChannel] = [:]
  /// Channels by the slot of the mapping that a descriptor in flight uses.
  private var channelsOfSlots: [UInt32: UInt32] = [:]
  /// Releases of channels that were perhaps at work: a completion will tell.
  private var doubtfulReleases: [SharingIncident] = []

  /// Bytes that a copy takes when everything in it has changed, about.
  var storageBytes: Int {
    channelsByName.values.reduce(channelsByName.storageBytes) { $0 + $1.descriptors.storageBytes }
      + channelsOfSlots.storageBytes + doubtfulReleases.storageBytes
  }

  /// All channels, by number of the name.
  var all: [DMAChannel] { channelsByName.values.sorted { $0.name < $1.name } }

  /// The tracer lost events: what is in flight may be over.
  mutating func eventsLost() {
    for channel in channelsByName.values.indices {
      for descriptor in channelsByName.values[channel].descriptors.indices {
        channelsByName.values[channel].descriptors[descriptor].isDoubtful = true
      }
    }
  }

  /// - Parameter slot: of the mapping that a prepared descriptor uses.
  mutating func apply(
    _ event: DMAEvent,
    slot: UInt32?,
    _ evidence: inout SharingEvidence,
    _ log: inout IncidentLog
  ) {
    let name = event.channel
    if event.kind == .descriptorComplete || event.kind == .channelStatus && event.residue == 0 {
      settleReleases(&log)
    }
    if channelsByName[name] == nil {
      guard channelsByName.count < Self.maximumChannels else {
        evidence.untracked += 1
        return
      }
      if event.kind == .channelRelease { return }
      channelsByName[name] = DMAChannel(name: name, client: event.device, event: event)
    }
    guard let index = channelsByName.index(forKey: name) else { return }
    if event.device != .unknown { channelsByName.values[index].client = event.device }
    switch event.kind {
    case .channelRequest:
      channelsByName.values[index].isRequested = true
      channelsByName.values[index].event = event
    case .channelConfigure: channelsByName.values[index].isConfigured = true
    case .descriptorPrepare: prepare(index, event, slot, &evidence)
    case .descriptorSubmit: submit(index, event, &evidence)
    case .channelIssuePending:
      evidence.sightings.insert(.issue)
      for position in channelsByName.values[index].descriptors.indices
      where channelsByName.values[index].descriptors[position].cookie != nil {
        channelsByName.values[index].descriptors[position].isIssued = true
      }
    case .descriptorComplete:
      evidence.sightings.insert(.completion)
      complete(index, event)
    case .channelStatus:
      if event.residue == 0 {
        evidence.sightings.insert(.completion)
        complete(index, event)
      } else {
        let position = channelsByName.values[index].descriptors.firstIndex {
          $0.cookie == event.cookie
        }
        if let position {
          channelsByName.values[index].descriptors[position].residue = event.residue
        }
      }
    case .channelTerminate:
      neverIssued(index, event, evidence, &log)
      drop(index) { $0.cookie != nil }
    case .channelRelease:
      neverIssued(index, event, evidence, &log)
      let inFlight = channelsByName.values[index].descriptors.filter { descriptor in
        descriptor.cookie != nil && !descriptor.isDoubtful
          && (descriptor.isIssued || !evidence.sightings.contains(.issue))
      }
      if let first = inFlight.first {
        var incident = SharingIncident(kind: .releaseInFlight, event: event, origin: first.event)
        incident.event.device = channelsByName.values[index].client
        incident.value = UInt64(inFlight.count)
        // Where nothing shows completions they say nothing by being absent; the first may come later.
        if evidence.sightings.contains(.completion) {
          log.report(incident)
        } else if doubtfulReleases.count < 64 {
          doubtfulReleases.append(incident)
        }
      }
      drop(index) { _ in true }
      channelsByName[name] = nil
    default: break
    }
  }

  /// The trace shows completions: releases before it were of channels at work.
  private mutating func settleReleases(_ log: inout IncidentLog) {
    for incident in doubtfulReleases { log.report(incident) }
    doubtfulReleases.removeAll()
  }

  /// How long a descriptor must have waited, in nanoseconds, to be more than an error path that takes
  /// it back.
  private static let forgottenTime: UInt64 = 500_000

  /// Descriptors that were submitted a while ago and go without having been issued.
  private mutating func neverIssued(
    _ index: Dictionary<UInt32, DMAChannel>.Index,
    _ event: DMAEvent,
    _ evidence: SharingEvidence,
    _ log: inout IncidentLog
  ) {
    guard log.isKept, evidence.sightings.contains(.issue) else { return }
    let forgotten = channelsByName.values[index].descriptors.filter { descriptor in
      guard let submitted = descriptor.submitted else { return false }
      return !descriptor.isIssued && !descriptor.isDoubtful
        && event.time &- submitted.time >= Self.forgottenTime
        && event.time > submitted.time
    }
    guard let first = forgotten.first, let submitted = first.submitted else { return }
    var incident = SharingIncident(kind: .neverIssued, event: event, origin: submitted)
    incident.event.device = channelsByName.values[index].client
    incident.value = UInt64(forgotten.count)
    log.report(incident)
  }

  private mutating func prepare(
    _ index: Dictionary<UInt32, DMAChannel>.Index,
    _ event: DMAEvent,
    _ slot: UInt32?,
    _ evidence: inout SharingEvidence
  ) {
    guard channelsByName.values[index].descriptors.count < DMAChannel.maximumDescriptors else {
      evidence.untracked += 1
      return
    }
    var descriptor = DMAChannel.Descriptor(
      type: event.descriptorType,
      address: event.dmaAddress,
      size: event.size,
      direction: event.direction,
      event: event
    )
    descriptor.slot = slot
    channelsByName.values[index].descriptors.append(descriptor)
  }

  /// The descriptor that was prepared last and not submitted: drivers do both at once.
  private mutating func submit(
    _ index: Dictionary<UInt32, DMAChannel>.Index,
    _ event: DMAEvent,
    _ evidence: inout SharingEvidence
  ) {
    // A negative cookie is an error.
    guard Int64(bitPattern: event.cookie) >= 0 else { return }
    channelsByName.values[index].submitted += 1
    let position = channelsByName.values[index].descriptors.lastIndex { $0.cookie == nil }
    if let position {
      channelsByName.values[index].descriptors[position].cookie = event.cookie
      channelsByName.values[index].descriptors[position].submitted = event
      if let slot = channelsByName.values[index].descriptors[position].slot {
        channelsOfSlots[slot] = channelsByName.values[index].name
      }
    } else if channelsByName.values[index].descriptors.count < DMAChannel.maximumDescriptors {
      var descriptor = DMAChannel.Descriptor(
        type: 0,
        address: 0,
        size: 0,
        direction: .none,
        event: event
      )
      descriptor.cookie = event.cookie
      descriptor.submitted = event
      channelsByName.values[index].descriptors.append(descriptor)
    } else {
      evidence.untracked += 1
    }
  }

  /// Descriptors complete in order; a cyclic one never does, however often it calls back.
  private mutating func complete(
    _ index: Dictionary<UInt32, DMAChannel>.Index,
    _ event: DMAEvent
  ) {
    let descriptors = channelsByName.values[index].descriptors
    guard let position = descriptors.firstIndex(where: { $0.cookie == event.cookie }) else {
      return
    }
    if descriptors[position].type == 2 {
      channelsByName.values[index].completed += 1
      return
    }
    // The residue of a callback that reports a transfer which broke off is not 0: it is over too.
    var order = 0
    drop(index) { descriptor in
      defer { order += 1 }
      return order <= position && descriptor.cookie != nil && descriptor.type != 2
    }
  }

  private mutating func drop(
    _ index: Dictionary<UInt32, DMAChannel>.Index,
    _ isOver: (DMAChannel.Descriptor) -> Bool
  ) {
    var kept: [DMAChannel.Descriptor] = []
    for descriptor in channelsByName.values[index].descriptors {
      if isOver(descriptor) {
        if descriptor.cookie != nil { channelsByName.values[index].completed += 1 }
        if let slot = descriptor.slot { channelsOfSlots[slot] = nil }
      } else {
        kept.append(descriptor)
      }
    }
    channelsByName.values[index].descriptors = kept
  }

  /// Whether mappings that go must be held against descriptors in flight.
  @inline(__always) var watchesMappings: Bool { !channelsOfSlots.isEmpty }

  /// A mapping went: the channel and descriptor that still work on it.
  ///
  /// - Parameters:
  ///   - slot: where it was in the table.
  ///   - address: its DMA address.
  func inFlight(
    slot: UInt32,
    address: UInt64,
    size: UInt64
  ) -> (channel: DMAChannel, descriptor: DMAChannel.Descriptor)? {
    guard let name = channelsOfSlots[slot], let channel = channelsByName[name] else { return nil }
    let descriptor = channel.descriptors.first {
      $0.slot == slot && $0.cookie != nil && $0.address &- address < max(size, 1)
    }
    return descriptor.map { (channel, $0) }
  }
}
