// SPDX-License-Identifier: MIT
import Foundation
import TestSupport
import Testing

/// The monitor in a real terminal, which tmux plays.
@Suite(.serialized) struct MonitorTests {
  private static let capture = "fixtures/kernel/linux-7.3/real-nvme-stack"

  /// Runs the monitor in a terminal of some size, does something and gives what was on the screen
  /// and what the terminal's settings were before and after.
  private static func session(
    _ term: String,
    _ locale: String,
    _ size: String,
    _ steps: String
  ) throws -> (screen: String, isRestored: Bool) {
    let parts = size.split(separator: "x")
    let script = """
      d=$(mktemp -d)
      cat >$d/inner <<EOF
      stty -a >$d/before
      TERM=\(term) LC_ALL=\(locale) SWIFT_BACKTRACE=enable=no dmatop --devices \(capture)/devices.txt \(capture)/trace.txt
      echo status \\$? >$d/status
      stty -a >$d/after
      sleep 5
      EOF
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      t new-session -d -x \(parts[0]) -y \(parts[1]) "bash $d/inner"
      wait_for() { for i in $(seq 300); do t capture-pane -p | grep -q -- "$1" && return; sleep 0.05; done; }
      pid() { pgrep -f "^dmatop --devices \(capture)" -n; }
      wait_for ' replay'
      \(steps)
      for i in $(seq 400); do [ -e $d/after ] && break; sleep 0.05; done
      cmp -s $d/before $d/after && echo restored
      t kill-server 2>/dev/null
      """
    let result = try Program.shell(script)
    let isRestored = result.output.hasSuffix("restored\n")
    return (result.output, isRestored)
  }

  @Test(arguments: [
    ("xterm-256color", "C.UTF-8", "80x24"), ("screen", "C.UTF-8", "200x60"),
    ("linux", "C", "100x30"), ("vt100", "C", "40x10"),
  ])
  func showsMappingsAndErrorsAndGivesTheTerminalBack(
    _ term: String,
    _ locale: String,
    _ size: String
  ) throws {
    let (screen, isRestored) = try Self.session(
      term,
      locale,
      size,
      """
      t capture-pane -p
      t send-keys 2; wait_for MESSAGE; t capture-pane -p
      t send-keys 1; wait_for 'DMA ADDR'
      t send-keys '\\'; t send-keys 'nvme size>=64k' Enter; wait_for 'FILTER nvm'; t capture-pane -p
      t send-keys q
      """
    )
    #expect(isRestored)
    #expect(screen.contains("live 16"))
    #expect(screen.contains("0000:00:1f.2"))
    #expect(screen.contains("device driver frees DMA mem"))
    #expect(screen.contains("FILTER nvm"))
    #expect(!screen.contains("\u{1b}"))
    if locale == "C" { #expect(screen.utf8.allSatisfy { $0 < 0x80 }) }
  }

  @Test(arguments: ["TERM", "INT", "HUP", "SEGV", "ABRT"])
  func aSignalGivesTheTerminalBack(_ signal: String) throws {
    let (_, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "80x24",
      "kill -\(signal) $(pid)"
    )
    #expect(isRestored)
  }

  @Test func resizesDownAndUp() throws {
    let (screen, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "80x24",
      """
      t send-keys r '{' '{' Space; wait_for play
      for size in "20 5" "10 2" "1 1" "300 100" "80 24"; do
        set -- $size; t resize-window -x $1 -y $2; sleep 0.2
        echo "SIZE $size"; t capture-pane -p
      done
      t send-keys Space R; wait_for 'live 16'; wait_for 'F10Quit'; t capture-pane -p; t send-keys q
      """
    )
    #expect(isRestored)
    #expect(screen.contains("live 16"))
    #expect(!screen.contains("\u{1b}"))
    // At 300x100 everything is there.
    let large = screen.split(separator: "\n").drop { $0 != "SIZE 300 100" }.prefix(20)
    #expect(large.contains { $0.contains("MAPPED BY") })
    // At 20x5 it is still a monitor.
    let small = screen.split(separator: "\n").drop { $0 != "SIZE 20 5" }.prefix(6)
    #expect(small.contains { $0.contains("dmatop") })
    #expect(small.contains { $0.contains("live") })
  }

  /// Without IXON off, Ctrl-S stops the terminal.
  @Test func controlSReachesTheProgram() throws {
    let (screen, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "80x24",
      """
      t send-keys C-s; wait_for 'save rows as'; t capture-pane -p; t send-keys Escape; sleep 0.2
      kill -TSTP $(pid); sleep 0.3; kill -CONT $(pid); sleep 0.3
      t send-keys C-s; wait_for 'save rows as'; echo AGAIN; t capture-pane -p; t send-keys Escape; sleep 0.2; t send-keys q
      """
    )
    #expect(isRestored)
    #expect(screen.split(separator: "AGAIN").allSatisfy { $0.contains("save rows as") })
  }

  @Test func theShellStopsItAndBringsItBack() throws {
    let result = try Program.shell(
      """
      d=$(mktemp -d)
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      wait_for() { for i in $(seq 200); do t capture-pane -p | grep -q -- "$1" && return; sleep 0.05; done; }
      t new-session -d -x 100 -y 30 "bash --norc -i"
      t send-keys "PS1='ready> '; stty -a >$d/before; LC_ALL=C.UTF-8 dmatop \(Self.capture)/trace.txt" Enter
      wait_for ' replay'; t send-keys C-z; wait_for 'Stopped'; wait_for 'ready>'
      t send-keys "stty -a >$d/stopped; echo SHELL" Enter; wait_for '^SHELL'; t capture-pane -p
      t send-keys "fg" Enter; wait_for 'DMA ADDR'; t send-keys 2; wait_for MESSAGE; t capture-pane -p
      t send-keys q; wait_for 'ready>'; t send-keys "stty -a >$d/after; echo DONE" Enter
      wait_for '^DONE'; t kill-server
      cmp $d/before $d/stopped && cmp $d/before $d/after && echo RESTORED; rm -rf $d
      """
    )
    #expect(result.output.contains("RESTORED"))
    #expect(result.output.contains("MESSAGE"))
    #expect(!result.output.contains("\u{1b}"))
  }

  @Test func stopsAndGoesOn() throws {
    let (screen, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "80x24",
      """
      kill -TSTP $(pid); sleep 0.3; kill -CONT $(pid); sleep 0.3
      t send-keys 2; wait_for MESSAGE; t capture-pane -p; t send-keys q
      """
    )
    #expect(isRestored)
    #expect(screen.contains("MESSAGE"))
  }

  @Test func travelsInTime() throws {
    let (screen, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "110x30",
      """
      t send-keys r; wait_for 'event 0/323'; echo START; t capture-pane -p | head -2
      t send-keys e; wait_for 'errors 1'; echo ERROR; t capture-pane -p | head -2
      t send-keys T; wait_for 'errors 0'; echo BACK; t capture-pane -p | head -2
      t send-keys b; t send-keys -l '#100'; t send-keys Enter; wait_for 'event 100/323'
      echo JUMP; t capture-pane -p | head -2
      t send-keys . . ,; wait_for 'event 101/323'; echo STEP; t capture-pane -p | head -2
      t send-keys :; t send-keys -l 'end'; t send-keys Enter; wait_for 'event 323 '
      echo END; t capture-pane -p | head -2
      t send-keys 5 j j o; t send-keys -l 'nvme'; t send-keys Enter; wait_for 'what-if'
      echo FILES; t capture-pane -p
      t send-keys 3; wait_for KIND; t send-keys 4; wait_for 'BYTES OVER'; t send-keys 7; wait_for OCCUP
      t send-keys 8; wait_for LIFETIME; t send-keys '?'; wait_for 'any other key closes'; t send-keys x
      t send-keys 1 Enter; wait_for 'history of the address'; echo DETAIL; t capture-pane -p
      t send-keys q; t send-keys r Space; wait_for 'play'; t send-keys Space; t send-keys q
      """
    )
    #expect(isRestored)
    let words = ["START", "ERROR", "BACK", "JUMP", "STEP", "END", "FILES", "DETAIL"]
    var rest = Substring(screen)
    for word in words {
      guard let range = rest.range(of: word + "\n") else {
        Issue.record("no \(word)")
        return
      }
      rest = rest[range.upperBound...]
    }
    #expect(screen.contains("wrote dma-api/driver_filter"))
    #expect(screen.contains("dma_addr  0x6960000"))
  }

  @Test func comparesMomentsAndTakesTheMouse() throws {
    let (screen, isRestored) = try Self.session(
      "xterm-256color",
      "C.UTF-8",
      "110x30",
      """
      t send-keys b; t send-keys -l '#100'; t send-keys Enter; wait_for 'event 100/323'; t send-keys A
      t send-keys b; t send-keys -l '#250'; t send-keys Enter; wait_for 'event 250/323'; t send-keys B
      t send-keys D; wait_for GROWTH; echo DIFFERENCE; t capture-pane -p; t send-keys q
      click() { t send-keys -l "$(printf '\\033[<0;%d;%dM' $1 $2)"; t send-keys -l "$(printf '\\033[<0;%d;%dm' $1 $2)"; }
      click 2 6; wait_for 'event [01]/323'; echo STRIP; t capture-pane -p | head -2
      click 20 7; wait_for RULE; echo TAB; t capture-pane -p | head -9
      t send-keys q
      """
    )
    #expect(isRestored)
    #expect(screen.contains("── A to B: "))
    #expect(screen.contains("STRIP"))
    let tab = screen.split(separator: "\n").drop { $0 != "TAB" }
    #expect(tab.contains { $0.contains("RULE") })
  }

  @Test func aSimulationGoesOnAndCanBePaused() throws {
    let result = try Program.shell(
      """
      d=$(mktemp -d)
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      t new-session -d -x 100 -y 30 "LC_ALL=C.UTF-8 dmatop; echo status $?; sleep 5"
      wait_for() { for i in $(seq 200); do t capture-pane -p | grep -q -- "$1" && return; sleep 0.05; done; }
      wait_for simulation; sleep 0.5; t send-keys Space; wait_for paused; t capture-pane -p
      a=$(t capture-pane -p | grep -o 'time [0-9.]*'); sleep 0.5
      b=$(t capture-pane -p | grep -o 'time [0-9.]*'); test "$a" = "$b" && echo STANDS
      t send-keys T T E; sleep 0.3; t send-keys Space; wait_for simulation; t send-keys q
      wait_for 'status 0'; t capture-pane -p; t kill-server
      """
    )
    #expect(result.output.contains("STANDS"))
    #expect(result.output.contains("status 0"))
  }

  @Test func readsAPipe() throws {
    let result = try Program.shell(
      """
      d=$(mktemp -d)
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      t new-session -d -x 80 -y 24 "cat \(Self.capture)/trace.txt | dmatop -; sleep 5"
      for i in $(seq 100); do t capture-pane -p | grep -q 'replay' && break; sleep 0.05; done
      t capture-pane -p; t send-keys q; t kill-server
      """
    )
    #expect(result.output.contains("live 16"))
    #expect(result.output.contains("standard input"))
  }

  @Test func withoutATerminalItPrintsOneScreen() throws {
    let result = try Program.run([Self.capture + "/trace.txt"], environment: ["COLUMNS": "80"])
    #expect(result.status == 0)
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 25)
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(result.output.contains("live 16"))
    let ascii = try Program.run([Self.capture + "/trace.txt"], environment: ["LC_ALL": "C"])
    #expect(ascii.output.utf8.allSatisfy { $0 < 0x80 })
    let unknown = try Program.run([Self.capture + "/trace.txt"], environment: ["TERM": "nonsense"])
    #expect(unknown.status == 0)
  }
}
