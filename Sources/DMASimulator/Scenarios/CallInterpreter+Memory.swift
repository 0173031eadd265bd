// SPDX-License-Identifier: MIT
import DMADebugCore

/// Functions of scenarios that are not the DMA-API: memory, bytes and the rest.
extension CallInterpreter {
  mutating func helper(
    _ name: String,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    if Self.sharingHelpers[name] != nil { return try sharingHelper(name, a) }
    switch name {
    case "kmalloc", "vmalloc", "kfree", "vfree", "alloc_pages", "__free_pages", "ioremap",
      "iounmap", "munmap":
      return try memory(name, a)
    case "virt_to_page", "virt_to_phys":
      let physical = machine.physicalOfPointer(try number(a[0]))
      return .number(name == "virt_to_page" ? physical & ~4095 : physical)
    case "page_address": return .number(AddressSpace.direct(try number(a[0])))
    case "stack_buffer":
      return .number(AddressSpace.direct(AddressSpace.stacks.lowerBound + 0x3d40))
    case "kernel_rodata":
      return .number(AddressSpace.direct(AddressSpace.readOnlyData.lowerBound + 256))
    case "sg_alloc_table", "sg_set_buf", "sg_set_page", "sg_dma_address", "sg_dma_len", "sg_nents",
      "sg_mapped":
      return try table(name, a)
    case "cpu_write", "cpu_check", "device_write", "device_check": return try bytes(name, a)
    case "cpu_load":
      let address = try number(a[0])
      touched(address, writes: false)
      return .number(machine.loadWord(address))
    case "cpu_store":
      let address = try number(a[0])
      let value = try number(a[1])
      touched(address, writes: true)
      machine.storeWord(address, value)
    case "device_load":
      let device = try device(a[0])
      let address = try number(a[1])
      touched(by: device, address, writes: false)
      return machine.deviceLoadWord(device, address).map { .number($0) } ?? .null
    case "device_store":
      let device = try device(a[0])
      let address = try number(a[1])
      touched(by: device, address, writes: true)
      return .number(machine.deviceStoreWord(device, address, try number(a[2])) ? 1 : 0)
    case "DMA_BIT_MASK": return .number(Device.bitMask(Int(min(try number(a[0]), 64))))
    case "marker": machine.marker(try text(a[0]))
    case "write":
      let file = try text(a[0])
      let value: String
      switch try evaluate(a[1]) {
      case .text(let text): value = text
      case .number(let number): value = String(number)
      default: throw failure("a text or a number is wanted")
      }
      machine.marker("dma-api: write \(file) \(value)")
    case "task":
      let task = try text(a[0])
      let pid = Int32(truncatingIfNeeded: min(try number(a[1]), 1 << 22))
      let cpu = min(try number(a[2]), UInt64(machine.options.cpus - 1))
      machine.switchTask(task, pid: pid, cpu: UInt32(cpu))
    case "function": machine.site = machine.makeSite(try text(a[0]), module: "scenario")
    default: machine.sleep(min(try number(a[0]), 86_400_000_000) * Machine.microsecond)
    }
    return .null
  }

  private mutating func memory(
    _ name: String,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    let first = try number(a[0])
    switch name {
    case "kmalloc", "vmalloc":
      guard (1...4 << 20).contains(first) else { throw failure("1 byte to 4 MiB") }
      let isLow = a.count > 1 ? try number(a[1]) & 1 != 0 : false
      let address =
        name == "kmalloc" ? machine.kmalloc(first, isLow: isLow) : machine.vmalloc(first)
      guard let address else { return .null }
      sizes[address] = first
      return .number(address)
    case "kfree", "vfree":
      guard let size = sizes.removeValue(forKey: first) else {
        throw failure("that was not allocated, or is free already")
      }
      if name == "kfree" { machine.kfree(first, size) } else { machine.vfree(first, size) }
    case "alloc_pages":
      let order = try number(a[1])
      guard order <= UInt64(PageAllocator.maximumOrder) else { throw failure("order 0 to 10") }
      guard let page = machine.allocPages(order: Int(order), isLow: first & 1 != 0) else {
        return .null
      }
      sizes[page] = 4096 << order
      return .number(page)
    case "__free_pages":
      guard let size = sizes.removeValue(forKey: first) else {
        throw failure("that was not allocated, or is free already")
      }
      machine.freePages(first, order: PageAllocator.order(size))
    case "ioremap":
      let size = try number(a[1])
      guard machine.memory.holds(first, size), (1...1 << 20).contains(size) else {
        throw failure("ioremap() wants memory of up to 1 MiB")
      }
      return .number(machine.space.map(machine.pageList(first & ~4095, (size + 4095) & ~4095), .io))
    case "iounmap":
      machine.space.unmap(first, pages: (min(try number(a[1]), 1 << 20) + 4095) / 4096)
    default:
      machine.sharing.windows[first] = nil
      machine.munmap(first, pages: (min(try number(a[1]), 1 << 30) + 4095) / 4096)
    }
    return .null
  }

  private mutating func table(
    _ name: String,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    if name == "sg_alloc_table" {
      let count = try number(a[0])
      guard (1...4096).contains(count) else { throw failure("1 to 4096 entries") }
      let empty = ScatterList.Entry(address: 0, length: 0)
      return .list(ScatterList(Array(repeating: empty, count: Int(count))))
    }
    let list = try list(a[0])
    if name == "sg_nents" { return .number(UInt64(list.entries.count)) }
    if name == "sg_mapped" { return .number(UInt64(list.mappedEntries)) }
    let index = try number(a[1])
    guard index < UInt64(list.entries.count) else {
      throw failure("the list has no entry \(index)")
    }
    switch name {
    case "sg_set_buf":
      let physical = machine.physicalOfPointer(try number(a[2]))
      list.entries[Int(index)] = ScatterList.Entry(address: physical, length: try number(a[3]))
    case "sg_set_page":
      let page = try number(a[2])
      let length = try number(a[3])
      list.entries[Int(index)] = ScatterList.Entry(
        address: page &+ (try number(a[4])),
        length: length
      )
    default:
      guard Int(index) < list.segments.count else { throw failure("the list was never mapped") }
      let segment = list.segments[Int(index)]
      return .number(name == "sg_dma_address" ? segment.address : segment.length)
    }
    return .null
  }

  private mutating func bytes(
    _ name: String,
    _ a: [Expression]
  ) throws(ScenarioError) -> Value {
    func pattern(_ tag: UInt64) -> Pattern { Pattern(owner: 0, serial: tag) }
    func length(_ bytes: UInt64) throws(ScenarioError) -> UInt64 {
      guard bytes <= 1 << 24 else { throw failure("at most 16 MiB") }
      return bytes
    }
    switch name {
    case "cpu_write":
      let address = try number(a[0])
      let count = try length(try number(a[1]))
      let tag = pattern(try number(a[2]))
      touched(address, writes: true)
      machine.write(address, count, tag)
      return .null
    case "cpu_check":
      let device = try device(a[0])
      let address = try number(a[1])
      let count = try length(try number(a[2]))
      let tag = pattern(try number(a[3]))
      touched(address, writes: false)
      return .number(machine.check(device, address, count, tag) ? 1 : 0)
    default:
      let device = try device(a[0])
      let address = try number(a[1])
      let count = try length(try number(a[2]))
      let tag = pattern(try number(a[3]))
      touched(by: device, address, writes: name == "device_write")
      let isRight =
        name == "device_write"
        ? machine.deviceWrite(device, address, count, tag)
        : machine.deviceCheck(device, address, count, tag)
      return .number(isRight ? 1 : 0)
    }
  }
}
