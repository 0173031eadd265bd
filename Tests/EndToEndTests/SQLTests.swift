// SPDX-License-Identifier: MIT
import DMATrace
import Glibc
import TestSupport
import Testing

/// The database of a trace, and the questions of docs/SQL.md.
@Suite struct SQLTests {
  /// Converts a trace and opens the database.
  static func database(_ trace: String, _ options: [String] = []) throws -> SQLiteDatabase {
    let path = Fixtures.temporaryDirectory() + "/t.sqlite"
    let result = try Program.run(["convert", trace, "-o", path] + options)
    #expect(result.status == 0, "\(result.errors)")
    return try SQLiteDatabase(path: path)
  }

  static func rows(_ database: SQLiteDatabase, _ query: String) throws -> [[String]] {
    let statement = try database.prepare(query)
    var rows: [[String]] = []
    while try statement.step() {
      rows.append(statement.columns.indices.map { statement.text($0) ?? "NULL" })
    }
    return rows
  }

  /// The questions of the documentation.
  private static let questions: [String] = {
    let parts = (Fixtures.text(Fixtures.root + "/docs/SQL.md") ?? "").split(separator: "```sql\n")
    return parts.dropFirst().map { part in
      part.split(separator: "```").first.map(String.init) ?? ""
    }
  }()

  @Test func theQuestionsOfTheDocumentationHaveAnswers() throws {
    #expect(Self.questions.count >= 12)
    let fault = Fixtures.temporary(
      "fault.txt",
      TraceText.kernel([
        "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=256 phys_addr=1000 attrs=",
        "io_page_fault: IOMMU:intel 0000:00:03.0 iova=0x0000000000001010 flags=0x0001",
        "swiotlb_bounced: dev_name: 0000:00:03.0 dma_mask=ffffffff dev_addr=1000 size=256 NORMAL",
      ])
    )
    let databases = try [
      "sim:desktop,duration=40ms,fault=all@once",
      "fixtures/kernel/linux-6.12/real-nvme-stack/trace.txt", fault,
    ].map { try Self.database($0) }
    for question in Self.questions {
      let answers = try databases.map { try Self.rows($0, question).count }
      #expect(answers.contains { $0 > 0 }, "\(question)")
    }
  }

  @Test func everyViewAndTableIsDocumented() throws {
    let database = try Self.database("sim:nic,duration=1ms")
    let text = Fixtures.text(Fixtures.root + "/docs/SQL.md") ?? ""
    let names = try Self.rows(
      database,
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    )
    #expect(names.count == 18)
    for name in names { #expect(text.contains("`\(name[0])`"), "\(name[0])") }
  }

  @Test(arguments: ["bug-unmap-size", "bug-leak-on-unbind", "bug-sg-count", "real-nvme-stack"])
  func findingsAreThoseOfLint(_ name: String) throws {
    let trace = "fixtures/kernel/linux-6.12/\(name)/trace.txt"
    let database = try Self.database(trace)
    let lint = try Program.run(["lint", "--isolated", "-q", "--format", "concise", trace])
    let lines = lint.output.split(separator: "\n").map(String.init)
    let findings = try Self.rows(
      database,
      "SELECT ifnull(line, 0), severity, rule, message FROM findings ORDER BY id"
    )
    #expect(findings.count == lines.count)
    for (finding, line) in zip(findings, lines) {
      #expect(line.contains(":\(finding[0]):") || finding[0] == "0")
      #expect(line.contains(finding[2]) && line.contains(finding[1]), "\(line)")
    }
    // An event of each finding, and of its map.
    let broken = try Self.rows(
      database,
      """
      SELECT f.id FROM findings f LEFT JOIN events e USING (event)
      WHERE f.event IS NOT NULL AND e.line IS NOT f.line
      """
    )
    #expect(broken.isEmpty)
  }

  @Test func mappingsAndEventsAreThoseOfDump() throws {
    let trace = "fixtures/kernel/linux-6.12/real-nvme-stack/trace.txt"
    let database = try Self.database(trace)
    let dump = try Program.run(
      [
        "dump", trace, "--format", "csv", "--sort", "seq", "--fields",
        "device,type,dma_addr,size,dir,map_error,time_ns",
      ]
    )
    let live = try Self.rows(
      database,
      """
      SELECT device, type, dma_addr, size, dir, map_error, map_time_ns
      FROM live_mappings ORDER BY id
      """
    )
    #expect(
      live.map { $0.joined(separator: ",") }
        == dump.output.split(separator: "\r\n").dropFirst().map(String.init)
    )
    let events = try Program.run(
      ["dump", "--events", trace, "--format", "csv", "--fields", "event,time_ns,kind,device,size"]
    )
    let rows = try Self.rows(
      database,
      """
      SELECT event, time_ns, kind, ifnull(device, ''), ifnull(size, '') FROM event_list
      ORDER BY event
      """
    )
    #expect(
      rows.map { $0.joined(separator: ",") }
        == events.output.split(separator: "\r\n").dropFirst().map(String.init)
    )
  }

  @Test func aDumpIsADatabaseOfItsMappings() throws {
    let path = try StartDumpTests.half().dump
    let dump = try Program.run(
      [
        "dump", path, "--format", "csv", "--sort", "seq", "--fields",
        "device,type,dma_addr,size,dir",
      ]
    )
    let expected = dump.output.split(separator: "\r\n").dropFirst().map(String.init)
    #expect(expected.count > 2)
    let directory = Fixtures.temporaryDirectory()
    let result = try Program.run(["convert", path, "-o", directory + "/t.sqlite"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(Fixtures.list(directory) == ["t.sqlite"])
    let database = try SQLiteDatabase(path: directory + "/t.sqlite")
    let rows = try Self.rows(
      database,
      "SELECT device, type, dma_addr, size, dir FROM live_mappings ORDER BY id"
    )
    #expect(rows.map { $0.joined(separator: ",") } == expected)
    let live = try Self.rows(database, "SELECT sum(live), sum(maps) FROM devices")
    #expect(live == [["\(expected.count)", "0"]])
  }

  @Test func whatAStartDumpHoldsBeginsWithTheTrace() throws {
    let half = try StartDumpTests.half()
    let database = try Self.database(half.trace, ["--start-dump", half.dump])
    let adopted = try Self.rows(
      database,
      """
      SELECT count(*), count(lifetime_ns), count(map_cpu), count(DISTINCT map_time_ns),
        min(map_time_ns) = (SELECT value FROM meta WHERE name = 'first_time_ns') + 0
      FROM mappings WHERE map_event IS NULL
      """
    )
    #expect(adopted == [["\(half.entries)", "0", "0", "1", "1"]])
    let freed = try Self.rows(
      database,
      """
      SELECT count(*), min(age_ns = unmap_time_ns - map_time_ns)
      FROM mappings m JOIN longest_lived USING (id) WHERE m.map_event IS NULL AND m.state = 'freed'
      """
    )
    #expect(freed[0][0] != "0" && freed[0][1] == "1")
    // Every mapping that is live in the end, however it came.
    let dump = try Program.run(
      ["dump", half.trace, "--start-dump", half.dump, "--format", "csv", "--sort", "seq"]
        + ["--fields", "device,dma_addr,size,map_error"]
    )
    let live = try Self.rows(
      database,
      "SELECT device, dma_addr, size, map_error FROM live_mappings ORDER BY id"
    )
    #expect(
      live.map { $0.joined(separator: ",") }
        == dump.output.split(separator: "\r\n").dropFirst().map(String.init)
    )
    let devices = try Self.rows(
      database,
      "SELECT sum(live), sum(maps) - sum(unmaps) + \(half.entries) FROM devices"
    )
    #expect(devices == [["\(live.count)", "\(live.count)"]])
    for question in Self.questions { _ = try Self.rows(database, question) }
  }

  @Test func bytesOverTimeEndWithWhatIsLive() throws {
    let database = try Self.database("sim:nic,duration=20ms,fault=forgotten-unmap@0.05")
    let course = try Self.rows(
      database,
      """
      SELECT sum(live_bytes) FROM bytes_by_driver b
      WHERE bucket = (SELECT max(bucket) FROM bytes_by_driver c WHERE c.driver = b.driver)
      """
    )
    let live = try Self.rows(database, "SELECT sum(live_bytes) FROM devices")
    #expect(course == live)
    #expect(live != [["0"]])
  }

  @Test func theSameTraceGivesTheSameContents() throws {
    let dumps = try (0..<2).map { _ in
      let path = Fixtures.temporaryDirectory() + "/t.db"
      return try Program.shell(
        "dmatop convert sim:usb,duration=5ms,fault=all@once -o \(path) && sha256sum <\(path)"
      ).output
    }
    #expect(dumps[0] == dumps[1])
    #expect(!dumps[0].isEmpty)
  }

  @Test func aDatabaseThatDoesNotFitLeavesNothing() throws {
    let directory = Fixtures.temporaryDirectory()
    // Files may have 64 KiB here.
    let result = try Program.shell(
      "trap '' XFSZ; ulimit -f 64; dmatop convert sim:nic,duration=50ms -o \(directory)/t.sqlite"
    )
    #expect(result.status == 2, "\(result.status)")
    #expect(result.errors.contains("t.sqlite: "))
    #expect(Fixtures.list(directory) == [])
  }
}
