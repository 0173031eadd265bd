// SPDX-License-Identifier: MIT

/// A screen without a terminal: plays a script of keys and keeps the frames.
public final class VirtualScreen: Screen {
  /// What happens at one call of `wait`.
  public enum Step: Hashable, Sendable {
    case key(Key)
    /// Some characters, one key each.
    case type(String)
    /// Keys that are at hand all together.
    case flood([Key])
    case resize(Size)
    case descriptorReady
    case timeout
  }

  public private(set) var size: Size
  public let glyphs: Glyphs
  public let colorDepth: ColorDepth
  public var reportsMouse = false
  /// All frames, the latest last.
  public private(set) var frames: [CellBuffer] = []
  /// The cursor of the latest frame.
  public private(set) var cursor: Position?
  public private(set) var bellCount = 0
  /// What `wait` was called with, in order.
  public private(set) var timeouts: [Int?] = []
  private var steps: [Step]
  /// The rest of a flood, the next one last.
  private var flood: [Key] = []

  /// A screen that plays `steps`, and asks to quit when they are through.
  public init(
    width: Int = 80,
    height: Int = 24,
    steps: [Step] = [],
    glyphs: Glyphs = .unicode,
    colorDepth: ColorDepth = .twoHundredFiftySix
  ) {
    size = Size(width: width, height: height)
    self.glyphs = glyphs
    self.colorDepth = colorDepth
    // Reversed, to take from the end. Typed text becomes single keys.
    self.steps = steps.flatMap { step -> [Step] in
      guard case .type(let text) = step else { return [step] }
      return text.map { .key(.character($0)) }
    }.reversed()
  }

  /// The latest frame as text; see `CellBuffer.snapshot(styles:)`.
  public func snapshot(styles: Bool = false) -> String {
    frames.last?.snapshot(styles: styles) ?? ""
  }

  public func draw(_ frame: CellBuffer, cursor: Position?) {
    frames.append(frame)
    self.cursor = cursor
  }

  public func wait(timeoutMilliseconds: Int?, descriptor: Int32?) -> Wakeup {
    timeouts.append(timeoutMilliseconds)
    if let key = flood.popLast() { return .key(key) }
    switch steps.popLast() {
    case .key(let key): return .key(key)
    case .flood(let keys):
      flood = keys.reversed()
      return flood.popLast().map { .key($0) } ?? .timeout
    case .resize(let newSize):
      size = newSize
      return .key(.resize)
    case .descriptorReady: return .descriptorReady
    case .timeout: return .timeout
    case .type, nil: return .key(.quitRequest)
    }
  }

  public func keyAtHand() -> Key? { flood.popLast() }

  /// What was copied, in order.
  public private(set) var copies: [String] = []

  public func copy(_ text: String) -> Bool {
    copies.append(text)
    return true
  }

  public func bell() {
    bellCount += 1
  }
}

@available(*, unavailable)
extension VirtualScreen: Sendable {}
