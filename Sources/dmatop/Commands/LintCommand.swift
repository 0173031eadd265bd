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

  /// A variable of the environment; empty ones count as not set.
  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The format of standard output.
  private var shownFormat: ReportFormat {
    format ?? Self.variable("DMATOP_FORMAT").flatMap { ReportFormat(rawValue: $0) } ?? .text
  }

  func validate() throws {
    if format == nil, let name = Self.variable("DMATOP_FORMAT"), ReportFormat(rawValue: name) == nil
    {
      throw ValidationError("DMATOP_FORMAT names no format: '\(String(escaping: name.utf8))'.")
    }
  }

  func files() -> RunFiles {
    var files = RunFiles(
      reading: traces + replay.files + [config ?? Self.variable("DMATOP_CONFIG")]
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
    var used: Set<Int> = []
    let paths = try captures()
    try files(settings, paths).check()
    if merge { try checkMerge(paths) }
    for path in merge ? Array(paths.prefix(1)) : paths {
      if InputEnd.hasCutInput {
        StandardError.write("dmatop: \(displayName(path)): not read, a signal came before")
        continue
      }
      do {
        for var result in try merge ? lintMerged(paths, settings) : [lint(path, settings)] {
          result.configure(settings, today: todaysDate, used: &used)
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
    addNotes(&results, settings, used, stale)
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
        !CaptureInput.isPerfDirectory(path)
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

  private func lint(_ path: String, _ settings: LintConfiguration) throws -> LintResult {
    let name = path == "-" ? stdinName : path
    if try SimulationOptions.simulation(path: path) != nil {
      return try lint(replay.open(path), path, name, settings).0
    }
    switch try Capture(path: path) {
    case .trace(let reader): return try lint(replay.open(reader), path, name, settings).0
    case .dump(let dump):
      _ = try replay.options()
      replay.report.say(path, dump)
      return .linted(dump, name: name)
    case .log(var reader):
      _ = try replay.options()
      var progress = Progress(path: path)
      let result = try LintResult.linted(&reader, name: name) { _, reader in
        progress.update(reader.progress)
      }
      progress.clear()
      replay.report.say(path, log: result.summary)
      return result
    }
  }

  /// Lints a replay that has not begun.
  ///
  /// - Parameter join: a kernel log of the same run.
  private func lint(
    _ opened: Replay,
    _ path: String,
    _ name: String,
    _ settings: LintConfiguration,
    join: LogJoin? = nil
  ) throws -> (LintResult, log: LintResult?) {
    var replay = opened
    var options = Judge.Options()
    options.alignment = UInt64(self.replay.dmaAlignment)
    options.leakMinimum = settings.leakMinimum
    options.joinsLog = join != nil
    var run = LintRun(
      &replay,
      name: name,
      options: options,
      drawsCharts: formats.contains(.html),
      join: join
    )
    try replay.run(path, to: .end, self.replay.report) { replay, event in
      run.observe(replay, event)
    }
    var result = run.finish(replay, name: name)
    result.summary = self.replay.report.judge(result.summary)
    let log = run.finishLog(replay, &result)
    if let log { self.replay.report.say(log.path, log: log.summary) }
    if let doubt = run.doubt(replay.summary) {
      StandardError.write("dmatop: \(displayName(path)): \(doubt)")
    }
    return (result, log)
  }

  private func checkMerge(_ paths: [String]) throws {
    guard paths.count >= 2 else { throw Self.mergeError }
  }

  private static let mergeError = CommandError(
    "--merge takes captures of one run: one trace or several, and a kernel log or none"
  )

  /// Lints traces and a kernel log as one capture.
  private func lintMerged(_ paths: [String], _ settings: LintConfiguration) throws -> [LintResult] {
    var traces: [(path: String, reader: any TraceReader)] = []
    var log: (path: String, reader: LogReader)?
    for path in paths {
      if let simulation = try SimulationOptions.simulation(path: path) {
        traces.append((path, SimulationReader(simulation)))
        continue
      }
      switch try Capture(path: path) {
      case .trace(let reader): traces.append((path, reader))
      case .log(let reader):
        guard log == nil else { throw Self.mergeError }
        log = (path, reader)
      case .dump:
        throw TraceError(
          path: displayName(path),
          problem: "is a dma-api/dump",
          advice: "give it as --start-dump beside a trace"
        )
      }
    }
    guard let first = traces.first else { throw Self.mergeError }
    func name(_ path: String) -> String { path == "-" ? stdinName : path }
    let join = try log.map { log in
      var reader = log.reader
      return try LogJoin(&reader, path: name(log.path))
    }
    // Of several traces a line belongs to one of them: no file has that name.
    let path = traces.map(\.path).joined(separator: "+")
    let (result, logResult) = try lint(
      replay.open(traces.count == 1 ? first.reader : MergedReader(traces.map(\.reader))),
      path,
      traces.count == 1 ? name(first.path) : path,
      settings,
      join: join
    )
    return [result] + (logResult.map { [$0] } ?? [])
  }

  /// All formats that are written.
  private var formats: Set<ReportFormat> { Set(report.map(\.format) + [shownFormat]) }

  private func addEvidence(_ result: inout LintResult, _ path: String) {
    if formats.contains(.text) { LintEvidence.addExcerpts(&result, path: path) }
    if result.kind == .trace, formats.contains(.sarif) || formats.contains(.html) {
      LintEvidence.addSyncs(&result, path: path)
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
    isolated ? config : config ?? Self.variable("DMATOP_CONFIG") ?? Self.findConfiguration()
  }

  private func settings() throws -> LintConfiguration {
    var settings = LintConfiguration()
    do {
      if let path = configurationPath {
        guard let text = try SettingsFiles.text(path) else {
          throw CommandError("\(displayName(path)): there is no such file")
        }
        try settings.read(text, name: displayName(path))
        // A baseline stands beside the file that names it.
        if let baseline = settings.baseline, !baseline.hasPrefix("/"),
          let slash = path.lastIndex(of: "/")
        {
          settings.baseline = path[...slash] + baseline
        }
      }
    } catch let problem as LintConfiguration.Problem {
      throw CommandError(problem.description)
    }
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

  /// `dmatop.toml` in this directory or above.
  private static func findConfiguration() -> String? {
    guard let buffer = getcwd(nil, 0) else { return nil }
    defer { free(buffer) }
    var directory = String(cString: buffer)
    while true {
      let path = directory + (directory.hasSuffix("/") ? "" : "/") + "dmatop.toml"
      if access(path, R_OK) == 0 { return path }
      guard directory != "/", let slash = directory.lastIndex(of: "/") else { return nil }
      directory = String(directory[..<slash])
      if directory.isEmpty { directory = "/" }
    }
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

  /// What is to be said about suppressions and baseline themselves.
  private func addNotes(
    _ results: inout [LintResult],
    _ settings: LintConfiguration,
    _ used: Set<Int>,
    _ stale: [String]
  ) {
    guard !results.isEmpty else { return }
    func add(_ name: String, _ message: String) {
      guard let rule = Rule(named: name),
        let level = Severity(rawValue: settings.level(rule).rawValue)
      else { return }
      var finding = LintResult.note(rule, message, path: results[0].path)
      finding.severity = level
      results[0].findings.append(finding)
    }
    for (index, suppression) in settings.suppressions.enumerated() {
      if let expires = suppression.expires, expires < todaysDate {
        add("TRC007", "suppression has expired on \(expires): \(suppression.description)")
      } else if !used.contains(index) {
        add("TRC006", "suppression matches nothing: \(suppression.description)")
      }
    }
    if !stale.isEmpty {
      add("TRC008", "the baseline allows \(stale.count) mistakes that are gone: \(stale[0])")
    }
  }
}
