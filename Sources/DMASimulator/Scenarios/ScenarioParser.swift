// SPDX-License-Identifier: MIT
import DMADebugCore

/// Reads the text of a scenario; see docs/SCENARIOS.md.
struct ScenarioParser {
  /// The most that is read.
  static let maximumBytes = 1 << 20

  private var scenario: Scenario
  private var lines: [Substring]
  private var index = 0

  init(_ text: String, name: String) {
    scenario = Scenario(name: name)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.last == "\r" ? $0.dropLast() : $0
    }
  }

  private func failure(_ problem: String, column: Int = 0) -> ScenarioError {
    ScenarioError(name: scenario.name, line: index + 1, column: column, problem: problem)
  }

  /// A word of a line and where it begins, from 1.
  private struct Word {
    var text: Substring
    var column: Int

    /// `key=value`
    var pair: (key: String, value: String)? {
      guard let equals = text.firstIndex(of: "=") else { return nil }
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
  }

  private func words(_ line: Substring) -> [Word] {
    let content = line.prefix { $0 != "#" }
    return content.split { $0 == " " || $0 == "\t" }.map {
      Word(text: $0, column: line.distance(from: line.startIndex, to: $0.startIndex) + 1)
    }
  }

  mutating func parse() throws(ScenarioError) -> Scenario {
    while index < lines.count {
      let words = words(lines[index])
      if let first = words.first { try directive(first, Array(words.dropFirst())) }
      index += 1
    }
    try check()
    return scenario
  }

  private mutating func directive(_ word: Word, _ rest: [Word]) throws(ScenarioError) {
    switch word.text {
    case "title": scenario.title = text(after: "title")
    case "about": scenario.about.append(text(after: "about"))
    case "kernel": try kernel(rest, word)
    case "seed": scenario.machine.seed = try single(rest, word)
    case "duration":
      guard let first = rest.first, rest.count == 1, let time = Self.duration(first.text) else {
        throw failure(
          "duration wants a time: 100ms, 2s, 500us",
          column: rest.first?.column ?? word.column
        )
      }
      scenario.duration = time
    case "machine": try machine(rest)
    case "device": try device(rest, word)
    case "workload": try workload(rest, word)
    case "fault": try fault(rest, word)
    case "expect": try expectation(rest, word)
    case "calls": try calls()
    default:
      throw failure(
        "'\(word.text)' is none of title, about, kernel, seed, duration, machine, device, workload,"
          + " fault, expect, calls",
        column: word.column
      )
    }
  }

  private func text(after keyword: String) -> String {
    let line = lines[index].drop { $0 == " " || $0 == "\t" }.dropFirst(keyword.count)
    return String(line.drop { $0 == " " || $0 == "\t" })
  }

  private func single(_ rest: [Word], _ word: Word) throws(ScenarioError) -> UInt64 {
    guard rest.count == 1, let value = Self.number(rest[0].text) else {
      throw failure("\(word.text) wants a number", column: rest.first?.column ?? word.column)
    }
    return value
  }

  private mutating func kernel(_ rest: [Word], _ word: Word) throws(ScenarioError) {
    guard rest.count == 1, let generation = KernelGeneration(version: rest[0].text) else {
      throw failure(
        "kernel wants a version from 6.12 on",
        column: rest.first?.column ?? word.column
      )
    }
    scenario.kernel = String(rest[0].text)
    scenario.machine.generation = generation
  }

  private mutating func machine(_ rest: [Word]) throws(ScenarioError) {
    for word in rest {
      guard let (key, value) = word.pair else {
        throw failure("'\(word.text)' is no key=value", column: word.column)
      }
      switch key {
      case "memory", "high", "swiotlb":
        guard let bytes = Self.number(value), bytes % (4 << 20) == 0, bytes <= 3 << 30 else {
          throw failure(
            "\(key)= wants bytes, a multiple of 4M and at most 3G: 256M",
            column: word.column
          )
        }
        switch key {
        case "memory":
          guard bytes >= 64 << 20 else {
            throw failure("memory= wants 64M at least", column: word.column)
          }
          scenario.machine.lowMemory = bytes
        case "high": scenario.machine.highMemory = bytes
        default:
          guard bytes <= 64 << 20 else {
            throw failure("swiotlb= takes 64M at most", column: word.column)
          }
          scenario.machine.swiotlbSize = bytes
        }
      case "cpus":
        guard let count = Int(value), (1...256).contains(count) else {
          throw failure("cpus= wants 1 to 256", column: word.column)
        }
        scenario.machine.cpus = count
      case "coherent": scenario.machine.isCoherent = try boolean(value, word)
      case "confidential": scenario.machine.isConfidential = try boolean(value, word)
      default:
        throw failure(
          "'\(key)' is none of memory, high, swiotlb, cpus, coherent, confidential",
          column: word.column
        )
      }
    }
  }

  private func boolean(_ value: String, _ word: Word) throws(ScenarioError) -> Bool {
    switch value {
    case "yes": return true
    case "no": return false
    default: throw failure("yes or no", column: word.column)
    }
  }

  private mutating func device(_ rest: [Word], _ word: Word) throws(ScenarioError) {
    guard let label = rest.first, label.pair == nil else {
      throw failure("device wants a name: device nic0 driver=igb", column: word.column)
    }
    guard Self.isName(label.text) else {
      throw failure("'\(label.text)' is no name", column: label.column)
    }
    if scenario.devices.contains(where: { $0.label == label.text }) {
      throw failure("there is a device '\(label.text)' already", column: label.column)
    }
    let number = String(scenario.devices.count + 1, radix: 16)
    let bus = number.count < 2 ? "0" + number : number
    var options = DeviceOptions(name: "0000:\(bus):00.0", driver: String(label.text))
    var isBound = true
    for word in rest.dropFirst() {
      guard let (key, value) = word.pair else {
        throw failure("'\(word.text)' is no key=value", column: word.column)
      }
      switch key {
      case "name", "bus", "driver":
        let isPlain = value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
        guard !value.isEmpty, value.utf8.count <= 64, isPlain else {
          throw failure("\(key)= wants up to 64 printable characters", column: word.column)
        }
        if key == "name" {
          options.name = value
        } else if key == "bus" {
          options.bus = value
        } else {
          options.driver = value
        }
      case "backend":
        guard let backend = DeviceOptions.Backend(rawValue: value) else {
          throw failure("backend= is direct, swiotlb, iommu or ops", column: word.column)
        }
        options.backend = backend
      case "address-bits", "mask", "coherent-mask":
        guard let bits = Int(value), (24...64).contains(bits) else {
          throw failure("\(key)= wants 24 to 64 bits", column: word.column)
        }
        if key == "address-bits" {
          options.addressBits = bits
        } else if key == "mask" {
          options.maskBits = bits
        } else {
          options.coherentMaskBits = bits
        }
      case "bus-limit", "max-seg", "boundary":
        guard let number = Self.number(value) else {
          throw failure("\(key)= wants a number", column: word.column)
        }
        if key == "bus-limit" {
          options.busLimit = number
        } else if key == "max-seg" {
          options.maximumSegmentSize = number
        } else {
          options.segmentBoundary = number
        }
      case "coherent": options.isCoherent = try boolean(value, word)
      case "bind": isBound = try boolean(value, word)
      default:
        throw failure(
          "'\(key)' is none of name, bus, driver, backend, address-bits, mask, coherent-mask,"
            + " bus-limit, max-seg, boundary, coherent, bind",
          column: word.column
        )
      }
    }
    if scenario.devices.contains(where: { $0.options.name == options.name }) {
      throw failure("there is a device named '\(options.name)' already", column: label.column)
    }
    scenario.devices.append(
      Scenario.NamedDevice(label: String(label.text), options: options, isBound: isBound)
    )
  }

  private func known(_ label: some StringProtocol, _ word: Word) throws(ScenarioError) -> String {
    guard let device = scenario.devices.first(where: { $0.label == label }) else {
      throw failure("there is no device '\(label)' above", column: word.column)
    }
    return device.options.name
  }

  private mutating func workload(_ rest: [Word], _ word: Word) throws(ScenarioError) {
    guard let first = rest.first, let kind = WorkloadOptions.Kind(rawValue: String(first.text))
    else {
      throw failure(
        "workload is nic, nvme, usb, audio, virtio, camera, gpu or dmaengine",
        column: rest.first?.column ?? word.column
      )
    }
    var options = WorkloadOptions(kind, device: "")
    for word in rest.dropFirst() {
      guard let (key, value) = word.pair else {
        throw failure("'\(word.text)' is no key=value", column: word.column)
      }
      if key == "device" {
        options.device = try known(value, word)
      } else if key == "encoder" {
        options.encoder = try known(value, word)
      } else if key == "display" {
        options.display = try known(value, word)
      } else if key == "controller" {
        options.controller = try known(value, word)
      } else if let problem = options.set(key, value) {
        throw failure(problem, column: word.column)
      }
    }
    guard !options.device.isEmpty else {
      throw failure("workload wants device=", column: first.column)
    }
    if scenario.workloads.contains(where: { $0.device == options.device }) {
      throw failure("the device has a workload already", column: first.column)
    }
    scenario.workloads.append(options)
  }

  private mutating func fault(_ rest: [Word], _ word: Word) throws(ScenarioError) {
    guard let first = rest.first, let plans = FaultPlan.parse(first.text) else {
      throw failure(
        "fault wants a name with a rate: unmap-size@0.001; 'dmatop sim --list-faults' has them",
        column: rest.first?.column ?? word.column
      )
    }
    var device: String?
    for word in rest.dropFirst() {
      guard let (key, value) = word.pair, key == "device" else {
        throw failure("only device= may follow", column: word.column)
      }
      device = try known(value, word)
    }
    scenario.faults += plans.map { FaultPlan($0.fault, perMillion: $0.perMillion, device: device) }
  }

  private mutating func expectation(_ rest: [Word], _ word: Word) throws(ScenarioError) {
    guard let first = rest.first, let subject = Self.subject(first.text) else {
      throw failure(
        "expect wants the name of a finding, such as free-size or stale-cpu-read",
        column: rest.first?.column ?? word.column
      )
    }
    var expectation = Scenario.Expectation(subject: subject, line: index + 1)
    for word in rest.dropFirst() {
      guard let (key, value) = word.pair else {
        expectation.device = try known(word.text, word)
        continue
      }
      switch key {
      case "count":
        if value == "*" {
          expectation.count = nil
        } else if let count = Int(value), count >= 0 {
          expectation.count = count
        } else {
          throw failure("count= wants a number or *", column: word.column)
        }
      case "from", "until":
        guard KernelGeneration(version: value) != nil else {
          throw failure("\(key)= wants a kernel version", column: word.column)
        }
        if key == "from" { expectation.from = value } else { expectation.until = value }
      default: throw failure("'\(key)' is none of count, from, until", column: word.column)
      }
    }
    scenario.expectations.append(expectation)
  }

  private static func subject(_ name: Substring) -> Scenario.Expectation.Subject? {
    if let kind = Report.Kind.allCases.first(where: { $0.name == name }) { return .report(kind) }
    return Observation.Kind(rawValue: String(name)).map { .observation($0) }
  }

  // MARK: Calls

  private mutating func calls() throws(ScenarioError) {
    guard scenario.calls.isEmpty else { throw failure("there are calls already") }
    let start = index
    index += 1
    scenario.calls = try block(depth: 0)
    if index >= lines.count {
      index = start
      throw failure("calls without end", column: 1)
    }
  }

  private static let maximumDepth = 8

  private mutating func block(depth: Int) throws(ScenarioError) -> [Statement] {
    guard depth < Self.maximumDepth else { throw failure("too many loops in each other") }
    var statements: [Statement] = []
    while index < lines.count {
      var parser = CallParser(lines[index], name: scenario.name, line: index + 1)
      switch try parser.parse() {
      case .nothing: break
      case .end: return statements
      case .statement(let statement): statements.append(statement)
      case .loop(let count):
        let line = index + 1
        index += 1
        let body = try block(depth: depth + 1)
        if index >= lines.count {
          index = line - 1
          throw failure("repeat without end", column: 1)
        }
        statements.append(.loop(count, body, line: line))
      }
      index += 1
    }
    return statements
  }

  private mutating func check() throws(ScenarioError) {
    index = max(0, lines.count - 1)
    if scenario.devices.isEmpty { throw failure("a scenario needs a device") }
    if scenario.workloads.isEmpty, scenario.calls.isEmpty {
      throw failure("a scenario needs a workload or calls")
    }
    if scenario.machine.isCoherent, scenario.devices.contains(where: { !$0.options.isCoherent }) {
      scenario.machine.isCoherent = false
    }
  }

  // MARK: Values

  static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, first == 0x5f || first | 0x20 >= 0x61 && first | 0x20 <= 0x7a
    else { return false }
    return text.utf8.allSatisfy {
      $0 == 0x5f || $0 >= 0x30 && $0 <= 0x39 || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a
    }
  }

  /// `4096`, `0x1000`, `64K`, `16M`, `2G`
  static func number(_ text: some StringProtocol) -> UInt64? {
    var digits = Substring(String(text))
    if digits.hasPrefix("0x") { return UInt64(digits.dropFirst(2), radix: 16) }
    var shift: UInt64 = 0
    switch digits.last {
    case "K", "k": shift = 10
    case "M": shift = 20
    case "G": shift = 30
    default: break
    }
    if shift > 0 { digits.removeLast() }
    guard let first = digits.first, first.isASCII, first.isNumber, let value = UInt64(digits) else {
      return nil
    }
    return value <= .max >> shift ? value << shift : nil
  }

  /// `2s`, `100ms`, `500us`, `5m`, `1h`, in nanoseconds; at most a day.
  static func duration(_ text: some StringProtocol) -> UInt64? {
    let text = String(text)
    let units: [(String, UInt64)] = [
      ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
      ("h", 3_600_000_000_000),
    ]
    for (unit, factor) in units
    where text.hasSuffix(unit) {
      guard let value = Double(text.dropLast(unit.count)), value >= 0,
        value * Double(factor) <= 86_400e9
      else { return nil }
      // Time is in whole microseconds.
      return UInt64(value * Double(factor)) / 1000 * 1000
    }
    return nil
  }
}

extension WorkloadOptions {
  /// Sets an option by its name.
  ///
  /// - Returns: what is wrong, `nil` when nothing is.
  public mutating func set(_ key: String, _ value: String) -> String? {
    switch key {
    case "rate":
      guard let rate = ScenarioParser.number(value), (1...10_000_000).contains(rate) else {
        return "rate= wants 1 to 10000000 operations in a second"
      }
      self.rate = rate
    case "depth":
      guard let depth = Int(value), (1...4096).contains(depth) else {
        return "depth= wants 1 to 4096"
      }
      self.depth = depth
    case "size":
      guard let size = ScenarioParser.number(value), size <= 1 << 20 else {
        return "size= wants at most 1M"
      }
      self.size = size
    case "mode":
      guard let mode = Mode(rawValue: value) else { return "mode= is map, recycle, xdp or jumbo" }
      self.mode = mode
    default:
      return "'\(key)' is none of device, rate, depth, size, mode, encoder, display, controller"
    }
    return nil
  }
}

extension Scenario {
  /// Nanoseconds of `2s`, `100ms` or `500us`, whole microseconds and at most a day.
  public static func duration(_ text: some StringProtocol) -> UInt64? {
    ScenarioParser.duration(text)
  }

  /// Reads a scenario.
  ///
  /// - Parameters:
  ///   - text: at most 1 MiB.
  ///   - name: what errors call it.
  /// - Throws: ``ScenarioError`` with line and column.
  public init(text: String, name: String) throws(ScenarioError) {
    guard text.utf8.count <= ScenarioParser.maximumBytes else {
      throw ScenarioError(name: name, line: 1, column: 0, problem: "is longer than 1 MiB")
    }
    var parser = ScenarioParser(text, name: name)
    self = try parser.parse()
  }
}
