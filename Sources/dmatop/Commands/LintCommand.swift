// SPDX-License-Identifier: MIT
import ArgumentParser
import DMADebugCore
import DMAExport
import DMALint
import DMAMonitor
import DMAReplay
import DMATrace
import Glibc

extension Severity: ExpressibleByArgument {}
extension ReportFormat: ExpressibleByArgument {}

/// `dmatop lint`
struct LintCommand: FileCommand {
  /// The least severity that makes the exit status 1.
  enum FailLevel: String, ExpressibleByArgument, CaseIterable {
    case error
    case warning
    case note
    case never

    func isReached(by severity: Severity) -> Bool {
      Severity(rawValue: rawValue).map { severity >= $0 } ?? false
    }
  }

  enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto
    case always
    case never

    /// The option goes before the environment, and that before what standard output is.
    var isOn: Bool {
      func isSet(_ name: String) -> Bool { getenv(name).map { $0.pointee != 0 } ?? false }
      switch self {
      case .always: return true
      case .never: return false
      case .auto:
        if isSet("NO_COLOR") { return false }
        if isSet("CLICOLOR_FORCE") || isSet("FORCE_COLOR") { return true }
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        return isatty(STDOUT_FILENO) == 1 && !isDumb
      }
    }
  }

  /// `FORMAT=PATH`
  struct ReportTarget: ExpressibleByArgument {
    let format: ReportFormat
    let path: String

    init?(argument: String) {
      let parts = argument.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let format = ReportFormat(rawValue: String(parts[0])) else {
        return nil
      }
      self.format = format
      path = String(parts[1])
    }
  }

  /// `RULE=LEVEL`
  struct LevelChange: ExpressibleByArgument {
    let selector: String
    let level: LintConfiguration.Level

    init?(argument: String) {
      let parts = argument.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, LintConfiguration.isSelector(String(parts[0])),
        let level = LintConfiguration.Level(rawValue: String(parts[1]))
      else { return nil }
      selector = String(parts[0])
      self.level = level
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract:
      "Check traces and kernel logs: what is proved to be wrong is a finding, what cannot be seen is not.",
    discussion: """
      Exit status: 0 nothing at or above --fail-on, 1 findings, 2 something could not be read.
      A dmatop.toml in this directory or above says what a project wants.

      Examples:
        dmatop lint --devices devices.txt --format json trace.txt
        dmatop lint dmesg.txt
        dmatop lint --merge trace.txt dmesg.txt
        dmatop lint --exit-zero --statistics --report sarif=out.sarif trace.txt
      """
  )

  @Argument(
    help:
      "Traces, kernel logs and dumps: files, FIFOs, directories, or - for standard input. A pipe or file on standard input needs no name."
  )
  var traces: [String] = []

  @OptionGroup var replay: ReplayArguments

  @Option(
    help:
      "text, concise, json, jsonl, sarif, junit, ktap, gitlab, github, checkstyle, markdown or html; text unless the environment variable DMATOP_FORMAT says otherwise."
  )
  var format: ReportFormat?

  @Option(
    help: ArgumentHelp(
      "Write a report to a file, too; may be given several times.",
      valueName: "format=path"
    )
  )
  var report: [ReportTarget] = []

  @Option(help: ArgumentHelp("Exit with 1 from this severity on.", valueName: "level"))
  var failOn: FailLevel?

  @Flag(help: "Exit with 0 in spite of findings.")
  var exitZero = false

  @Option(help: ArgumentHelp("Only these rules: ids, names, DMA1, ALL.", valueName: "rules"))
  var select: [String] = []

  @Option(help: ArgumentHelp("These rules as well.", valueName: "rules"))
  var extendSelect: [String] = []

  @Option(help: ArgumentHelp("Not these rules.", valueName: "rules"))
  var ignore: [String] = []

  @Option(
    help: ArgumentHelp("Another severity: error, warning, note or off.", valueName: "rule=level")
  )
  var severity: [LevelChange] = []

  @Option(
    help: ArgumentHelp(
      "Settings: this file, not dmatop.toml. So does the environment variable DMATOP_CONFIG.",
      valueName: "file"
    )
  )
  var config: String?

  @Flag(help: "No settings from any file.")
  var isolated = false

  @Flag(help: "Print the settings, and where each comes from; end.")
  var showSettings = false

  @Option(help: ArgumentHelp("Findings that are known and allowed.", valueName: "file"))
  var baseline: String?

  @Option(help: ArgumentHelp("Write what is found as a baseline; end with 0.", valueName: "file"))
  var writeBaseline: String?

  @Flag(help: "Take out of --baseline what is no longer found; nothing is added.")
  var pruneBaseline = false

  @Flag(help: "Entries of the baseline that are no longer found make the exit status 1.")
  var strictBaseline = false

  @Flag(
    help: ArgumentHelp(
      "The trace and the kernel log that are given are of one run: faults and messages of the log are"
        + " looked up in the trace."
    )
  )
  var merge = false

  @Flag(help: "How many findings of each rule and driver there are.")
  var statistics = false

  @Option(help: ArgumentHelp("What to call standard input in reports.", valueName: "name"))
  var stdinName = "<stdin>"

  @Option(help: ArgumentHelp("Set before paths in reports for machines.", valueName: "path"))
  var pathPrefix = ""

  @Option(help: ArgumentHelp("Part of the id of the run in SARIF.", valueName: "name"))
  var category = ""

  @Option(help: ArgumentHelp("The date for suppressions that expire.", visibility: .hidden))
  var today: String?

  @Option(
    help: ArgumentHelp(
      "Colours: auto, always or never. NO_COLOR goes before CLICOLOR_FORCE and FORCE_COLOR.",
      valueName: "when"
    )
  )
  var color = ColorChoice.auto

  @Flag(name: .shortAndLong, help: "No summary.")
  var quiet = false

  // MARK: Running

  /// The format of standard output.
  private var shownFormat: ReportFormat {
    format ?? LintSettings.variable("DMATOP_FORMAT").flatMap { ReportFormat(rawValue: $0) } ?? .text
  }

  func validate() throws {
    if format == nil, let name = LintSettings.variable("DMATOP_FORMAT"),
      ReportFormat(rawValue: name) == nil
    {
      throw ValidationError("DMATOP_FORMAT names no format: '\(String(escaping: name.utf8))'.")
    }
  }

  func files() -> RunFiles {
    var files = RunFiles(
      reading: traces + replay.files + [config ?? LintSettings.variable("DMATOP_CONFIG")]
    )
    files.read(baseline)
    for target in report { files.write(target.path) }
    files.write(writeBaseline, replacing: baseline)
    return files
  }

  /// What is read beside what the command line names: settings that were found, what they name, and
  /// the captures of directories.
  private func files(_ settings: LintConfiguration, _ captures: [String]) -> RunFiles {
    let known = baseline ?? settings.baseline
    var files = RunFiles(reading: captures + replay.files + [configurationPath, known])
    for target in report { files.write(target.path) }
    files.write(writeBaseline, replacing: known)
    return files
  }

  func run() throws {
    let settings = try settings()
    if showSettings { return show(settings) }
    guard !inputs.isEmpty else {
      throw CommandError("lint wants a trace: a file, a directory, or - for standard input")
    }
    if pruneBaseline, baseline == nil, settings.baseline == nil {
      throw CommandError("--prune-baseline wants --baseline FILE")
    }
    var results: [LintResult] = []
    var context = ReportContext()
    context.pathPrefix = pathPrefix
    context.category = category
    context.rules = Rule.all.map { ($0, settings.level($0)) }
    let paths = try captures()
    try files(settings, paths).check()
    if merge { try checkMerge(paths) }
    for path in merge ? Array(paths.prefix(1)) : paths {
      if InputEnd.hasCutInput {
        StandardError.write("dmatop: \(displayName(path)): not read, a signal came before")
        continue
      }
      do {
        let found = try merge ? lintRun(paths, settings) : lint(path, settings)
        for var result in found {
          addEvidence(&result, result.path == stdinName ? "-" : result.path)
          results.append(result)
        }
      } catch let error as TraceError {
        StandardError.write("dmatop: \(error.description)")
        if error.isInterruption { continue }
        context.failures.append((path, error.description))
      }
    }
    if let writeBaseline {
      try write(Baseline(results), to: writeBaseline)
      if !context.failures.isEmpty { throw ExitCode(2) }
      return
    }
    let stale = try applyBaseline(&results, settings)
    if !results.isEmpty {
      let used = results.reduce(into: Set<Int>()) { $0.formUnion($1.usedSuppressions) }
      results[0].findings += settings.notes(used: used, stale: stale, path: results[0].path)
    }
    context.summary = LintResult.summary(results)
    try writeReports(results, context)
    let level = failOn ?? settings.failOn.flatMap { FailLevel(rawValue: $0) } ?? .error
    if !context.failures.isEmpty { throw ExitCode(2) }
    let isReached = results.contains { result in
      result.findings.contains { $0.isOpen && level.isReached(by: $0.severity) }
    }
    if isReached || strictBaseline && !stale.isEmpty, !exitZero { throw ExitCode(1) }
  }

  /// What was named, or else what comes in.
  private var inputs: [String] {
    traces.isEmpty && StandardInput.isCapture ? ["-"] : traces
  }

  /// How the names of captures end in a directory.
  private static let suffixes = [".txt", ".trace", ".log", ".dat", ".data", ".gz", ".zst"]

  /// The captures: of a directory all that look like traces, in the order of their names.
  private func captures() throws -> [String] {
    try inputs.flatMap { path -> [String] in
      var status = stat()
      guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
        !PerfDirectory.isOne(path)
      else { return [path] }
      guard let directory = opendir(path) else {
        throw CommandError("\(displayName(path)): \(String(cString: strerror(errno)))")
      }
      defer { closedir(directory) }
      var found: [String] = []
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        let isTrace = Self.suffixes.contains { name.hasSuffix($0) }
        if isTrace, !name.hasPrefix(".") { found.append(path + "/" + name) }
      }
      guard !found.isEmpty else {
        throw CommandError(
          "\(displayName(path)): no files that end in \(Self.suffixes.joined(separator: ", "))"
        )
      }
      return found.sorted()
    }
  }

  /// The name of a capture in reports.
  private func name(_ path: String) -> String { path == "-" ? stdinName : path }

  private func lint(_ path: String, _ settings: LintConfiguration) throws -> [LintResult] {
    if !replay.with.isEmpty { return try lintRun([path], settings) }
    if try SimulationOptions.simulation(path: path) != nil {
      return try lint(Run(replay: replay.open(path), captures: [path]), settings)
    }
    var result: LintResult
    switch try Capture.open(path) {
    case .trace(let reader):
      return try lint(Run(replay: replay.open(reader), captures: [path]), settings)
    case .dump(let dump):
      _ = try replay.options()
      replay.report.say(path, dump)
      result = .linted(dump, name: name(path))
    case .log(var reader):
      _ = try replay.options()
      var progress = Progress(path: path)
      result = try LintResult.linted(&reader, name: name(path)) { _, reader in
        progress.update(reader.progress)
      }
      progress.clear()
      replay.report.say(path, log: result.summary)
    }
    result.configure(settings)
    return [result]
  }

  private static let mergeError = CommandError(
    "--merge takes captures of one run: one trace or several, and a kernel log or none"
  )

  private func checkMerge(_ paths: [String]) throws {
    guard paths.count + replay.with.count >= 2 else { throw Self.mergeError }
  }

  /// Lints traces and a kernel log as one capture.
  private func lintRun(_ paths: [String], _ settings: LintConfiguration) throws -> [LintResult] {
    guard let run = try replay.openRun(paths + replay.with, name: name) else {
      throw Self.mergeError
    }
    return try lint(run, settings)
  }

  /// Lints a run that has not begun.
  private func lint(_ run: Run, _ settings: LintConfiguration) throws -> [LintResult] {
    var replay = run.replay
    let names = run.captures.map { name($0) }
    var session = LintSession(
      &replay,
      captures: names,
      settings,
      invocation: Invocation(
        captures: names + (run.log.map { [$0.path] } ?? []),
        options: self.replay.repeated + settingsOptions
      ),
      log: run.log,
      drawsCharts: formats.contains(.html)
    )
    let shown = run.captures.joined(separator: ", ")
    try replay.run(shown, to: .end, self.replay.report) { replay, event in
      session.observe(&replay, event)
    }
    var results = session.finish(&replay)
    for index in results.traces.indices {
      results.traces[index].summary = self.replay.report.judge(results.traces[index].summary)
    }
    if let log = results.log { self.replay.report.say(log.path, log: log.summary) }
    if let doubt = results.doubt {
      StandardError.write("dmatop: \(displayName(shown)): \(doubt)")
    }
    return results.traces + (results.log.map { [$0] } ?? [])
  }

  /// The options of `dmatop replay` that lead to the same settings.
  private var settingsOptions: [Invocation.Option] {
    (config.map { [.init("--lint-config", $0)] } ?? []) + (isolated ? [.init("--isolated")] : [])
  }

  /// All formats that are written.
  private var formats: Set<ReportFormat> { Set(report.map(\.format) + [shownFormat]) }

  private func addEvidence(_ result: inout LintResult, _ path: String) {
    if formats.contains(.text) { Excerpts.addLines(&result, path: path) }
    if result.kind == .trace, formats.contains(.sarif) || formats.contains(.html) {
      Excerpts.addSyncs(&result, path: path)
    }
  }

  private func writeReports(_ results: [LintResult], _ context: ReportContext) throws {
    for target in report { try write(target.format.render(results, context), to: target.path) }
    var output = BufferedOutput()
    if shownFormat == .text {
      output.write(ReportFormat.text(results), isColored: color.isOn)
    } else {
      output.write(bytes: shownFormat.render(results, context))
    }
    let tail = (statistics ? statisticsLines(results) : "") + (quiet ? "" : context.summary + "\n")
    if shownFormat == .text {
      output.write(tail)
    } else if !tail.isEmpty {
      StandardError.write(String(tail.dropLast()))
    }
    output.flush()
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try OutputFile(path)
    try file.write(bytes)
    try file.commit()
  }

  private func statisticsLines(_ results: [LintResult]) -> String {
    var counts: [String: Int] = [:]
    for finding in results.flatMap(\.findings) where finding.isOpen {
      counts["\(finding.rule.id) \(finding.rule.name)", default: 0] += 1
      if let driver = finding.driver { counts["driver \(driver)", default: 0] += 1 }
    }
    return counts.sorted { $0.key < $1.key }.map { name, count in
      let digits = String(count)
      return String(repeating: " ", count: max(0, 6 - digits.count)) + digits + "  "
        + String(escaping: name.utf8) + "\n"
    }.joined()
  }

  // MARK: Settings and baseline

  private var todaysDate: String {
    if let today { return today }
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
  }

  /// The file of settings; `nil` when there is none.
  private var configurationPath: String? {
    LintSettings.path(config, isolated: isolated)
  }

  private func settings() throws -> LintConfiguration {
    var settings = try LintSettings.read(config, isolated: isolated)
    settings.today = todaysDate
    func rules(_ words: [String], _ option: String) throws -> [String] {
      let names = words.flatMap { $0.split(separator: ",").map(String.init) }
      for name in names where !LintConfiguration.isSelector(name) {
        throw CommandError("--\(option): '\(String(escaping: name.utf8))' is no rule")
      }
      return names
    }
    let command = "command line"
    if !select.isEmpty {
      settings.select = try rules(select, "select")
      settings.origins["select"] = command
    }
    settings.select += try rules(extendSelect, "extend-select")
    if !ignore.isEmpty {
      settings.ignore += try rules(ignore, "ignore")
      settings.origins["ignore"] = command
    }
    if !severity.isEmpty {
      settings.levels += severity.map { ($0.selector, $0.level) }
      settings.origins["severity"] = command
    }
    return settings
  }

  private func show(_ settings: LintConfiguration) {
    func origin(_ key: String) -> String { "  # \(settings.origins[key] ?? "standard")\n" }
    func list(_ words: [String]) -> String {
      "[" + words.map { Self.quoted($0) }.joined(separator: ", ") + "]"
    }
    var text = "select = \(list(settings.select))" + origin("select")
    text += "ignore = \(list(settings.ignore))" + origin("ignore")
    text += "fail-on = \"\(failOn?.rawValue ?? settings.failOn ?? "error")\"" + origin("fail-on")
    text += "leak-minimum = \(settings.leakMinimum)" + origin("leak-minimum")
    if let baseline = settings.baseline {
      text += "baseline = \(Self.quoted(baseline))" + origin("baseline")
    }
    for suppression in settings.suppressions {
      text += "# suppress \(String(escaping: suppression.description.utf8))\n"
    }
    text += "\n[severity]" + origin("severity")
    for rule in Rule.all { text += "\(rule.id) = \"\(settings.level(rule).rawValue)\"\n" }
    StandardOutput.write(text)
  }

  /// A string of TOML.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" {
        quoted += "\\\(scalar)"
      } else if scalar.isHarmful {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        quoted += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
      } else {
        quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  private func write(_ baseline: Baseline, to path: String) throws {
    try write(baseline.text, to: path)
    StandardError.write("dmatop: \(baseline.count) entries in \(displayName(path))")
  }

  /// - Returns: entries of the baseline that were not found.
  private func applyBaseline(
    _ results: inout [LintResult],
    _ settings: LintConfiguration
  ) throws -> [String] {
    guard let path = baseline ?? settings.baseline else { return [] }
    do {
      let known = try Baseline(try FileBytes.read(path, limit: 64 << 20), name: displayName(path))
      let stale = known.apply(&results)
      if pruneBaseline {
        try write(known.pruned(by: results), to: path)
        return []
      }
      return stale
    } catch let problem as Baseline.Problem {
      throw CommandError(problem.description)
    }
  }
}
