// SPDX-License-Identifier: MIT
// Shows keys until q. Letters make it end in other ways; the tests press them.
import Glibc
import TerminalKit

func describe(_ wakeup: Wakeup) -> String {
  switch wakeup {
  case .key(let key): "key \(key)"
  case .descriptorReady: "descriptor ready"
  case .timeout: "timeout"
  }
}

func complain(_ text: String) {
  // The variable stderr is not safe in the eyes of Swift 6; the descriptor is.
  _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
}

struct DemoFailure: Error {}

@inline(never)
func overflowStack(_ depth: Int) -> Int {
  withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { bytes in
    bytes.storeBytes(of: depth, as: Int.self)
    return overflowStack(depth + 1) + bytes.load(as: Int.self)
  }
}

/// Ends the process in the way that the pressed letter stands for; false for other letters.
func misbehave(_ letter: Character, _ screen: CursesScreen) throws -> Bool {
  switch letter {
  case "q", "R": return true
  case "E": throw DemoFailure()
  case "T": preconditionFailure("the demo trapped on purpose")
  case "A": abort()
  case "S":
    let nowhere = UnsafeMutablePointer<Int>(bitPattern: 8)
    nowhere?.pointee = 1
  case "O": print(overflowStack(0))
  case "M": screen.reportsMouse.toggle()
  case "B": screen.bell()
  case "W": complain("written to stderr\n")
  default: break
  }
  return false
}

/// Shows keys until the end; whether to begin again.
func show(_ options: TerminalOptions, timeout: Int?) throws -> Bool {
  let session = try TerminalSession(options)
  let screen = session.screen
  var message = "no key yet"
  var history: [String] = []
  while true {
    screen.draw(Scene.frame(size: screen.size, glyphs: screen.glyphs, message: message))
    let wakeup = screen.wait(timeoutMilliseconds: timeout)
    message = describe(wakeup)
    history.append(message)
    if case .key(.quitRequest) = wakeup { break }
    if case .key(.character(let letter)) = wakeup, try misbehave(letter, screen) { break }
  }
  session.close()
  print("closed: \(message)\nhistory: \(history.joined(separator: ", "))")
  return message == describe(.key(.character("R")))
}

var options = TerminalOptions()
var timeout: Int?
for argument in CommandLine.arguments.dropFirst() {
  switch argument {
  case "--ascii": options.characterSet = .ascii
  case "--mouse": options.mouse = true
  case "--tick": timeout = 100
  default: break
  }
}
do {
  while try show(options, timeout: timeout) { continue }
} catch let error as TerminalError {
  complain("demo: \(error)\n")
  exit(2)
} catch {
  complain("demo: failed on purpose\n")
  exit(3)
}
