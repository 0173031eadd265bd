// SPDX-License-Identifier: MIT

/// What is left of a file of version 7 whose end is gone.
extension TraceDatFile {
  /// Says so when the last section, which need not be one that is read, is cut off.
  mutating func checkEnd(from start: UInt64) {
    var offset = start
    for _ in 0..<Self.maximumSections where offset < bytes.size {
      var head = MetadataReader(bytes, at: offset, isBigEndian: isBigEndian)
      guard head.left >= 16 else {
        return note("cut off at byte \(bytes.size), in its last section")
      }
      guard let id = try? head.u16(), let flags = try? head.u16(), (try? head.u32()) != nil,
        let size = try? head.u64(), id <= 64, flags <= 1
      else { return }
      if size > head.left { return note("cut off at byte \(bytes.size), in its last section") }
      offset = head.offset + size
    }
  }

  /// The options at the end of the file are gone: what stands in front of them is found by walking
  /// from section to section.
  mutating func salvage(from start: UInt64) {
    note("its options are gone")
    var offset = start
    for _ in 0..<Self.maximumSections {
      var head = MetadataReader(bytes, at: offset, isBigEndian: isBigEndian)
      guard let id = try? head.u16(), let flags = try? head.u16(), (try? head.u32()) != nil,
        let size = try? head.u64(), id <= 64, flags <= 1
      else { return }
      if id == 3 {
        let end = size > head.left ? bytes.size : head.offset + size
        salvageBuffer(from: head.offset, to: end, isPacked: flags == 1)
      } else if (16...21).contains(id) {
        do throws(TraceError) {
          try readSection(id, at: offset)
        } catch {
          note(error)
        }
      }
      guard size <= head.left else { return }
      offset = head.offset + size
    }
  }

  /// Finds where the data of each CPU begins; which CPU it is of is not known any more, so they are
  /// counted.
  private mutating func salvageBuffer(from start: UInt64, to end: UInt64, isPacked: Bool) {
    let page = UInt64(pageSize)
    let limit = streamsLeft
    var streams: [Stream] = []
    var place = (start + page - 1) / page * page
    if isPacked {
      while place < end, streams.count < limit {
        var reader = MetadataReader(bytes, at: place, end: end, isBigEndian: isBigEndian)
        guard let chunks = try? reader.u32(), chunks > 0 else { break }
        for _ in 0..<chunks {
          guard let packed = try? reader.u32(), (try? reader.u32()) != nil,
            (try? reader.skip(UInt64(packed))) != nil
          else {
            reader.offset = end
            break
          }
        }
        let size = reader.offset - place - 4
        streams.append(Stream(cpu: UInt32(streams.count), offset: place, size: size))
        place = (reader.offset + page - 1) / page * page
      }
    } else {
      // Time begins anew with each CPU.
      let step = UInt64(layout.pageSize)
      var last: UInt64 = .max
      while place < end, streams.count < limit {
        var reader = MetadataReader(bytes, at: place, end: end, isBigEndian: isBigEndian)
        guard let time = try? reader.u64() else { break }
        if time < last || streams.isEmpty {
          streams.append(Stream(cpu: UInt32(streams.count), offset: place, size: 0))
        }
        last = time
        streams[streams.count - 1].size += min(step, end - place)
        place += step
      }
    }
    guard !streams.isEmpty else { return }
    add(
      Buffer(name: [], clock: [], pageSize: 0, isPacked: isPacked, streams: streams)
    )
  }
}
