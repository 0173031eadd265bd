// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMATrace

/// Input that is wrong: lines, and whole files.
@Suite struct BadInputTests {
  static let prefix = PayloadTests.prefix
  static let good = prefix + "dma_unmap_page: nvme dir=NONE dma_addr=1 size=1 attrs=\n"

  @Test(arguments: [
    "dma_map_page: nvme dir=NONE dma_addr=1 size=99999999999999999999 phys_addr=1 attrs=",
    "dma_map_page: nvme dir=NONE dma_addr=1 size=-1 phys_addr=1 attrs=",
    "dma_map_page: nvme dir=NONE dma_addr=12345678123456781 size=1 phys_addr=1 attrs=",
    "dma_map_page: nvme dir=NONE dma_addr=1 size=0x phys_addr=1 attrs=",
    "dma_map_page: nvme dir=SIDEWAYS dma_addr=1 size=1 phys_addr=1 attrs=",
    "dma_map_page: nvme dir=NONE dma_addr=1 size=1 attrs=",
    "dma_map_page: nvme dir=NONE dma_addr= size=1 phys_addr=1 attrs=",
    "dma_map_page: nvme dma_addr=1 size=1 phys_addr=1 attrs=",
    "dma_map_page: dir=NONE dma_addr=1 size=1 phys_addr=1 attrs=",
    "dma_map_page:",
    "dma_map_page: ",
    "dma_map_page: nvme",
    "dma_map_page",
    "dma_map_sg: nvme dir=NONE dma_addrs={0x1,0x2} sizes={0x1} phys_addrs={0x1} attrs=",
    "dma_map_sg: nvme dir=NONE dma_addrs={0x1} sizes={0x1} attrs=",
    "dma_map_sg: nvme dir=NONE dma_addrs={0x1 sizes=1 phys_addrs=1 attrs=",
    "dma_map_sg: nvme dir=NONE dma_addrs={0x1,} sizes={0x1} phys_addrs={0x1} attrs=",
    "dma_map_sg: nvme dir=NONE dma_addrs={x} sizes={0x1} phys_addrs={0x1} attrs=",
    "dma_map_sg: nvme dir=NONE nents=2/2 ents=1/1 dma_addrs={0x1} sizes={0x1} phys_addrs={0x1} attrs=",
    "dma_map_sg: nvme dir=NONE nents=1/9999999999 ents=1/1 dma_addrs={0x1} sizes={0x1} "
      + "phys_addrs={0x1} attrs=",
    "dma_unmap_sg: device=x addrs=ARRAY[00, 00, 00] dir=1 attrs=0x0",
    "dma_unmap_sg: device=x addrs=ARRAY[0] dir=1 attrs=0x0",
    "dma_unmap_sg: device=x addrs=ARRAY[00, dir=1 attrs=0x0",
    "dma_unmap_sg: device=x addrs=ARRAY[00, 00, 00, 00, 00, 00, 00, 000] dir=1 attrs=0x0",
    "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"x dma_addr=0x1",
    "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"x\"",
    "bus_notify: (dma_debug_device_change+0x4/0x1d0) device=\"x\"",
    "bus_notify: (dma_debug_device_change",
    "driver_probe: (really_probe+0x0/0x10) driver=\"x\"",
    "swiotlb_bounced: dev_name: x size=4096 FORCE",
  ])
  func brokenPayload(_ line: String) {
    let reading = Reading(Self.good + Self.prefix + line + "\n" + Self.good)
    #expect(reading.events.map(\.kind) == [.unmapPage, .unmapPage])
    #expect(reading.summary.malformedLines == 1)
    #expect(reading.summary.malformed.first?.line == 2)
    #expect(reading.summary.malformed.first?.reason.isEmpty == false)
  }

  @Test func absurdPrefixes() {
    for line in [
      "  a-1  [4000000] .....  1.000000: dma_unmap_page: x dir=NONE dma_addr=1 size=1 attrs=",
      "  a-1  [000] .....  99999999999.000000: dma_unmap_page: x dir=NONE dma_addr=1 size=1 attrs=",
      "  a-99999999999  [000] .....  1.000000: dma_unmap_page: x dir=NONE dma_addr=1 size=1 attrs=",
      "hello world", "[", "[000]", "-1 0", "1.5:", "1.000000:", ":", "::", "=> orphan", "\t",
      "\u{1}",
      "1234 0 676491278691 type: 440", String(repeating: "[", count: 5000),
      String(repeating: "-1 ", count: 5000), String(repeating: "1.000000: ", count: 500),
    ] {
      let reading = Reading(Self.good + line + "\n" + Self.good)
      #expect(reading.events.map(\.kind) == [.unmapPage, .unmapPage], "\(line.prefix(80))")
      #expect(reading.summary.lines == 3)
    }
  }

  @Test func claimedCountsAllocateNothing() {
    let reading = Reading(
      Self.prefix
        + "dma_map_sg: x dir=NONE nents=1/4294967295 ents=1/4294967295 [TRUNCATED] "
        + "dma_addrs={0x1} sizes={0x1} phys_addrs={0x1} attrs=\n"
    )
    #expect(reading.events.first?.event.requestedEntries == .max)
    #expect(reading.events.first?.addresses == [1])
  }

  @Test func excerptsAreEscapedAndShort() {
    let reading = Reading(bytes: Array(Self.good.utf8) + [0x1b, 0x5b, 0x33, 0xff, 0x00, 0x0a])
    #expect(reading.summary.malformed.first?.excerpt == "\\x1b[3\\xff\\x00")
    let long = Reading(Self.good + String(repeating: "é", count: 4000) + "\n")
    #expect(long.summary.malformed.first.map { $0.excerpt.count <= 120 } == true)
    let many = Reading(Self.good + String(repeating: "x\n", count: 50))
    #expect(many.summary.malformed.count == 10)
    #expect(many.summary.malformedLines == 50)
  }

  @Test func aLastLineThatIsCutOff() {
    let line =
      PayloadTests.prefix
      + "dma_map_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 "
      + "phys_addr=10a2b3000 attrs=SKIP_CPU_SYNC"
    let bytes = Array(line.utf8)
    for length in 26..<bytes.count - 13 {
      let reading = Reading(bytes: Array(Self.good.utf8) + bytes[..<length])
      #expect(reading.events.count == 1, "\(length)")
      #expect(reading.summary.cutOff, "\(length)")
      #expect(reading.summary.malformedLines == 0, "\(length)")
    }
    let cut = Reading(bytes: Array(Self.good.utf8) + bytes.dropLast(3))
    #expect(cut.summary.cutOff)
    #expect(Reading(bytes: Array(Self.good.utf8) + bytes).events.count == 2)
  }

  @Test func probesThatAreCutOff() {
    let hook =
      "dma_mapping_error: (debug_dma_mapping_error+0x4/0xa0) device=\"nvme\" dma_addr=0x76f0000"
    let bind = "driver_probe: (really_probe+0x0/0x2a0) device=\"a\""
    let earlier = Self.prefix + hook + " caller=run_line+0x357/0x1630 [dmax]\n"
    #expect(Reading(Self.good + Self.prefix + hook).events.count == 2)
    for line in [hook, hook + " caller=run_line+0x357/0x1630 [dm", bind, bind + " driver=\"b"] {
      let reading = Reading(earlier + Self.prefix + line)
      #expect(reading.events.count == 1, "\(line)")
      #expect(reading.summary.cutOff, "\(line)")
    }
    let whole = Reading(earlier + Self.prefix + hook + " caller=run_line+0x357/0x1630 [dmax]")
    #expect(whole.events.count == 2)
    #expect(!whole.summary.cutOff)
  }

  @Test func longLines() {
    let list = String(repeating: "0x1,", count: 200_000) + "0x1"
    let line = Self.prefix + "dma_unmap_sg: nvme dir=NONE phys_addrs={\(list)} attrs=\n"
    for chunk in [1000, ByteSource.defaultChunk] {
      let reading = Reading(Self.good + line + Self.good, chunk: chunk)
      #expect(reading.events.count == 3)
      #expect(reading.events[1].physical.count == 200_001)
      let tooLong = String(repeating: "x", count: 3 << 20) + "\n"
      let skipped = Reading(Self.good + tooLong + Self.good, chunk: chunk)
      #expect(skipped.events.count == 2)
      #expect(skipped.events.last?.event.line == 3)
      #expect(skipped.summary.malformed.first?.reason == "longer than 1 MiB")
      #expect(skipped.summary.malformedLines == 1)
      let unfinished = Reading(Self.good + tooLong.dropLast(), chunk: chunk)
      #expect(unfinished.events.count == 1)
      #expect(unfinished.summary.lines == 2)
    }
  }

  @Test(arguments: [
    ("", "empty"),
    ("\n\n  \n", "blanks"),
    ("{\"a\": 1}\n", "JSON"),
    ("<!doctype html>\n<html>", "HTML"),
    ("<?xml version=\"1.0\"?>\n", "XML"),
    ("Dear diary,\nnothing was mapped today.\n", "without trace events"),
    ("#!/bin/sh\n# a script\necho hello\n", "without trace events"),
    ("[    0.000000] Linux version 6.12\n[    0.1] DMA-API: preallocated 65536\n", "kernel log"),
    (
      "nvme 0000:00:06.0 scatter-gather idx 1 P=0x1 D=1 L=1 cln=0x1 DMA_TO_DEVICE "
        + "dma map error check not applicable\n", "dma-api/dump"
    ),
    ("\u{7f}ELF0000000000000", "ELF"),
    ("\u{1}\u{2}\u{3}\u{0}\u{0}\u{1}\u{2}\n", "binary data"),
  ])
  func notATrace(_ text: String, _ word: String) {
    let reading = Reading(text)
    #expect(reading.error?.problem.contains(word) == true, "\(String(describing: reading.error))")
  }

  @Test func compressedInput() {
    // Packed captures are read; these are cut off behind the first bytes.
    for bytes in [[0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]] as [[UInt8]] {
      #expect(Reading(bytes: bytes).error?.problem.contains("cut off at byte 4") == true)
    }
    #expect(Reading(bytes: [0x89, 0x50, 0x4e, 0x47]).error?.problem.contains("PNG") == true)
  }

  @Test func givesUpAfterAMegabyte() {
    let reading = Reading(String(repeating: "no trace\n", count: 300_000) + Self.good)
    #expect(reading.error?.problem.contains("without trace events") == true)
    #expect(reading.events.isEmpty)
  }

  @Test func files() {
    func problem(_ path: String) -> String? {
      do throws(TraceError) {
        _ = try TextTraceReader(path: path)
        return nil
      } catch {
        return error.description
      }
    }
    #expect(problem("/no/such\u{1b}[31m/file")?.contains("no such file") == true)
    #expect(problem("/no/such\u{1b}[31m/file")?.contains("\\x1b[31m") == true)
    #expect(problem("/")?.contains("is a directory") == true)
    #expect(problem("")?.contains("not a file name") == true)
  }
}
