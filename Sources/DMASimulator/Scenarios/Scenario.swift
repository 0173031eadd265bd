// SPDX-License-Identifier: MIT
import DMADebugCore

/// What is simulated: a machine, its devices, who works with them, and what should be found.
public struct Scenario: Sendable {
  /// Something that must be found.
  public struct Expectation: Sendable, Equatable {
    public enum Subject: Sendable, Equatable {
      /// A message of dma-debug, the same call and device counted once.
      case report(Report.Kind)
      /// Something that the machine notices.
      case observation(Observation.Kind)

      /// The name as it is written.
      public var name: String {
        switch self {
        case .report(let kind): kind.name
        case .observation(let kind): kind.rawValue
        }
      }
    }

    public var subject: Subject
    /// The device's name in the scenario; `nil` for any.
    public var device: String?
    /// How often; `nil` for once or more.
    public var count: Int? = 1
    /// Kernels that report it: from this version on, up to before that one.
    public var from: String?
    public var until: String?
    /// Where it stands, from 1.
    public var line: Int
  }

  /// A device and what it is called in the scenario.
  public struct NamedDevice: Sendable, Equatable {
    public var label: String
    public var options: DeviceOptions
    /// Whether its driver is bound before anything runs.
    public var isBound = true

    public init(label: String, options: DeviceOptions, isBound: Bool = true) {
      self.label = label
      self.options = options
      self.isBound = isBound
    }
  }

  /// The name under which it is found.
  public var name: String
  public var title = ""
  /// What it shows, in sentences.
  public var about: [String] = []
  public var machine = MachineOptions()
  /// `kernel`: versions that it is meant for; empty for all.
  public var kernel: String?
  /// Nanoseconds of simulated time that workloads run.
  public var duration: UInt64 = 100_000_000
  public var devices: [NamedDevice] = []
  public var workloads: [WorkloadOptions] = []
  public var faults: [FaultPlan] = []
  public var expectations: [Expectation] = []
  /// The calls, written down.
  var calls: [Statement] = []

  /// Whether there are calls written by hand.
  public var hasCalls: Bool { !calls.isEmpty }

  public init(name: String) {
    self.name = name
  }
}

/// A scenario that cannot be read or run. Line and column count from 1.
public struct ScenarioError: Error, Sendable, CustomStringConvertible {
  public var name: String
  public var line: Int
  public var column: Int
  public var problem: String

  public var description: String {
    column > 0 ? "\(name):\(line):\(column): \(problem)" : "\(name):\(line): \(problem)"
  }
}

/// A statement of hand-written calls.
indirect enum Statement: Sendable {
  case assign(String, Expression, line: Int)
  case call(Expression, line: Int)
  case assertion(Expression, text: String, line: Int)
  case loop(Expression, [Statement], line: Int)
}

/// An expression of hand-written calls.
indirect enum Expression: Sendable {
  case number(UInt64)
  case text(String)
  case name(String, column: Int)
  /// `&name`: where a function leaves a result.
  case out(String, column: Int)
  case call(String, [Expression], column: Int)
  case not(Expression)
  case complement(Expression)
  case negative(Expression)
  case binary(String, Expression, Expression)
}
