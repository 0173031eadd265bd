// SPDX-License-Identifier: MIT

/// A growing block of plain values: an array without the checks that an array makes at each access.
///
/// Value semantics are kept by hand: whoever changes elements calls ``makeUnique()`` first, once for
/// as many changes as it likes. Indices are the engine's own; see ``internalCheck(_:_:)``.
struct Slab<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  private final class Block {
    let base: UnsafeMutablePointer<Element>
    let capacity: Int

    init(capacity: Int) {
      base = .allocate(capacity: capacity)
      self.capacity = capacity
    }

    deinit {
      base.deallocate()
    }
  }

  private var block: Block
  private var base: UnsafeMutablePointer<Element>
  private(set) var count: Int

  init() {
    block = Block(capacity: 16)
    base = block.base
    count = 0
  }

  init(repeating value: Element, count: Int) {
    block = Block(capacity: max(count, 1))
    base = block.base
    base.initialize(repeating: value, count: count)
    self.count = count
  }

  @inline(__always)
  var indices: Range<Int> { 0..<count }

  /// Bytes that its elements take, spare room included.
  var storageBytes: Int { block.capacity * MemoryLayout<Element>.stride }

  @inline(__always)
  subscript(index: Int) -> Element {
    _read {
      checkIndex(index)
      yield base[index]
    }
    nonmutating _modify {
      checkIndex(index)
      yield &base[index]
    }
  }

  @inline(__always)
  private func checkIndex(_ index: Int) {
    internalCheck(index >= 0 && index < count, "slot \(index) of \(count)")
  }

  /// Lends all elements.
  func withUnsafeElements<Result>(
    _ body: (UnsafeBufferPointer<Element>) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(block) {
      try body(UnsafeBufferPointer(start: UnsafePointer(base), count: count))
    }
  }

  /// Call it before changing elements: a copy of the slab must not see the change.
  @inline(__always)
  mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&block) { move(toCapacity: block.capacity) }
  }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == block.capacity { move(toCapacity: block.capacity * 2) } else { makeUnique() }
    (base + count).initialize(to: element)
    count += 1
  }

  @inline(never)
  private mutating func move(toCapacity capacity: Int) {
    let new = Block(capacity: capacity)
    new.base.initialize(from: base, count: count)
    block = new
    base = new.base
  }
}
