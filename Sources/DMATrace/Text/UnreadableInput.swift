// SPDX-License-Identifier: MIT

/// What to say of an input that is no text trace.
struct UnreadableInput {
  /// What lines without events looked like.
  struct Hints {
    var log = 0
    var dump = 0

    /// Looks at a line that is no event.
    mutating func look(_ line: Cursor) {
      var cursor = line
      // `<6>[    0.000000] text`
      if cursor.skip(UInt8(ascii: "<")) { _ = cursor.decimal() != nil && cursor.skip(">") }
      if cursor.skip(UInt8(ascii: "[")) {
        cursor.skipSpaces()
        if cursor.decimal() != nil, cursor.byte == UInt8(ascii: ".") { log += 1 }
      }
      while cursor.find(0x20) {
        if cursor.isAt(" DMA-API: ") { log += 100 }
        if cursor.isAt(" idx ") || cursor.isAt(" dma map error ") { dump += 50 }
        cursor.at += 1
      }
      if line.isAt("DMA-API: ") { log += 100 }
    }
  }

  /// The sentence that says it.
  var problem: String
  var advice = ""

  private static let magics: [(bytes: [UInt8], kind: UnreadableInput)] = [
    (
      [0x1f, 0x8b],
      UnreadableInput(
        problem: "is compressed twice",
        advice: "unpack it first: `gzip -dc FILE | …`"
      )
    ),
    (
      [0x28, 0xb5, 0x2f, 0xfd],
      UnreadableInput(
        problem: "is compressed twice",
        advice: "unpack it first: `zstd -dc FILE | …`"
      )
    ),
    (
      [0xfd] + Array("7zXZ".utf8),
      UnreadableInput(
        problem: "is compressed with xz",
        advice: "unpack it first: `xz -dc FILE | …`"
      )
    ),
    (Array("BZh".utf8), UnreadableInput(problem: "is compressed with bzip2")),
    (
      Array("PK\u{3}\u{4}".utf8),
      UnreadableInput(problem: "is a zip archive", advice: "unpack it first")
    ),
    ([0x7f] + Array("ELF".utf8), UnreadableInput(problem: "is a program (ELF), not a trace")),
    ([0x89] + Array("PNG".utf8), UnreadableInput(problem: "is a picture (PNG), not a trace")),
    (Array("%PDF".utf8), UnreadableInput(problem: "is a PDF document, not a trace")),
    (Array("SQLite format 3".utf8), UnreadableInput(problem: "is an SQLite database, not a trace")),
  ]

  /// What the first bytes give away at once: a binary file that is certainly no text.
  static func binary(_ head: [UInt8]) -> UnreadableInput? {
    for (bytes, kind) in magics where head.starts(with: bytes) { return kind }
    if head.count > 262, head[257..<262].elementsEqual("ustar".utf8) {
      return UnreadableInput(problem: "is a tar archive", advice: "unpack it first")
    }
    return nil
  }

  /// What an input without a single trace line looks like.
  static func describe(_ head: [UInt8], _ hints: Hints) -> UnreadableInput {
    if let kind = binary(head) { return kind }
    let text = head.drop { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 }
    if text.isEmpty {
      return UnreadableInput(problem: "holds nothing but blanks", advice: howTo)
    }
    if isUTF16(head) {
      return UnreadableInput(
        problem: "is UTF-16 text",
        advice: "convert it first: `iconv -f UTF-16 -t UTF-8 FILE | …`"
      )
    }
    var odd = 0
    for byte in head where byte < 0x20 && !(7...13).contains(byte) && byte != 0x1b { odd += 1 }
    if odd * 50 > head.count { return UnreadableInput(problem: "is binary data, not a trace") }
    if hints.dump > hints.log {
      return UnreadableInput(
        problem: "is a dma-api/dump, not a trace",
        advice: "give it as --start-dump beside a trace"
      )
    }
    if hints.log > 2 {
      return UnreadableInput(
        problem: "is a kernel log, not a trace",
        advice: "this command reads traces"
      )
    }
    if text.starts(with: "<!".utf8) || text.starts(with: "<?xml".utf8)
      || text.starts(with: "<html".utf8) || text.starts(with: "<HTML".utf8)
    {
      return UnreadableInput(problem: "is HTML or XML, not a trace")
    }
    if text.first == UInt8(ascii: "{")
      || text.first == UInt8(ascii: "[") && !text.starts(with: "[ ".utf8)
    {
      return UnreadableInput(problem: "is JSON, not a trace")
    }
    return UnreadableInput(problem: "is text without trace events", advice: howTo)
  }

  /// Whether every other byte is zero, as in UTF-16 of mostly ASCII without a byte order mark.
  private static func isUTF16(_ head: [UInt8]) -> Bool {
    var zeros = [0, 0]
    for (index, byte) in head.enumerated() where byte == 0 { zeros[index & 1] += 1 }
    return head.count >= 16 && max(zeros[0], zeros[1]) * 5 > head.count * 2
      && min(zeros[0], zeros[1]) * 50 < head.count
  }

  private static let howTo =
    "record one with `trace-cmd record -e dma` and `trace-cmd report`, or from tracefs' `trace`"
}
