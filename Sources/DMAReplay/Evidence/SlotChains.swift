// SPDX-License-Identifier: MIT

/// Which numbers go with a key, the latest first: several each, added and removed in constant time.
struct SlotChains<Key: Hashable> {
  private struct Link {
    var key: Key
    var next: UInt32
    var previous: UInt32
  }

  private static var none: UInt32 { .max }

  private var heads: [Key: UInt32] = [:]
  private var links: [Link?] = []

  /// - Parameter number: A small one that has no key yet: links are kept in an array by it.
  mutating func insert(_ number: UInt32, for key: Key) {
    let index = Int(number)
    if index >= links.count {
      links.append(contentsOf: repeatElement(nil, count: index + 1 - links.count))
    }
    let head = heads.updateValue(number, forKey: key) ?? Self.none
    if head != Self.none { links[Int(head)]?.previous = number }
    links[index] = Link(key: key, next: head, previous: Self.none)
  }

  /// Removes a number; one that has no key stays without.
  ///
  /// - Returns: Its key.
  @discardableResult
  mutating func remove(_ number: UInt32) -> Key? {
    let index = Int(number)
    guard index < links.count, let link = links[index] else { return nil }
    links[index] = nil
    if link.previous != Self.none {
      links[Int(link.previous)]?.next = link.next
    } else {
      heads[link.key] = link.next == Self.none ? nil : link.next
    }
    if link.next != Self.none { links[Int(link.next)]?.previous = link.previous }
    return link.key
  }

  /// The numbers of a key, the latest first.
  ///
  /// - Parameter isEnough: Gets a number; `true` ends it.
  func first(_ key: Key, where isEnough: (UInt32) -> Bool) -> UInt32? {
    var number = heads[key] ?? Self.none
    while number != Self.none, let link = links[Int(number)] {
      if isEnough(number) { return number }
      number = link.next
    }
    return nil
  }
}
