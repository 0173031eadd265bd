// SPDX-License-Identifier: MIT

/// What is known about the kernel's direct map of memory: pointer − offset = physical address.
///
/// Allocations show a CPU pointer only. Where pointers are not hashed, a device whose DMA addresses
/// are physical addresses gives the offset away, and with it the physical address of every pointer
/// into the direct map.
struct DirectMap: Sendable {
  /// How much of the address space is taken to be the direct map, at least.
  private static let smallestReach: UInt64 = 1 << 40
  private static let rememberedPointers = 4096

  private(set) var offset: UInt64?
  /// Bytes of it, when somebody told.
  private var reach: UInt64?
  private var largestPhysical: UInt64 = 0
  /// Recent allocations by pointer, for frees that pass the pointer of another one.
  private var pointers: [(pointer: UInt64, device: DeviceID, dmaAddress: UInt64)] = []

  init() {}

  /// Bytes of the remembered pointers.
  var storageBytes: Int { pointers.storageBytes }

  /// Takes note of a physical address of real memory.
  mutating func note(physical address: UInt64) {
    if address > largestPhysical { largestPhysical = address }
  }

  /// Learns the offset from an allocation of a directly mapped device.
  ///
  /// - Returns: Whether anything was learned.
  mutating func learn(pointer: UInt64, physical: UInt64) -> Bool {
    let candidate = pointer &- physical
    // The direct map begins at a multiple of 1 GiB high in the address space; memory that was
    // remapped for the CPU does not lie at such a distance.
    guard offset == nil, pointer >= physical, candidate & (1 << 30 - 1) == 0, candidate >> 48 != 0
    else { return false }
    offset = candidate
    return true
  }

  /// Takes over what a marker says of it.
  mutating func isTold(offset: UInt64, size: UInt64) {
    self.offset = offset
    reach = size
  }

  /// The physical address behind a raw pointer, when it points into the direct map.
  func physical(of pointer: UInt64) -> UInt64? {
    guard let offset, pointer >= offset else { return nil }
    let physical = pointer - offset
    if let reach { return physical < reach ? physical : nil }
    var reach = Self.smallestReach
    while reach <= largestPhysical, reach < 1 << 52 { reach <<= 1 }
    return physical < reach ? physical : nil
  }

  /// Remembers whose allocation a pointer is.
  mutating func remember(pointer: UInt64, _ device: DeviceID, _ dmaAddress: UInt64) {
    if pointers.isEmpty {
      pointers = Array(
        repeating: (pointer: 0, device: .unknown, dmaAddress: 0),
        count: Self.rememberedPointers
      )
    }
    pointers[Self.slot(pointer)] = (pointer, device, dmaAddress)
  }

  /// The allocation to which a pointer belongs or belonged.
  func allocation(_ pointer: UInt64) -> (device: DeviceID, dmaAddress: UInt64)? {
    guard !pointers.isEmpty else { return nil }
    let entry = pointers[Self.slot(pointer)]
    return entry.pointer == pointer ? (entry.device, entry.dmaAddress) : nil
  }

  private static func slot(_ pointer: UInt64) -> Int {
    Int(truncatingIfNeeded: (pointer &* 0x9e37_79b9_7f4a_7c15) >> 52)
  }

  /// Whether the kernel would take the pointer for memory at all
  /// (`is_vmalloc_addr` or `virt_addr_valid`): what is neither makes no entry.
  static func isMemory(_ pointer: UInt64, isHashed: Bool) -> Bool {
    if isHashed { return true }
    // Raw 64-bit kernel pointers are high; the top 2 GiB hold the kernel's image and modules.
    return pointer >= 1 << 63 && pointer < 0xffff_ffff_8000_0000
  }
}
