// SPDX-License-Identifier: MIT
import DMADebugCore

/// The format of an event in a `trace.dat`: the fields as kernels from 6.18 on lay them out (6.12 for
/// the page and resource events).
///
/// Two things differ from a kernel's text. Fields that dmatop does not keep are not there: the GFP
/// flags of allocations, the error of `dma_map_sg_err`. And the numbers of listed entries are those
/// of the lists, not a statement expression, which libtraceevent cannot parse: from 1.8.4 on it
/// prints scatterlists. Older ones stumble over `sizeof(u64)` and print the fields as they are, as
/// they do with recordings of kernels; without it they would print lists that nobody can read.
struct TraceDatFormat {
  let kind: DMAEvent.Kind
  let system: StaticString
  let name: String
  let id: UInt16
  private let fields: [Field]
  private let print: String

  static let stackID: UInt16 = 4
  static let printID: UInt16 = 5

  private struct Field {
    let type: StaticString
    let name: StaticString
    let offset: Int
    let size: Int
    let isSigned: Bool
  }

  /// The number of the format of a kind; `nil` when there is none.
  static func id(of kind: DMAEvent.Kind) -> UInt16? {
    let id = ids[Int(kind.rawValue)]
    return id == 0 ? nil : id
  }

  /// By kind, 0 for none.
  private static let ids: [UInt16] = {
    var ids = [UInt16](repeating: 0, count: Int(UInt8.max) + 1)
    for format in all { ids[Int(format.kind.rawValue)] = format.id }
    ids[Int(DMAEvent.Kind.marker.rawValue)] = printID
    ids[Int(DMAEvent.Kind.deviceDescription.rawValue)] = printID
    return ids
  }()

  /// The text of the format.
  var text: [UInt8] {
    var buffer = TextBuffer()
    buffer.append("name: ")
    buffer.append(string: name)
    buffer.append("\nID: ")
    buffer.append(decimal: UInt64(id))
    buffer.append("\nformat:\n")
    for field in Self.common { Self.append(field, &buffer) }
    buffer.append("\n")
    for field in fields { Self.append(field, &buffer) }
    buffer.append("\nprint fmt: ")
    buffer.append(string: print)
    buffer.append("\n")
    return buffer.bytes
  }

  private static func append(_ field: Field, _ buffer: inout TextBuffer) {
    buffer.append("\tfield:")
    buffer.append(field.type)
    buffer.append(" ")
    buffer.append(field.name)
    buffer.append(";\toffset:")
    buffer.append(decimal: UInt64(field.offset))
    buffer.append(";\tsize:")
    buffer.append(decimal: UInt64(field.size))
    buffer.append(field.isSigned ? ";\tsigned:1;\n" : ";\tsigned:0;\n")
  }

  // MARK: Fields

  private static let common: [Field] = [
    Field(type: "unsigned short", name: "common_type", offset: 0, size: 2, isSigned: false),
    Field(type: "unsigned char", name: "common_flags", offset: 2, size: 1, isSigned: false),
    Field(type: "unsigned char", name: "common_preempt_count", offset: 3, size: 1, isSigned: false),
    Field(type: "int", name: "common_pid", offset: 4, size: 4, isSigned: true),
  ]

  private static func text(_ name: StaticString, _ offset: Int, signed: Bool = false) -> Field {
    Field(type: "__data_loc char[]", name: name, offset: offset, size: 4, isSigned: signed)
  }

  private static func u64(_ name: StaticString, _ offset: Int) -> Field {
    Field(type: "u64", name: name, offset: offset, size: 8, isSigned: false)
  }

  private static func size(_ name: StaticString, _ offset: Int) -> Field {
    Field(type: "size_t", name: name, offset: offset, size: 8, isSigned: false)
  }

  private static func int(_ name: StaticString, _ offset: Int) -> Field {
    Field(type: "int", name: name, offset: offset, size: 4, isSigned: true)
  }

  private static func list64(_ name: StaticString, _ offset: Int) -> Field {
    Field(type: "__data_loc u64[]", name: name, offset: offset, size: 4, isSigned: false)
  }

  private static func list32(_ name: StaticString, _ offset: Int) -> Field {
    Field(type: "__data_loc unsigned int[]", name: name, offset: offset, size: 4, isSigned: false)
  }

  private static func direction(_ offset: Int) -> Field {
    Field(type: "enum dma_data_direction", name: "dir", offset: offset, size: 4, isSigned: false)
  }

  private static func attributes(_ offset: Int) -> Field {
    Field(type: "unsigned long", name: "attrs", offset: offset, size: 8, isSigned: false)
  }

  private static func pointer(_ offset: Int) -> Field {
    Field(type: "void *", name: "virt_addr", offset: offset, size: 8, isSigned: false)
  }

  private static let probe = Field(
    type: "unsigned long",
    name: "__probe_ip",
    offset: 8,
    size: 8,
    isSigned: false
  )

  // MARK: Printing

  private static let directionText =
    "__print_symbolic(REC->dir, { 0, \"BIDIRECTIONAL\" }, { 1, \"TO_DEVICE\" },"
    + " { 2, \"FROM_DEVICE\" }, { 3, \"NONE\" })"

  private static let attributesText: String = {
    var seen: DMAAttributes = []
    var parts: [String] = []
    for (name, flag) in DMAAttributes.traceNames where !seen.contains(flag) {
      seen.insert(flag)
      parts.append("{ (1UL << \(flag.rawValue.trailingZeroBitCount)), \"\(name)\" }")
    }
    return "__print_flags(REC->attrs, \"|\", " + parts.joined(separator: ", ") + ")"
  }()

  private static func array(_ name: String, of type: String = "u64") -> String {
    "__print_array(__get_dynamic_array(\(name)), \(length(name, of: type)), sizeof(\(type)))"
  }

  private static func length(_ name: String, of type: String = "u64") -> String {
    "__get_dynamic_array_len(\(name)) / sizeof(\(type))"
  }

  private static let single = "dma_addr=%llx size=%zu"

  // MARK: The table

  private static func map(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      [
        text("device", 8), u64("phys_addr", 16), u64("dma_addr", 24), size("size", 32),
        direction(40), attributes(48),
      ],
      "\"%s dir=%s \(single) phys_addr=%llx attrs=%s\", __get_str(device), \(directionText),"
        + " REC->dma_addr, REC->size, REC->phys_addr, \(attributesText)"
    )
  }

  private static func unmap(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      [text("device", 8), u64("addr", 16), size("size", 24), direction(32), attributes(40)],
      "\"%s dir=%s \(single) attrs=%s\", __get_str(device), \(directionText), REC->addr,"
        + " REC->size, \(attributesText)"
    )
  }

  private static func allocation(_ kind: DMAEvent.Kind, direction offset: Int) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      [
        text("device", 8), pointer(16), u64("dma_addr", 24), size("size", 32), direction(offset),
        attributes(48),
      ],
      "\"%s dir=%s \(single) virt_addr=%p attrs=%s\", __get_str(device), \(directionText),"
        + " REC->dma_addr, REC->size, REC->virt_addr, \(attributesText)"
    )
  }

  private static func sync(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      [text("device", 8), u64("dma_addr", 16), size("size", 24), direction(32)],
      "\"%s dir=%s \(single)\", __get_str(device), \(directionText), REC->dma_addr, REC->size"
    )
  }

  private static func syncList(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      [text("device", 8), list64("dma_addrs", 12), list32("lengths", 16), direction(20)],
      "\"%s dir=%s dma_addrs=%s sizes=%s\", __get_str(device), \(directionText),"
        + " \(array("dma_addrs")), \(array("lengths", of: "unsigned int"))"
    )
  }

  private init(
    _ kind: DMAEvent.Kind,
    system: StaticString = "dma",
    _ fields: [Field],
    _ print: String
  ) {
    self.init(
      kind: kind,
      system: system,
      name: kind.name,
      id: 400 + UInt16(kind.rawValue),
      fields: fields,
      print: print
    )
  }

  private init(
    kind: DMAEvent.Kind,
    system: StaticString,
    name: String,
    id: UInt16,
    fields: [Field],
    print: String
  ) {
    self.kind = kind
    self.system = system
    self.name = name
    self.id = id
    self.fields = fields
    self.print = print
  }

  /// Every event but markers and stacks.
  static let all: [TraceDatFormat] =
    [
      map(.mapPage), map(.mapResource), map(.mapPhys), unmap(.unmapPage), unmap(.unmapResource),
      unmap(.unmapPhys), allocation(.alloc, direction: 44), allocation(.free, direction: 40),
      allocation(.allocPages, direction: 44), allocation(.freePages, direction: 40),
      allocation(.allocSGTableError, direction: 44), sync(.syncSingleForCPU),
      sync(.syncSingleForDevice), syncList(.syncSGForCPU), syncList(.syncSGForDevice),
    ] + lists + probes + others + sharing

  private static let lists: [TraceDatFormat] = [
    TraceDatFormat(
      .mapSG,
      [
        text("device", 8), int("full_nents", 12), int("full_ents", 16),
        Field(type: "bool", name: "truncated", offset: 20, size: 1, isSigned: false),
        list64("phys_addrs", 24), list64("dma_addrs", 28), list32("lengths", 32), direction(36),
        attributes(40),
      ],
      "\"%s dir=%s nents=%d/%d ents=%d/%d%s dma_addrs=%s sizes=%s phys_addrs=%s attrs=%s\","
        + " __get_str(device), \(directionText), \(length("phys_addrs")),"
        + " REC->full_nents, \(length("dma_addrs")), REC->full_ents,"
        + " REC->truncated ? \" [TRUNCATED]\" : \"\", \(array("dma_addrs")),"
        + " \(array("lengths", of: "unsigned int")), \(array("phys_addrs")), \(attributesText)"
    ),
    TraceDatFormat(
      .mapSGError,
      [text("device", 8), list64("phys_addrs", 12), direction(20), attributes(24)],
      "\"%s dir=%s dma_addrs=%s attrs=%s\", __get_str(device), \(directionText),"
        + " \(array("phys_addrs")), \(attributesText)"
    ),
    TraceDatFormat(
      .unmapSG,
      [text("device", 8), list64("addrs", 12), direction(16), attributes(24)],
      "\"%s dir=%s phys_addrs=%s attrs=%s\", __get_str(device), \(directionText),"
        + " \(array("addrs")), \(attributesText)"
    ),
    TraceDatFormat(
      .allocSGTable,
      [
        text("device", 8), list64("phys_addrs", 12), u64("dma_addr", 16), size("size", 24),
        direction(32), attributes(40),
      ],
      "\"%s dir=%s \(single) phys_addrs=%s attrs=%s\", __get_str(device), \(directionText),"
        + " REC->dma_addr, REC->size, \(array("phys_addrs")), \(attributesText)"
    ),
    TraceDatFormat(
      .freeSGTable,
      [
        text("device", 8), list64("phys_addrs", 12), u64("dma_addr", 16), size("size", 24),
        direction(32),
      ],
      "\"%s dir=%s \(single) phys_addrs=%s\", __get_str(device), \(directionText),"
        + " REC->dma_addr, REC->size, \(array("phys_addrs"))"
    ),
  ]

  private static let probes: [TraceDatFormat] = [
    TraceDatFormat(
      .mappingError,
      system: "dmaapi",
      [probe, text("device", 16, signed: true), u64("dma_addr", 20), u64("caller", 28)],
      "\"(%lx) device=\\\"%s\\\" dma_addr=0x%Lx caller=%pS\", REC->__probe_ip,"
        + " __get_str(device), REC->dma_addr, REC->caller"
    ),
    TraceDatFormat(
      .mapSingleCheck,
      system: "dmaapi",
      [probe, text("device", 16, signed: true), u64("addr", 20), u64("size", 28)],
      "\"(%lx) device=\\\"%s\\\" addr=0x%Lx size=%Lu\", REC->__probe_ip, __get_str(device),"
        + " REC->addr, REC->size"
    ),
    TraceDatFormat(
      .driverProbe,
      system: "dmaapi",
      [probe, text("device", 16, signed: true), text("driver", 20, signed: true)],
      "\"(%lx) device=\\\"%s\\\" driver=\\\"%s\\\"\", REC->__probe_ip, __get_str(device),"
        + " __get_str(driver)"
    ),
    TraceDatFormat(
      .busNotify,
      system: "dmaapi",
      [probe, u64("action", 16), text("device", 24, signed: true)],
      "\"(%lx) action=%Lu device=\\\"%s\\\"\", REC->__probe_ip, REC->action, __get_str(device)"
    ),
    TraceDatFormat(
      .driverUnbind,
      system: "dmaapi",
      [probe, text("device", 16, signed: true)],
      "\"(%lx) device=\\\"%s\\\"\", REC->__probe_ip, __get_str(device)"
    ),
  ]

  private static let others: [TraceDatFormat] = [
    TraceDatFormat(
      .swiotlbBounced,
      system: "swiotlb",
      [
        text("dev_name", 8), u64("dma_mask", 16),
        Field(type: "dma_addr_t", name: "dev_addr", offset: 24, size: 8, isSigned: false),
        size("size", 32),
        Field(type: "bool", name: "force", offset: 40, size: 1, isSigned: false),
      ],
      "\"dev_name: %s dma_mask=%llx dev_addr=%llx size=%zu %s\", __get_str(dev_name),"
        + " REC->dma_mask, (unsigned long long)REC->dev_addr, REC->size,"
        + " REC->force ? \"FORCE\" : \"NORMAL\""
    ),
    TraceDatFormat(
      .iommuFault,
      system: "iommu",
      [text("device", 8), text("driver", 12), u64("iova", 16), int("flags", 24)],
      "\"IOMMU:%s %s iova=0x%016llx flags=0x%04x\", __get_str(driver), __get_str(device),"
        + " REC->iova, REC->flags"
    ),
  ]

  // MARK: Sharing

  private static let inode = Field(
    type: "ino_t",
    name: "ino",
    offset: 24,
    size: 8,
    isSigned: false
  )

  private static func buffer(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      system: "dma_buf",
      [text("exp_name", 8), size("size", 16), inode],
      "\"exp_name=%s size=%zu ino=%lu\", __get_str(exp_name), REC->size, REC->ino"
    )
  }

  private static func descriptor(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      system: "dma_buf",
      [text("exp_name", 8), size("size", 16), inode, int("fd", 32)],
      "\"exp_name=%s size=%zu ino=%lu fd=%d\", __get_str(exp_name), REC->size, REC->ino, REC->fd"
    )
  }

  private static func attachment(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      system: "dma_buf",
      [
        text("dev_name", 8), text("exp_name", 12), size("size", 16), inode,
        Field(
          type: "struct dma_buf_attachment *",
          name: "attach",
          offset: 32,
          size: 8,
          isSigned: false
        ),
        Field(type: "bool", name: "is_dynamic", offset: 40, size: 1, isSigned: false),
      ],
      "\"exp_name=%s size=%zu ino=%lu attachment:%p is_dynamic=%d dev_name=%s\","
        + " __get_str(exp_name), REC->size, REC->ino, REC->attach, REC->is_dynamic,"
        + " __get_str(dev_name)"
    )
  }

  private static func fence(_ kind: DMAEvent.Kind) -> TraceDatFormat {
    TraceDatFormat(
      kind,
      system: "dma_fence",
      [
        text("driver", 8), text("timeline", 12),
        Field(type: "unsigned int", name: "context", offset: 16, size: 4, isSigned: false),
        Field(type: "unsigned int", name: "seqno", offset: 20, size: 4, isSigned: false),
      ],
      "\"driver=%s timeline=%s context=%u seqno=%u\", __get_str(driver), __get_str(timeline),"
        + " REC->context, REC->seqno"
    )
  }

  /// The tracepoints of `dma_buf` and `dma_fence`.
  private static let sharing: [TraceDatFormat] = [
    buffer(.bufferExport), buffer(.bufferPut), buffer(.bufferMmap), buffer(.bufferMmapInternal),
    descriptor(.bufferFD), descriptor(.bufferGet),
    attachment(.bufferAttach), attachment(.bufferDetach),
    fence(.fenceInit), fence(.fenceEmit), fence(.fenceEnableSignal), fence(.fenceSignaled),
    fence(.fenceWaitStart), fence(.fenceWaitEnd), fence(.fenceDestroy),
  ]

  /// `print` and `kernel_stack`, of the system `ftrace`.
  static let ftrace: [TraceDatFormat] = [
    TraceDatFormat(
      kind: .marker,
      system: "ftrace",
      name: "print",
      id: printID,
      fields: [
        Field(type: "unsigned long", name: "ip", offset: 8, size: 8, isSigned: false),
        Field(type: "char", name: "buf[]", offset: 16, size: 0, isSigned: false),
      ],
      print: "\"%ps: %s\", (void *)REC->ip, REC->buf"
    ),
    TraceDatFormat(
      kind: .other,
      system: "ftrace",
      name: "kernel_stack",
      id: stackID,
      fields: [
        int("size", 8),
        Field(type: "unsigned long", name: "caller[8]", offset: 16, size: 64, isSigned: false),
      ],
      print: "\"\\t=> %ps\\n\\t=> %ps\\n\\t=> %ps\\n\" \"\\t=> %ps\\n\\t=> %ps\\n\\t=> %ps\\n\""
        + " \"\\t=> %ps\\n\\t=> %ps\\n\", "
        + (0..<8).map { "(void *)REC->caller[\($0)]" }.joined(separator: ", ")
    ),
  ]
}
