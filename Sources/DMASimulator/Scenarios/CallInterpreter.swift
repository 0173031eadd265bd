// SPDX-License-Identifier: MIT
import DMADebugCore

/// Carries out hand-written calls on a machine.
public struct CallInterpreter {
  /// What a name stands for.
  enum Value {
    case number(UInt64)
    case text(String)
    case device(Device)
    case list(ScatterList)
    case pool(DMAPool)
    case buffer(SharedBuffer)
    case attachment(BufferAttachment)
    case reservation(ReservationObject)
    case fence(Fence)
    case callback(FenceCallback)
    case iova(IOVAState)
    case channel(EngineChannel)
    case descriptor(DMADescriptor)
    /// No object where one was asked for (`NULL`).
    case null
  }

  /// Statements that one scenario may carry out.
  public static let maximumStatements = 5_000_000

  let machine: Machine
  let name: String
  var names: [String: Value] = [:]
  /// Sizes of what was taken with `kmalloc` and the like, by address.
  var sizes: [UInt64: UInt64] = [:]
  var line = 0
  var column = 0
  private var statements = 0
  private let limit: Int
  /// Assertions that did not hold.
  private(set) var broken: [String] = []
  var site: Site?

  init(
    _ machine: Machine,
    name: String,
    devices: [(label: String, device: Device)],
    limit: Int
  ) {
    self.limit = limit
    self.machine = machine
    self.name = name
    for (label, device) in devices { names[label] = .device(device) }
  }

  func failure(_ problem: String) -> ScenarioError {
    ScenarioError(name: name, line: line, column: column, problem: problem)
  }

  mutating func run(_ block: [Statement]) throws(ScenarioError) {
    for statement in block {
      statements += 1
      guard statements <= limit else { throw failure("too many statements") }
      switch statement {
      case .assign(let target, let expression, let line):
        self.line = line
        column = 0
        if case .device = names[target] { throw failure("'\(target)' is a device") }
        names[target] = try evaluate(expression)
      case .call(let expression, let line):
        self.line = line
        column = 0
        _ = try evaluate(expression)
      case .assertion(let expression, let text, let line):
        self.line = line
        column = 0
        if try number(expression) == 0, broken.count < 100 {
          broken.append("\(name):\(line): assert \(text)")
        }
      case .loop(let expression, let body, let line):
        self.line = line
        column = 0
        for _ in 0..<min(try number(expression), UInt64(Self.maximumStatements)) { try run(body) }
      }
    }
  }

  // MARK: Expressions

  mutating func evaluate(_ expression: Expression) throws(ScenarioError) -> Value {
    switch expression {
    case .number(let value): return .number(value)
    case .text(let text): return .text(text)
    case .name(let word, let column):
      if let value = names[word] { return value }
      if let constant = Self.constants[word] { return .number(constant) }
      self.column = column
      throw failure("'\(word)' has no value")
    case .out(_, let column):
      self.column = column
      throw failure("& is for arguments that take a result")
    case .call(let function, let arguments, let column):
      let outer = self.column
      self.column = column
      let value = try call(function, arguments, column)
      self.column = outer
      return value
    case .not(let inner): return .number(try number(inner) == 0 ? 1 : 0)
    case .complement(let inner): return .number(~(try number(inner)))
    case .negative(let inner): return .number(0 &- (try number(inner)))
    case .binary(let sign, let left, let right):
      return .number(try compute(sign, try number(left), try number(right)))
    }
  }

  private func compute(_ sign: String, _ a: UInt64, _ b: UInt64) throws(ScenarioError) -> UInt64 {
    switch sign {
    case "+": return a &+ b
    case "-": return a &- b
    case "*": return a &* b
    case "/", "%":
      guard b != 0 else { throw failure("division by zero") }
      return sign == "/" ? a / b : a % b
    case "&": return a & b
    case "|": return a | b
    case "<<": return a << min(b, 64)
    case ">>": return a >> min(b, 64)
    case "==": return a == b ? 1 : 0
    case "!=": return a != b ? 1 : 0
    case "<": return a < b ? 1 : 0
    case ">": return a > b ? 1 : 0
    case "<=": return a <= b ? 1 : 0
    default: return a >= b ? 1 : 0
    }
  }

  mutating func number(_ expression: Expression) throws(ScenarioError) -> UInt64 {
    switch try evaluate(expression) {
    case .number(let value): return value
    case .null: return 0
    // A list or a pool is something: `assert pool != 0`.
    case .list, .pool, .buffer, .attachment, .reservation, .fence, .callback, .iova, .channel,
      .descriptor:
      return 1
    case .device, .text: throw failure("a number is wanted")
    }
  }

  mutating func device(_ expression: Expression) throws(ScenarioError) -> Device {
    guard case .device(let device) = try evaluate(expression) else {
      throw failure("a device is wanted")
    }
    return device
  }

  mutating func list(_ expression: Expression) throws(ScenarioError) -> ScatterList {
    guard case .list(let list) = try evaluate(expression) else {
      throw failure("a scatterlist is wanted: sg_alloc_table() makes one")
    }
    return list
  }

  mutating func pool(_ expression: Expression) throws(ScenarioError) -> DMAPool {
    guard case .pool(let pool) = try evaluate(expression) else {
      throw failure("a pool is wanted: dma_pool_create() makes one")
    }
    return pool
  }

  mutating func text(_ expression: Expression) throws(ScenarioError) -> String {
    guard case .text(let text) = try evaluate(expression) else { throw failure("a text is wanted") }
    return text
  }

  mutating func direction(_ expression: Expression) throws(ScenarioError) -> Direction {
    guard let direction = Direction(rawValue: UInt8(truncatingIfNeeded: try number(expression)))
    else {
      throw failure("a direction is wanted: DMA_TO_DEVICE")
    }
    return direction
  }

  mutating func attributes(_ expression: Expression) throws(ScenarioError) -> DMAAttributes {
    DMAAttributes(rawValue: UInt32(truncatingIfNeeded: try number(expression)))
  }

  /// Leaves a result behind `&name`.
  mutating func set(_ expression: Expression, _ value: UInt64) throws(ScenarioError) {
    try set(expression, to: .number(value))
  }

  /// Leaves an object behind `&name`.
  mutating func set(_ expression: Expression, to value: Value) throws(ScenarioError) {
    guard case .out(let name, let column) = expression else {
      throw failure("&name is wanted, for a result")
    }
    if case .device = names[name] {
      self.column = column
      throw failure("'\(name)' is a device")
    }
    names[name] = value
  }

  static let constants: [String: UInt64] = {
    var all: [String: UInt64] = [
      "DMA_MAPPING_ERROR": .max, "PAGE_SIZE": 4096, "NULL": 0, "GFP_KERNEL": 0, "GFP_ATOMIC": 0,
      "GFP_DMA32": 1, "EIO": 5, "ENOMEM": 12, "EBUSY": 16, "EINVAL": 22, "ENXIO": 6, "ENOENT": 2,
      "EBADF": 9, "EDEADLK": 35, "EOVERFLOW": 75, "EADDRINUSE": 98, "EALREADY": 114,
      "MAX_SCHEDULE_TIMEOUT": Machine.endless / 1000, "DMA_RESV_USAGE_KERNEL": 0,
      "DMA_RESV_USAGE_WRITE": 1, "DMA_RESV_USAGE_READ": 2, "DMA_RESV_USAGE_BOOKKEEP": 3,
      "DMA_COMPLETE": 0, "DMA_IN_PROGRESS": 1, "DMA_PAUSED": 2, "DMA_ERROR": 3,
      "device_registers": Machine.deviceMemory.lowerBound,
    ]
    for direction in Direction.allCases {
      all[direction.kernelName.description] = UInt64(direction.rawValue)
    }
    for (name, flag) in DMAAttributes.traceNames {
      all["DMA_ATTR_" + name.description] = UInt64(flag.rawValue)
    }
    return all
  }()
}
