// SPDX-License-Identifier: MIT
import DMADebugCore

/// Where the fields of one kind of record stand, looked up once by their names.
struct RecordPlan {
  /// A field: nowhere when ``size`` is 0.
  struct Slot {
    enum Shape: UInt8 {
      case integer
      case dataLocation
      case relativeLocation
    }

    var offset: Int32 = 0
    var size: UInt8 = 0
    var shape = Shape.integer
    var isSigned = false
    /// Bytes of an element of a list.
    var element: UInt8 = 1

    var isPresent: Bool { size > 0 }

    init() {}

    init(_ field: EventFormat.Field?) {
      guard let field else { return }
      switch field.shape {
      case .integer: shape = .integer
      case .dataLocation(let element):
        shape = .dataLocation
        self.element = UInt8(truncatingIfNeeded: element)
      case .relativeLocation(let element):
        shape = .relativeLocation
        self.element = UInt8(truncatingIfNeeded: element)
      case .array: return
      }
      guard field.size <= 8 else { return }
      offset = Int32(field.offset)
      size = UInt8(field.size)
      isSigned = field.isSigned
    }

    /// The first byte behind it.
    var end: Int { Int(offset) + Int(size) }
  }

  var code: EventCode
  var format: EventFormat
  /// Bytes that a record must have for all slots to be inside.
  var minimumLength = 0

  var device = Slot()
  var direction = Slot()
  var dmaAddress = Slot()
  var size = Slot()
  var physical = Slot()
  var virtual = Slot()
  var attributes = Slot()
  var physicals = Slot()
  var addresses = Slot()
  var lengths = Slot()
  var entries = Slot()
  var segments = Slot()
  var truncated = Slot()
  /// A text that fills the rest of the record, or the frames of a stack.
  var tail: Int?
  var tailElement = 1
  /// `size` of a stack: how many frames are valid.
  var frameCount = Slot()
  /// Who asked, of a hit on the mapping-error hook.
  var caller = Slot()
  /// The fields as they are spelt out for everything that is not read field by field.
  private(set) var lineFields: [LineField] = []

  /// A field on its way into a line of text.
  struct LineField {
    enum Style {
      /// `(really_probe+0x0/0x2a0)`
      case place
      case symbol
      case signed
      case unsigned
      case text
      case quoted
    }

    var field: EventFormat.Field
    /// `name=`
    var opening: [UInt8]
    var style: Style
    var slot: Slot
  }

  /// - Returns: `nil` for events that mean nothing to dmatop.
  init?(_ format: EventFormat) {
    self.format = format
    var qualified = Array(format.system.utf8)
    qualified.append(UInt8(ascii: ":"))
    qualified.append(contentsOf: format.name.utf8)
    qualified.append(contentsOf: repeatElement(0, count: ByteSource.padding))
    code = qualified.withUnsafeBufferPointer {
      EventCode(name: UnsafeBufferPointer(rebasing: $0[..<($0.count - ByteSource.padding)]))
    }
    let isProbe = format.field("__probe_ip") != nil
    if code == .foreign, !isProbe { return nil }
    device = Slot(format.field("device"))
    direction = Slot(format.field("dir"))
    dmaAddress = Slot(format.field("dma_addr") ?? format.field("addr"))
    size = Slot(format.field("size"))
    physical = Slot(format.field("phys_addr"))
    virtual = Slot(format.field("virt_addr"))
    attributes = Slot(format.field("attrs"))
    physicals = Slot(format.field("phys_addrs") ?? format.field("addrs"))
    addresses = Slot(format.field("dma_addrs"))
    lengths = Slot(format.field("lengths"))
    entries = Slot(format.field("full_nents"))
    segments = Slot(format.field("full_ents"))
    truncated = Slot(format.field("truncated"))
    switch code {
    case .print, .kernelStack, .userStack:
      let field = format.field(code == .print ? "buf" : "caller")
      switch field?.shape {
      case .array(let element):
        tail = field?.offset
        tailElement = element
      case .dataLocation(let element):
        tailElement = element
        physicals = Slot(field)
      default: return nil
      }
      frameCount = Slot(format.field("size"))
    default:
      guard code.kind != nil else { break }
      // Frees of scatterlists and older kernels may lack some; without a device it is no dma event.
      guard device.isPresent, device.shape != .integer else { return nil }
    }
    let slots = [
      device, direction, dmaAddress, size, physical, virtual, attributes, physicals, addresses,
      lengths, entries, segments, truncated, frameCount, caller,
    ]
    if code == .mappingErrorProbe { caller = Slot(format.field("caller")) }
    lineFields = Self.lineFields(format, isProbe: isProbe)
    if code.kind != nil || tail != nil || code == .kernelStack || isHook {
      minimumLength = max(slots.map(\.end).max() ?? 0, tail ?? 0)
    }
  }
}

extension RecordPlan {
  /// Whether the record is a hit on the mapping-error hook with the usual fields.
  var isHook: Bool {
    code == .mappingErrorProbe && device.isPresent && device.shape != .integer
      && dmaAddress.isPresent && caller.isPresent && caller.shape == .integer
      && format.symbolFields.contains("caller")
  }

  private static func lineFields(_ format: EventFormat, isProbe: Bool) -> [LineField] {
    format.fields.compactMap { field in
      // Where a return probe hit says nothing.
      if field.name.hasPrefix("common_") || field.name == "__probe_func"
        || field.name == "__probe_ret_ip"
      {
        return nil
      }
      let style: LineField.Style
      switch field.shape {
      case .integer:
        if field.name == "__probe_ip" {
          style = .place
        } else if format.symbolFields.contains(field.name) {
          style = .symbol
        } else {
          style = field.isSigned ? .signed : .unsigned
        }
      default:
        guard field.isText else { return nil }
        style = isProbe ? .quoted : .text
      }
      return LineField(
        field: field,
        opening: Array(field.name.utf8) + [UInt8(ascii: "=")],
        style: style,
        slot: Slot(field)
      )
    }
  }
}

/// The layouts of all records of a capture, by event number.
struct RecordPlans {
  private(set) var plans: [RecordPlan] = []
  /// Index into ``plans`` by event number, -1 for none.
  private(set) var indices: [Int32] = []
  /// Which event numbers the capture describes at all.
  private(set) var known: [Bool] = []
  /// Where every record has its event number and its thread.
  private(set) var type = RecordPlan.Slot()
  private(set) var pid = RecordPlan.Slot()
  private(set) var flags = RecordPlan.Slot()
  let isBigEndian: Bool
  let longSize: Int

  init(isBigEndian: Bool, longSize: Int) {
    self.isBigEndian = isBigEndian
    self.longSize = longSize
  }

  /// Takes in the format text of an event.
  ///
  /// - Returns: whether it was one.
  mutating func add(_ text: [UInt8], system: String) -> Bool {
    guard let identity = EventFormat.identity(text) else { return false }
    let number = Int(identity.id)
    if known.count <= number {
      known.append(contentsOf: repeatElement(false, count: number + 1 - known.count))
    }
    known[number] = true
    // Most events of a kernel are none of ours: their fields are not looked at.
    if !Self.mayMatter(identity.name, system, text), type.isPresent { return true }
    guard let format = EventFormat(text, system: system, longSize: longSize) else { return false }
    if !type.isPresent {
      type = RecordPlan.Slot(format.field("common_type"))
      pid = RecordPlan.Slot(format.field("common_pid"))
      flags = RecordPlan.Slot(format.field("common_flags"))
    }
    guard let plan = RecordPlan(format) else { return true }
    let id = Int(format.id)
    if indices.count <= id {
      indices.append(contentsOf: repeatElement(-1, count: id + 1 - indices.count))
    }
    // The first one counts, as in the kernel's own list.
    guard indices[id] < 0 else { return true }
    indices[id] = Int32(plans.count)
    plans.append(plan)
    return true
  }

  private static func mayMatter(
    _ name: ArraySlice<UInt8>,
    _ system: String,
    _ text: [UInt8]
  ) -> Bool {
    switch system {
    case "dma", "dma_buf", "dma_fence", "iommu", "swiotlb", "ftrace", "kprobes", "probe": true
    default:
      name.starts(with: "dma".utf8) || name.starts(with: "debug_dma".utf8)
        || text.count < 4096 && isProbe(text)
    }
  }

  private static func isProbe(_ text: [UInt8]) -> Bool {
    let word = Array("__probe_ip".utf8)
    guard text.count > word.count else { return false }
    for start in 0..<(text.count - word.count) where text[start] == word[0] {
      if text[start..<start + word.count].elementsEqual(word) { return true }
    }
    return false
  }
}
