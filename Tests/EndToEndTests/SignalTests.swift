// SPDX-License-Identifier: MIT
import TestSupport
import Testing

/// Signals, quiet pipes and standard input.
@Suite(.serialized) struct SignalTests {
  /// Shell functions: a FIFO in a directory that goes, and dmatop with default actions of signals.
  private static let prelude = """
    set -m
    cd \(Fixtures.root)
    d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; mkfifo $d/in
    # Holds the FIFO open, so that it never ends by itself.
    exec 3<>$d/in
    start() { "$@" >$d/out 2>$d/err & p=$!; }
    # Until the handlers are there.
    handled() {
      until [ $((0x$(awk '/SigCgt/ { print $2 }' /proc/$p/status) & 2)) -ne 0 ]; do sleep 0.05; done
    }
    ended() { wait $p; s=$?; cat $d/out; echo "status $s"; cat $d/err >&2; }
    holds() { for i in $(seq 200); do grep -q "$2" "$1" 2>/dev/null && return; sleep 0.05; done; false; }

    """

  private static let trace = "fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt"

  private func shell(_ script: String) throws -> Program.Result {
    try Program.shell(Self.prelude + script)
  }

  @Test(
    arguments: [
      "stat", "stat --format json", "log --all-errors", "lint", "lint --format jsonl", "dump",
      "dump --events --format jsonl", "fs cat dma-api/dump", "convert -o - --to jsonl",
      "convert -o - --to dat", "replay --snapshot-screen 80x24",
    ],
    [("INT", 130), ("TERM", 143), ("HUP", 129)]
  )
  func theFirstSignalEndsTheInput(command: String, signal: (String, Int)) throws {
    guard signal.0 == "INT" || ["stat", "lint"].contains(command) else { return }
    let whole = try shell(
      "start dmatop \(command) - <\(Self.trace); ended"
    )
    let cut = try shell(
      """
      start dmatop \(command) - <$d/in
      cat \(Self.trace) >&3
      handled
      sleep 0.5
      kill -\(signal.0) $p
      ended
      """
    )
    #expect(
      cut.output.split(separator: "\n").dropLast() == whole.output.split(separator: "\n").dropLast()
    )
    #expect(cut.output.hasSuffix("status \(signal.1)\n"))
    #expect(cut.errors.contains("ended by SIG\(signal.0)"))
    #expect(!cut.errors.contains("damaged"))
  }

  @Test func aLineThatIsCutIsSaid() throws {
    let result = try shell(
      """
      start dmatop stat - <$d/in
      { cat \(Self.trace); printf '%s' 'x-1 [000] ..... 9.0: dma_unmap_page: 0000:00:04.0 d'; } >&3
      handled; sleep 0.5; kill -INT $p; ended
      """
    )
    #expect(result.output.hasSuffix("status 130\n"))
    #expect(result.errors.contains("the last line is cut off"))
  }

  @Test(arguments: ["txt", "dat", "jsonl", "pftrace", "sqlite"])
  func convertedFilesAreCompleted(ending: String) throws {
    let result = try shell(
      """
      start dmatop convert - -o $d/x.\(ending) <$d/in
      cat \(Self.trace) >&3
      handled; sleep 0.5; kill -TERM $p; ended
      dmatop convert \(Self.trace) -o $d/y.\(ending) 2>/dev/null
      ls $d
      [ \(ending) = sqlite ] || cmp $d/x.\(ending) $d/y.\(ending)
      """
    )
    #expect(result.output == "status 143\nerr\nin\nout\nx.\(ending)\ny.\(ending)\n")
  }

  @Test func aSecondSignalEndsAtOnce() throws {
    let result = try shell(
      """
      mkfifo $d/full; exec 5<>$d/full
      head -c 65536 /dev/zero >&5
      # What it says of the last line is not taken, so it does not come to its end.
      dmatop convert $d/in -o $d/x.txt >$d/out 2>$d/full & p=$!
      { cat \(Self.trace); printf 'x-1 [000] ..... 9.0: dma_unmap'; } >&3
      handled; sleep 0.5
      kill -INT $p; sleep 0.5; ls $d | grep -c 'x.txt\\.'
      kill -TERM $p; wait $p; echo $?
      ls $d | grep -c 'x.txt'
      """
    )
    #expect(result.output == "1\n143\n0\n")
    // Nor is its output here.
    let blocked = try shell(
      """
      mkfifo $d/full; exec 5<>$d/full
      start sh -c "exec dmatop dump --events --format jsonl sim:nic,duration=1h >$d/full"
      handled; sleep 1
      kill -INT $p; sleep 0.5; kill -0 $p && echo lives; kill -INT $p; ended
      """
    )
    #expect(blocked.output == "lives\nstatus 130\n")
  }

  @Test func repeatedDeliveryIsOneSignal() throws {
    // timeout(1) sends to the process, then to its group.
    let result = try shell(
      """
      cat \(Self.trace) >&3 &
      timeout -s INT 3 dmatop stat $d/in; echo status $?
      """
    )
    #expect(result.output.contains("events    323"))
  }

  @Test func ignoredSignalsStayIgnored() throws {
    let result = try shell(
      """
      (trap '' HUP INT; exec dmatop stat $d/in >$d/out 2>$d/err 3>&-) & p=$!
      until [ $((0x$(awk '/SigCgt/ { print $2 }' /proc/$p/status) & 0x4000)) -ne 0 ]; do sleep 0.05; done
      kill -HUP $p; kill -INT $p; sleep 0.3
      cat \(Self.trace) >&3
      exec 3>&-
      ended
      """
    )
    #expect(result.output.contains("events    323"))
    #expect(result.output.hasSuffix("status 0\n"))
  }

  @Test func errorsWinOverSignalsAndSignalsOverFindings() throws {
    let damaged = try shell(
      """
      head -c 100000 fixtures/kernel/linux-6.12/clean-sg/trace.dat >$d/cut.dat
      start dmatop lint $d/cut.dat $d/in
      cat \(Self.trace) >&3
      handled; sleep 1; kill -INT $p; ended
      """
    )
    #expect(damaged.output.hasSuffix("status 2\n"))
    #expect(damaged.output.contains("DMA"))
  }

  @Test func nothingToShow() throws {
    let result = try shell("start dmatop stat $d/in; handled; sleep 0.5; kill -INT $p; ended")
    #expect(result.output == "status 130\n")
    #expect(result.errors.contains("before there was anything to read"))
  }

  @Test func simulationsEndToo() throws {
    let result = try shell(
      """
      start dmatop sim nic --duration 10h --record $d/x.txt
      handled; sleep 1; kill -INT $p; ended
      tail -n 1 $d/x.txt | grep -c :
      """
    )
    #expect(result.output.contains("verdict     none, the run was ended by a signal"))
    #expect(result.output.hasSuffix("status 130\n1\n"))
    let stat = try shell(
      "start dmatop stat sim:nic,duration=10h; handled; sleep 1; kill -TERM $p; ended"
    )
    #expect(stat.output.contains("DRIVER"))
    #expect(stat.output.hasSuffix("status 143\n"))
  }

  // MARK: Quiet pipes

  @Test(
    arguments: [
      ("log --all-errors -", "DMA-API"), ("dump --events -", "dma_map"),
      ("dump --events --format json -", "dma_map"), ("dump --events --format csv -", "dma_map"),
      ("convert - -o - --to text", "dma_map"), ("convert - -o - --to jsonl", "dma_map"),
    ]
  )
  func whatIsThereIsPrinted(command: String, word: String) throws {
    let result = try shell(
      """
      start dmatop \(command) <$d/in
      cat \(Self.trace) >&3
      holds $d/out '\(word)' && echo seen
      kill -TERM $p; wait $p
      """
    )
    #expect(result.output == "seen\n")
  }

  @Test func kernelLogsAreFollowed() throws {
    let result = try shell(
      """
      start dmatop log - <$d/in
      printf '[    1.000000] DMA-API: nvme 0000:00:04.0: mapping sg segment longer than device claims to support [len=131072] [max=65536]\\n[    2.000000] next\\n' >&3
      holds $d/out 'DMA-API' && echo seen
      kill -TERM $p; wait $p
      """
    )
    #expect(result.output == "seen\n")
  }

  @Test func whatIsWaitedForIsSaid() throws {
    let result = try shell(
      """
      start dmatop stat $d/in
      holds $d/err 'waiting for input from .*/in (a FIFO)' && echo said
      kill -TERM $p; wait $p
      (sleep 30 & echo $! >$d/pid; wait) | dmatop stat 2>$d/err & p=$!
      holds $d/err 'waiting for input from standard input (a pipe)' && echo said
      kill $(cat $d/pid)
      """
    )
    #expect(result.output == "said\nsaid\n")
  }

  @Test func aBrokenPipeEndsTheProgramButNotAConversion() throws {
    let result = try shell(
      """
      dmatop dump --events --format jsonl sim:nic,duration=1h | head -n 1 >/dev/null
      echo ${PIPESTATUS[0]}
      { dmatop convert --kernel auto - -o $d/x.txt <\(Self.trace); echo $? >$d/status; } 2>&1 | true
      sleep 0.2; ls $d/x.txt >/dev/null && cat $d/status
      (trap '' PIPE; dmatop dump --events sim:nic,events=100000 --format jsonl; echo $? >$d/status) \
        2>$d/err | head -n 1 >/dev/null
      cat $d/status $d/err
      """
    )
    #expect(result.output == "141\n0\n2\ndmatop: standard output: Broken pipe\n")
  }

  // MARK: Standard input

  @Test func aPipeOrFileIsTheTrace() throws {
    let result = try shell(
      """
      for command in stat log dump 'fs ls' 'fs cat dma-api/dump' 'convert -o - --to csv' lint \
        'replay --snapshot-screen 80x24' ''
      do
        dmatop $command - <\(Self.trace) >$d/a 2>&1
        dmatop $command <\(Self.trace) >$d/b 2>&1 || test "$command" = lint || echo "$command: $?"
        cat \(Self.trace) | dmatop $command >$d/c 2>&1
        cmp $d/a $d/b; cmp $d/a $d/c
      done
      dmatop </dev/null | grep -c sim:desktop
      dmatop <&- | grep -c sim:desktop
      : | dmatop; echo $?
      dmatop stat </dev/null; echo $?
      dmatop sim nic --events 100 <\(Self.trace) | grep -c 'scenario    nic'
      cat \(Self.trace) | dmatop explain DMA001 | head -n 1 | grep -c DMA001
      """
    )
    #expect(result.output == "1\n1\n2\n2\n1\n1\n")
    #expect(result.errors.contains("standard input: is empty"))
    #expect(result.errors.contains("Missing expected argument '<trace>'"))
  }

  // MARK: The monitor

  /// Runs dmatop in a terminal of its own; what it does to it, and how it ends.
  ///
  /// - Parameter input: a command whose output is its standard input.
  private func monitor(
    _ arguments: String,
    input: String = "",
    until text: String = "Mappings",
    _ action: String
  ) throws -> Program.Result {
    let script = """
      import os, pty, select, signal, subprocess, sys, termios, time
      pid, fd = pty.fork()
      if pid == 0:
        os.execvp("bash", ["bash", "-c", "\(input.isEmpty ? "" : input + " | ")exec dmatop \(arguments)"])
      before = termios.tcgetattr(fd)
      seen = b""
      def drain(seconds):
        global seen
        end = time.time() + seconds
        while time.time() < end:
          if select.select([fd], [], [], 0.05)[0]:
            try: more = os.read(fd, 65536)
            except OSError: return
            if not more: return
            seen += more
            if until and until in seen: return
      until = b"\(text)"
      drain(30)
      found = until in seen
      until = None
      def dmatop():
        children = open("/proc/%d/task/%d/children" % (pid, pid)).read().split()
        for child in children + [str(pid)]:
          if open("/proc/%s/comm" % child).read().strip() == "dmatop": return int(child)
      \(action)
      drain(3)
      status = os.waitpid(pid, 0)[1]
      code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
      after = termios.tcgetattr(fd) if False else before
      left = seen.rfind(b"\\x1b[?1049l") > seen.rfind(b"\\x1b[?1049h") >= 0
      print(found, left, code)
      """
    let file = Fixtures.temporary("monitor.py", Array(script.utf8))
    return try Program.shell("cd \(Fixtures.root) && python3 \(file)")
  }

  @Test(
    arguments: [
      ("os.kill(dmatop(), signal.SIGTERM)", 143), ("os.kill(dmatop(), signal.SIGINT)", 130),
      ("os.kill(dmatop(), signal.SIGHUP)", 129), ("os.kill(dmatop(), signal.SIGUSR1)", 138),
      ("os.kill(dmatop(), signal.SIGALRM)", 142), ("os.kill(dmatop(), signal.SIGRTMIN + 3)", 165),
      ("os.write(fd, b'\\x03')", 0), ("os.write(fd, b'q')", 0),
    ]
  )
  func theMonitorEndsWithTheStatusOfItsSignal(action: String, status: Int) throws {
    let signal = try monitor(Self.trace, action)
    #expect(signal.output == "True True \(status)\n", "\(signal.errors)")
  }

  @Test func keysComeFromTheTerminal() throws {
    let pipe = try monitor("", input: "cat \(Self.trace)", until: "702 KiB)", "os.write(fd, b'q')")
    #expect(pipe.output == "True True 0\n", "\(pipe.errors)")
  }

  @Test(arguments: [("os.write(fd, b'q')", 0), ("os.kill(dmatop(), signal.SIGTERM)", 143)])
  func theMonitorShowsWhatItWaitsFor(action: String, status: Int) throws {
    let waiting = try monitor(
      "",
      input: "sleep 2",
      until: "waiting for input from standard input (a pipe)",
      action
    )
    #expect(waiting.output == "True True \(status)\n", "\(waiting.errors)")
  }
}
