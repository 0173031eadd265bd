// SPDX-License-Identifier: MIT
import DMAReplay
import Glibc
import TerminalKit
import TestSupport
import Testing

@testable import DMAExport
@testable import DMAMonitor
@testable import dmatop

/// Settings, keys and sessions.
@Suite struct SettingsTests {
  private func read(_ text: String) throws -> SettingsReader {
    var reader = SettingsReader()
    try reader.read(text, name: "config.toml")
    return reader
  }

  private func problem(_ text: String) -> String {
    do {
      _ = try read(text)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test func takesWhatAFileSays() throws {
    let reader = try read(
      """
      theme = "mono"
      mouse = false
      frames_per_second = 12
      checkpoint_megabytes = 64
      [columns]
      mappings = ["device", "size", "age"]
      [keys]
      preset = "vim"
      tree = ["F9", "Ctrl-t"]
      filter = "f"
      """
    )
    let settings = reader.settings
    #expect(settings.theme == .mono)
    #expect(!settings.mouse)
    #expect(settings.framesPerSecond == 12)
    #expect(settings.checkpointMegabytes == 64)
    #expect(settings.columns == ["device", "size", "age_ns"])
    #expect(reader.warnings.isEmpty)
    let map = settings.keyMap
    #expect(map.action(.function(9)) == .tree)
    #expect(map.action(.control("t")) == .tree)
    #expect(map.action(.function(5)) == nil)
    #expect(map.action(.character("f")) == .filter)
    #expect(map.action(.character("h")) == .left)
    #expect(reader.description.contains("theme = \"mono\"  # config.toml"))
    #expect(reader.description.contains("header = \"full\"  # standard"))
    // What is printed can be read again, and says the same.
    #expect(try read(reader.description).settings.keyMap == map)
  }

  @Test func namesWhatItDoesNotKnow() throws {
    let reader = try read("\ncolour = 3\n[keys]\nfly = \"x\"\n[columns]\nerrors = [\"a\"]\n")
    #expect(reader.warnings.count == 3)
    #expect(
      reader.warnings.contains { $0.hasPrefix("config.toml:2: there is no setting 'colour'") }
    )
    #expect(reader.warnings.contains { $0.hasPrefix("config.toml:4: there is no action 'fly'") })
  }

  @Test func refusesWhatCannotBe() {
    #expect(problem("theme = \n").hasPrefix("config.toml:1: "))
    #expect(problem("theme = \"pink\"").contains("config.toml:1: theme is one of default"))
    #expect(problem("mouse = 3").contains("mouse is one of true, false"))
    #expect(problem("frames_per_second = 1000").contains("frames_per_second"))
    #expect(problem("[keys]\ntree = \"Ctrl-c\"").contains("'Ctrl-c' is no key that can be bound"))
    #expect(problem("[keys]\ntree = 3").contains("wants a key"))
    #expect(problem("keys = 1").contains("is a table"))
    #expect(problem("[columns]\nmappings = [\"x\"]").contains("wants a list of driver"))
    let conflict = problem("[keys]\nfilter = \"F4\"\n\nsearch = [\"/\", \"F4\"]\n")
    #expect(
      conflict == "config.toml: keys.filter (line 2) and keys.search (line 4) both want F4"
    )
  }

  @Test func whatTheSetupScreenSavesIsReadBack() throws {
    var settings = MonitorSettings()
    for item in MonitorSettings.Item.allCases { settings.change(item, by: 1) }
    let again = try read(settings.toml)
    #expect(again.settings == settings)
    #expect(again.warnings.isEmpty)
  }

  @Test(arguments: KeyMap.Preset.allCases)
  func everyPresetLeavesWhatMattersInReach(_ preset: KeyMap.Preset) {
    let map = KeyMap(preset)
    for action in [
      MonitorAction.help, .quit, .back, .palette, .up, .down, .open, .filter, .search, .pause,
      .nextChange, .previousChange, .nextError, .goTo, .mappings, .stats, .setup, .save,
    ] {
      #expect(!map.keys(action).isEmpty, "\(action)")
      for key in map.keys(action) { #expect(map.action(key) == action) }
    }
    // Names are read as they are written.
    for action in MonitorAction.allCases {
      for key in map.keys(action) { #expect(KeyName.key(KeyName.name(key)) == key) }
    }
  }

  @Test func aSessionComesBack() throws {
    let result = try Program.shell(
      """
      export XDG_STATE_HOME=$(mktemp -d) XDG_CONFIG_HOME=$(mktemp -d)
      cp fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt $XDG_STATE_HOME/t.txt
      cd $XDG_STATE_HOME; d=$(mktemp -d)
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      open() { t new-session -d -x 100 -y 30 "LC_ALL=C.UTF-8 dmatop $1 t.txt; sleep 5"; }
      wait_for() { for i in $(seq 200); do t capture-pane -p | grep -q -- "$1" && return; sleep 0.05; done; }
      open; wait_for ' replay'; t send-keys b; t send-keys -l '#77'; t send-keys Enter
      wait_for 'event 77/'; t send-keys 4; wait_for PEAK
      t send-keys '\\'; t send-keys -l ahci; t send-keys Enter; wait_for FILTER
      t send-keys q; sleep 0.5; t kill-server
      ls dmatop/sessions | wc -l; ls -l dmatop/sessions | cut -c1-10 | tail -1
      open; wait_for 'event 77/'; echo AGAIN; t capture-pane -p; t send-keys q; sleep 0.3; t kill-server
      open --no-session; wait_for ' replay'; echo FRESH; t capture-pane -p; t send-keys q; t kill-server
      echo >>t.txt; open; wait_for ' replay'; echo OTHER; t capture-pane -p; t send-keys q; t kill-server
      rm -rf $XDG_STATE_HOME $XDG_CONFIG_HOME $d
      """
    )
    let parts = result.output.split(separator: "\n")
    #expect(parts.first == "1")
    #expect(parts.dropFirst().first == "-rw-------")
    func part(_ name: String) -> String {
      let rest = result.output.split(separator: "\n", omittingEmptySubsequences: false)
      let start = rest.firstIndex { $0 == name } ?? 0
      return rest[start...].prefix(20).joined(separator: "\n")
    }
    #expect(part("AGAIN").contains("event 77/323"))
    #expect(part("AGAIN").contains("FILTER ahci"))
    #expect(part("FRESH").contains("event 323"))
    #expect(!part("FRESH").contains("FILTER"))
    #expect(!part("OTHER").contains("FILTER"))
  }

  @Test func theProgramReadsAndSavesSettings() throws {
    let home = Fixtures.temporaryDirectory()
    let environment = ["XDG_CONFIG_HOME": home]
    let result = try Program.shell(
      """
      d=$(mktemp -d)
      t() { tmux -L $(basename $d) -f /dev/null "$@"; }
      wait_for() { for i in $(seq 200); do t capture-pane -p | grep -q -- "$1" && return; sleep 0.05; done; }
      t new-session -d -x 100 -y 30 "LC_ALL=C.UTF-8 dmatop fixtures/kernel/linux-7.3/real-nvme-stack/trace.txt; sleep 5"
      wait_for ' replay'; t send-keys F2; wait_for 'keys.preset'; t send-keys Right F12; wait_for saved
      t send-keys Escape q; sleep 0.3; t kill-server; rm -rf $d
      cat $XDG_CONFIG_HOME/dmatop/setup.toml
      dmatop replay --print-config | head -1
      mkdir -p $XDG_CONFIG_HOME/dmatop; echo 'nonsense = 1' >$XDG_CONFIG_HOME/dmatop/config.toml
      dmatop replay --print-config | head -1
      echo 'theme = "pink"' >$XDG_CONFIG_HOME/dmatop/config.toml
      dmatop replay --print-config; echo status $?
      dmatop replay --no-config --print-config | head -1
      dmatop replay --config /nowhere --print-config; echo status $?
      """,
      environment: environment
    )
    #expect(result.output.contains("theme = \"light\"\n"))
    #expect(result.output.contains("theme = \"light\"  # \(home)/dmatop/setup.toml"))
    #expect(result.output.contains("theme = \"default\"  # standard"))
    #expect(result.output.contains("status 2"))
    #expect(result.errors.contains("config.toml:1: theme is one of"))
    #expect(result.errors.contains("/nowhere: there is no such file"))
  }

  // MARK: What stands where a file should be

  /// Something that is not a regular file of a sane size, made at a path.
  private static let obstacles = ["mkfifo", "mkdir", "ln -s /dev/zero", "truncate -s 8G"]

  @Test(arguments: obstacles)
  func settingsAreReadFromRegularFilesOnly(_ obstacle: String) throws {
    for name in ["config.toml", "setup.toml"] {
      let home = Fixtures.temporaryDirectory()
      let result = try Program.shell(
        "mkdir $HOME/dmatop; \(obstacle) $HOME/dmatop/\(name); timeout 10 dmatop --print-config",
        environment: ["HOME": home, "XDG_CONFIG_HOME": home]
      )
      #expect(result.status == 2)
      #expect(
        result.errors.contains(
          "\(name): "
            + (obstacle.hasPrefix("truncate") ? "larger than 1 MiB" : "not a regular file")
        )
      )
    }
  }

  @Test(arguments: obstacles)
  func lintReadsSettingsFromRegularFilesOnly(_ obstacle: String) throws {
    let result = try Program.shell(
      """
      trace=$PWD/fixtures/rules/DMA001.bad.txt; cd $HOME; \(obstacle) dmatop.toml
      timeout 10 dmatop lint $trace
      """
    )
    #expect(result.status == 2)
    #expect(result.errors.contains("dmatop.toml: "))
  }

  @Test(arguments: obstacles)
  func aSessionIsReadFromARegularFileOnly(_ obstacle: String) throws {
    let directory = Fixtures.temporaryDirectory()
    let path = Fixtures.root + "/fixtures/rules/DMA001.bad.txt"
    let timeline = try Timeline(ReplayArguments.reader(path), options: ReplayOptions())
    var state = MonitorState(path: path, moment: .end, timeline: timeline)
    while !state.isDone { state.advance(limit: .max) }
    let session = Session(trace: path, in: directory)
    session.save(state)
    let name = try #require(Fixtures.list(directory).first)
    session.restore(&state)
    #expect(state.message == nil)
    system("cd \(directory) && rm \(name) && \(obstacle) \(name)")
    session.restore(&state)
    #expect(state.message?.contains("session not restored") == true)
    // Writing waits for nobody either.
    if obstacle != "truncate -s 8G" {
      session.save(state)
      session.restore(&state)
      #expect(state.message?.contains("session not restored") == true)
    }
  }

  /// What a session says of marks is not believed.
  @Test func marksOfASessionMayBeAnyNumbers() throws {
    let a = MonitorState.TimeMark(event: .max, time: .max, live: .min, errors: .max)
    let b = MonitorState.TimeMark(event: 0, time: 0, live: .max, errors: 0)
    let path = Fixtures.root + "/fixtures/rules/DMA001.bad.txt"
    let timeline = try Timeline(ReplayArguments.reader(path), options: ReplayOptions())
    var state = MonitorState(path: path, moment: .end, timeline: timeline)
    while !state.isDone { state.advance(limit: .max) }
    for (first, second) in [(a, b), (b, a), (a, a)] {
      state.markA = first
      state.markB = second
      #expect(state.deltas() != nil)
      state.compareMarks()
      _ = MonitorView(glyphs: .unicode).frame(&state, width: 100, height: 30)
    }
  }

  @Test func historyIsTheSettingOfTheFile() throws {
    let result = try Program.shell(
      """
      dmatop replay --no-config --history 64M --print-config | grep megabytes
      dmatop replay --no-config --history 1.5GiB --print-config | grep megabytes
      dmatop replay --no-config --print-config | grep megabytes
      for size in 8k 15M 128G 3x -- ''; do
        dmatop replay --no-config --history "$size" --print-config >/dev/null 2>&1; echo $?
      done | sort | uniq -c | tr -s ' '
      """
    )
    #expect(
      result.output == """
        checkpoint_megabytes = 64  # command line
        checkpoint_megabytes = 1536  # command line
        checkpoint_megabytes = 256  # standard
         6 2

        """
    )
  }
}
