// SPDX-License-Identifier: MIT
import ArgumentParser
import DMAExport
import DMAMonitor
import DMATrace
import Glibc
import Synchronization

/// SIGINT, SIGTERM and SIGHUP: the first one ends the input, so that what was read is not lost; a
/// second one ends the program at once. The monitor has handlers of its own.
enum EndSignals {
  private static let names: KeyValuePairs = [
    SIGINT: "SIGINT", SIGTERM: "SIGTERM", SIGHUP: "SIGHUP",
  ]
  /// A signal that comes so soon after the first one is the same wish: timeout(1) sends to the
  /// process and then to its group.
  private static let echo = 250_000_000
  private static let first = Atomic<Int32>(0)
  private static let firstTime = Atomic<Int>(0)

  /// Installs the handlers. Signals that are ignored stay so: nohup means it.
  static func install() {
    InputEnd.prepare()
    DraftRemoval.prepare()
    _ = first.load(ordering: .relaxed) + Int32(firstTime.load(ordering: .relaxed))
    for (number, _) in names { set(number) { EndSignals.handle($0) } }
    set(SIGPIPE) { EndSignals.handleBrokenPipe($0) }
  }

  /// Gives the signals their standard actions back.
  static func remove() {
    for number in names.map(\.key) + [SIGPIPE] where !isIgnored(number) { signal(number, SIG_DFL) }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  private static func set(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
    guard !isIgnored(number) else { return }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    // What waits for input is woken through InputEnd, so nothing else need be interrupted.
    action.sa_flags = SA_RESTART
    for (number, _) in names { sigaddset(&action.sa_mask, number) }
    sigaction(number, &action, nil)
  }

  // MARK: Handlers

  private static func handle(_ number: Int32) {
    let code = errno
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = time.tv_sec * 1_000_000_000 + time.tv_nsec
    if first.load(ordering: .relaxed) == 0 {
      firstTime.store(now, ordering: .relaxed)
      first.store(number, ordering: .relaxed)
      InputEnd.request()
    } else if now - firstTime.load(ordering: .relaxed) > echo {
      end(by: number)
    }
    errno = code
  }

  private static func handleBrokenPipe(_ number: Int32) {
    // Nobody reads what is said; the result may still go somewhere.
    if !StandardError.isWriting { end(by: number) }
  }

  private static func end(by number: Int32) {
    DraftRemoval.removeAll()
    signal(number, SIG_DFL)
    raise(number)
  }

  // MARK: The end

  /// Ends the program. Signals win over success and findings, but not over errors.
  ///
  /// - Parameter isInterrupted: the input ended before there was anything to show.
  static func exit(_ status: Int32, isInterrupted: Bool = false) -> Never {
    let number = first.load(ordering: .relaxed)
    guard number != 0, status != 2 || isInterrupted else { Glibc.exit(status) }
    if InputEnd.hasCutInput, !isInterrupted {
      let name = names.first { $0.key == number }?.value ?? ""
      StandardError.write("dmatop: ended by \(name): the result covers what was read until then")
    }
    Glibc.exit(Self.status(of: number))
  }

  /// The exit status of a program that a signal has ended, as shells count it.
  static func status(of number: Int32) -> Int32 { 128 + number }
}

extension MonitorLauncher {
  /// Makes the terminal the monitor's before anything is read: signals end the program then, not its
  /// input.
  ///
  /// - Returns: what shows what is waited for; to be closed before the monitor runs.
  func takeOver() -> WaitingScreen {
    EndSignals.remove()
    return waitingScreen { signal in
      Glibc.exit(signal.map { EndSignals.status(of: $0) } ?? 0)
    }
  }

  /// Runs the monitor.
  ///
  /// - Throws: `ExitCode` when a signal ended it.
  func runMonitor(_ state: MonitorState, session: Session?) throws {
    if let signal = try open(state, session: session) {
      throw ExitCode(EndSignals.status(of: signal))
    }
  }
}
