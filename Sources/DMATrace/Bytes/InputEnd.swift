// SPDX-License-Identifier: MIT
import Glibc
import Synchronization

/// Ends inputs on request, so that a signal loses nothing of what was read.
///
/// Inputs that are open when the end is requested end as if their writers had closed them: a pipe
/// after the bytes that it holds, a file where reading has come to. This is not damage. Inputs that
/// are opened later are read to their own end.
public enum InputEnd {
  private static let requested = Atomic<Bool>(false)
  private static let cut = Atomic<Bool>(false)
  private static let reader = Atomic<Int32>(-1)
  private static let writer = Atomic<Int32>(-1)

  /// Gets ready for ``request()``. Call it once, before any handler is installed.
  public static func prepare() {
    // Values of a type are made on first use, which must not be in a signal handler.
    _ = (requested.load(ordering: .relaxed), cut.load(ordering: .relaxed))
    var ends: [Int32] = [-1, -1]
    guard reader.load(ordering: .relaxed) < 0, pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    reader.store(ends[0], ordering: .relaxed)
    writer.store(ends[1], ordering: .relaxed)
  }

  /// Ends all open inputs, also one that is being waited for. May be called in a signal handler.
  public static func request() {
    guard !requested.exchange(true, ordering: .sequentiallyConsistent) else { return }
    // Never read: whoever waits for input sees it, now or later.
    var byte: UInt8 = 1
    _ = write(writer.load(ordering: .relaxed), &byte, 1)
  }

  /// Whether the end was requested.
  public static var isRequested: Bool { requested.load(ordering: .acquiring) }

  /// Whether an input ended on request, before its own end.
  public static var hasCutInput: Bool { cut.load(ordering: .relaxed) }

  /// Readable once the end was requested; -1 before ``prepare()``.
  fileprivate static var descriptor: Int32 { reader.load(ordering: .relaxed) }

  /// Tells an input that was open when the end was requested.
  public struct Watch: Sendable {
    private let wasOpen: Bool

    /// Begins to watch; for an input that is opened now.
    public init() { wasOpen = !InputEnd.isRequested }

    /// Whether the input must end now.
    public var isOver: Bool { wasOpen && InputEnd.isRequested }

    /// Whether the input must end now; if so it is noted that it did.
    public func ends() -> Bool {
      guard isOver else { return false }
      InputEnd.cut.store(true, ordering: .relaxed)
      return true
    }

    /// Waits for a descriptor, or for the end of the input.
    ///
    /// - Parameter milliseconds: how long; negative for as long as it takes.
    /// - Returns: whether one of them came.
    func poll(_ descriptor: Int32, _ milliseconds: Int32) -> Bool {
      var requests = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        // Of an input that was opened after the request it would say nothing new.
        pollfd(fd: wasOpen ? InputEnd.descriptor : -1, events: Int16(POLLIN), revents: 0),
      ]
      while true {
        let count = Glibc.poll(&requests, 2, milliseconds)
        if count < 0, errno == EINTR, !isOver { continue }
        return count != 0
      }
    }
  }
}

/// An input that has nothing to read at present.
public struct WaitingInput: Sendable {
  /// What it is, for people, control characters escaped: `standard input (a pipe)`.
  public let description: String
  /// Readable when there is something.
  public let descriptor: Int32
  /// Whether it has given something before.
  public let hasBegun: Bool
  let watch: InputEnd.Watch

  /// Waits for input, or for its end.
  ///
  /// - Parameter milliseconds: how long; negative for as long as it takes.
  /// - Returns: whether there is something to read, or the end.
  public func wait(milliseconds: Int32 = -1) -> Bool { watch.poll(descriptor, milliseconds) }

  private static let standardWaiter = Mutex<(@Sendable (WaitingInput) -> Void)?>(nil)

  /// What is called when an input has nothing to read, and returns when there is something;
  /// `nil` to wait in silence.
  public static var waiter: (@Sendable (WaitingInput) -> Void)? {
    get { standardWaiter.withLock { $0 } }
    set { standardWaiter.withLock { $0 = newValue } }
  }
}
