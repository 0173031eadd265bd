import DMADebugCore

/// Says what is wrong with how buffers are shared: rules DMA201 and up.
///
/// The engine's tracker finds the mistakes (``SharingIncident``), because it has the state before and
/// after each event; here they get their rule and their words. What takes the whole trace to see, and
/// what needs the mappings, is found here.
public struct BufferJudge {
  /// The most buffers that are held at once and watched for growth.
  private static let maximumHeld = 1 << 16
  private static let maximumHistories = 1 << 12

  private let leakMinimum: Int
  /// Buffers that are held for sure: their exporter, and when that began.
  private var held: [UInt64: (exporter: UInt32, event: DMAEvent)] = [:]
  private var histories: [UInt32: SiteHistory] = [:]
  private var lastTime: UInt64 = 0
  private var verdicts: [Judge.Verdict] = []

  init(leakMinimum: Int) {
    self.leakMinimum = leakMinimum
  }

  /// Whether there are verdicts to take.
  var hasVerdicts: Bool { !verdicts.isEmpty }

  /// Gives up what was found since the last call.
  mutating func takeVerdicts() -> [Judge.Verdict] {
    defer { verdicts.removeAll() }
    return verdicts
  }

  // MARK: Events

  /// Takes in an event that was applied.
  ///
  /// - Parameters:
  ///   - changes: the mappings that came and went with it.
  ///   - incidents: what the tracker found wrong.
  public mutating func observe(
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ changes: [MappingChange],
    _ incidents: [SharingIncident],
    _ names: TraceNames
  ) {
    lastTime = max(lastTime, event.time)
    if event.kind.isBuffer { noteHolding(event.address, event, engine) }
    for change in changes where !change.isAdded { inFlight(change, event, engine, names) }
    for incident in incidents { judge(incident, engine, names) }
  }

  /// Takes in what came with the end of the trace.
  public mutating func finish(
    _ engine: DMADebug,
    _ incidents: [SharingIncident],
    _ names: TraceNames
  ) {
    for incident in incidents { judge(incident, engine, names) }
    for (exporter, history) in histories.sorted(by: { $0.key < $1.key })
    where history.live >= leakMinimum && history.grows(until: lastTime) {
      let oldest = held.filter { $0.value.exporter == exporter }
        .min { ($0.value.event.time, $0.key) < ($1.value.event.time, $1.key) }
      guard let oldest else { continue }
      let name = exporter == NameTable.unknown ? "?" : names.exporters.string(exporter)
      verdicts.append(
        Judge.Verdict(
          rule: .bufferGrowth,
          event: oldest.value.event,
          message: "\(history.live) buffers of exporter \(name) are held in the end and became more"
            + " all the time; \(history.ended) of \(history.made) were let go; the oldest is buffer"
            + " \(oldest.key)",
          count: UInt64(history.live)
        )
      )
    }
  }

  private mutating func noteHolding(_ inode: UInt64, _ event: DMAEvent, _ engine: DMADebug) {
    let buffer = engine.sharing.buffer(inode)
    let isHeld = buffer?.isHeld ?? false
    if isHeld, held[inode] == nil, held.count < Self.maximumHeld {
      let exporter = buffer?.exporter ?? NameTable.unknown
      guard histories.count < Self.maximumHistories || histories[exporter] != nil else { return }
      held[inode] = (exporter, event)
      histories[exporter, default: SiteHistory()].map(event.time)
    } else if !isHeld, let (exporter, first) = held.removeValue(forKey: inode) {
      let time = event.time > first.time ? event.time - first.time : 0
      histories[exporter, default: SiteHistory()].unmap(time)
    }
  }

  private mutating func inFlight(
    _ change: MappingChange,
    _ event: DMAEvent,
    _ engine: DMADebug,
    _ names: TraceNames
  ) {
    guard engine.sharing.watchesMappings,
      let (channel, descriptor) = engine.sharing.inFlight(
        slot: change.slot,
        address: change.dmaAddress,
        size: change.size
      )
    else { return }
    let cookie = Int64(bitPattern: descriptor.cookie ?? 0)
    verdicts.append(
      Judge.Verdict(
        rule: .unmapInFlight,
        event: event,
        message: "\(change.size) bytes at 0x\(String(change.dmaAddress, radix: 16)) were unmapped"
          + " while \(names.channels.string(channel.name)) works on them (cookie \(cookie), prepared"
          + " in line \(descriptor.event.line))"
      )
    )
  }

  // MARK: Words

  private mutating func judge(
    _ incident: SharingIncident,
    _ engine: DMADebug,
    _ names: TraceNames
  ) {
    verdicts.append(
      Judge.Verdict(
        rule: Self.rule(incident.kind),
        event: incident.event,
        message: Self.message(incident, engine, names)
      )
    )
  }

  private static func rule(_ kind: SharingIncident.Kind) -> Rule {
    switch kind {
    case .leakedAttachment: .leakedAttachment
    case .unboundWhileAttached: .unboundWhileAttached
    case .detachWhileMapped: .detachWhileMapped
    case .unmapWithoutMap: .unmapWithoutMap
    case .unbalancedKernelMapping: .unbalancedKernelMapping
    case .unbalancedAccess: .unbalancedAccess
    case .accessOutsideWindow: .accessOutsideWindow
    case .accessWithoutFence: .accessWithoutFence
    case .useAfterPut: .useAfterPut
    case .neverSignaled: .neverSignaled
    case .deadlock: .deadlock
    case .iovaLeftLinked: .iovaLeftLinked
    case .iovaNotSynced: .iovaNotSynced
    case .iovaOutside: .iovaOutside
    case .releaseInFlight: .releaseInFlight
    case .unmapInFlight: .unmapInFlight
    case .staleMapping: .staleMapping
    case .detachWhilePinned: .detachWhilePinned
    case .lostBuffer: .lostBuffer
    case .leakedRange: .leakedRange
    case .neverIssued: .neverIssued
    }
  }

  private static func message(
    _ incident: SharingIncident,
    _ engine: DMADebug,
    _ names: TraceNames
  ) -> String {
    let buffer = incident.inode.map { inode -> String in
      guard let buffer = engine.sharing.buffer(inode) else { return "buffer \(inode)" }
      let exporter = names.exporters.string(buffer.exporter)
      return "buffer \(inode) (\(exporter), \(buffer.size) bytes)"
    }
    let what = buffer ?? "a buffer"
    let origin = incident.origin.map { "line \($0.line)" } ?? "?"
    let count = incident.value
    switch incident.kind {
    case .leakedAttachment:
      return "never detached from \(what), whose last known reference was put"
        + (incident.detail == 1 ? "; it is still mapped for the device" : "")
    case .unboundWhileAttached:
      return "the driver left while the device is attached to \(what), since \(origin)"
        + (count > 1 ? ", and to \(count - 1) more" : "")
    case .detachWhileMapped:
      return
        "detached from \(what) with \(count) mapping\(count == 1 ? "" : "s") of it"
        + " left; attached in \(origin)"
    case .unmapWithoutMap:
      return incident.detail == 1
        ? "an attachment to \(what) was unmapped after the last one was detached"
        : "the attachment to \(what) was unmapped although it is not mapped; attached in \(origin)"
    case .unbalancedKernelMapping:
      switch incident.detail {
      case 0: return "dma_buf_vunmap() of \(what) without a mapping into the kernel"
      case 1: return "dma_buf_kunmap() of \(what) without a mapping into the kernel"
      default:
        return "\(count) mapping\(count == 1 ? "" : "s") of \(what) into the kernel left after the"
          + " last known reference was put"
      }
    case .unbalancedAccess:
      let direction = incident.event.direction.kernelName
      switch incident.detail {
      case 0: return "dma_buf_end_cpu_access(\(direction)) of \(what) without its begin"
      case 1:
        return "CPU access to \(what) was begun and not ended when its last known reference was put"
      default:
        return "dma_buf_end_cpu_access(\(direction)) of \(what), which was begun with another"
          + " direction"
      }
    case .accessOutsideWindow:
      return "the CPU \(incident.detail & 1 == 1 ? "writes to" : "reads") \(what) "
        + (incident.detail & 2 == 2
          ? "in a window of CPU access for the other direction"
          : "outside of begin and end of CPU access")
    case .accessWithoutFence:
      let who = incident.event.device == .unknown ? "the CPU" : "the device"
      return "\(who) \(incident.detail == 1 ? "writes to" : "reads") \(what) before"
        + " \(fence(incident, engine, names)) is signaled"
    case .useAfterPut:
      return "\(incident.event.kind.name)() of \(what) after "
        + (incident.detail == 1 ? "its last reference" : "the last known reference")
        + " was put in \(origin)"
    case .neverSignaled:
      let which = fence(incident, engine, names)
      switch incident.detail {
      case 1: return "\(which) was destroyed and never signaled"
      default: return "\(which) was never signaled, later ones of its timeline were"
      }
    case .deadlock:
      let which = fence(incident, engine, names)
      return
        "\(count) threads have waited for each other's fences for \(incident.detail) ms, this one"
        + " for \(which)"
    case .iovaLeftLinked:
      return "\(incident.event.kind.name)() gave back addresses with \(count) bytes still linked,"
        + " the first in \(origin)"
    case .iovaNotSynced:
      return "\(count) bytes were linked in \(origin) and taken down without a dma_iova_sync()"
    case .iovaOutside:
      return "\(incident.event.size) bytes were linked at"
        + " 0x\(String(incident.event.dmaAddress, radix: 16)), outside of the \(count) bytes"
        + " allocated in \(origin)"
    case .releaseInFlight:
      return "\(names.channels.string(incident.event.site)) was released with \(count)"
        + " descriptor\(count == 1 ? "" : "s") in flight, the first prepared in \(origin)"
    case .unmapInFlight:
      return "unmapped while a descriptor works on it"
    case .staleMapping:
      return "the device \(incident.detail == 1 ? "writes to" : "reads") \(what) through a mapping"
        + " from before its last move; attached in \(origin)"
    case .detachWhilePinned:
      return "detached from \(what) with \(count) pin\(count == 1 ? "" : "s") left; attached in"
        + " \(origin)"
    case .lostBuffer:
      return
        "\(what) was exported, and nothing was seen of it in the \(count / 1_000_000) ms since:"
        + " no descriptor, no device, no put"
    case .leakedRange:
      return "the driver left and \(incident.detail) bytes of IOVA in \(count)"
        + " range\(count == 1 ? "" : "s") were not given back, the first allocated in \(origin)"
    case .neverIssued:
      return "\(count) descriptor\(count == 1 ? "" : "s") of"
        + " \(names.channels.string(incident.event.site)) went without having been issued, the first"
        + " submitted in \(origin)"
    }
  }

  private static func fence(
    _ incident: SharingIncident,
    _ engine: DMADebug,
    _ names: TraceNames
  ) -> String {
    guard let key = incident.fence else { return "a fence" }
    var text = "fence \(key.context):\(key.sequence)"
    if let timeline = engine.sharing.timeline(key.context) {
      text += " of \(names.drivers.string(timeline.driver.rawValue))"
      text += " \(names.timelines.string(timeline.name))"
    }
    return text
  }
}
