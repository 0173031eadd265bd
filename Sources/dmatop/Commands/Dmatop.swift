// SPDX-License-Identifier: MIT
import ArgumentParser
import CRevision
import DMADebugCore
import DMAExport
import DMASimulator
import DMATrace
import Glibc

/// The program: what there is to do.
@main
struct Dmatop: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmatop",
    abstract: "A debugger of the Linux DMA-API: what htop is to processes, for DMA mappings.",
    discussion: """
      Replays traces of dma:* events through a twin of the kernel's dma-debug.

      Examples:
        dmatop                           open the monitor on a simulated desktop
        dmatop trace.txt                 open the monitor on a trace
        dmatop log --all-errors trace.txt
        dmatop lint trace.txt
        trace-cmd report | dmatop stat
        dmatop sim nvme --fault unmap-size@once --headless
      """,
    version: "dmatop \(Version.string) (\(String(cString: dmatop_revision())))",
    subcommands: [
      ReplayCommand.self, LogCommand.self, FSCommand.self, StatCommand.self, DumpCommand.self,
      ConvertCommand.self, LintCommand.self, DiffCommand.self, RulesCommand.self,
      ExplainCommand.self, SimCommand.self,
    ],
    defaultSubcommand: ReplayCommand.self
  )

  static func main() {
    StandardDescriptors.reserve()
    StandardInput.announceWaiting()
    EndSignals.install()
    do {
      var command = try parseAsRoot()
      if let command = command as? any FileCommand { try command.files().check() }
      try command.run()
      EndSignals.exit(ExitStatus.of(0))
    } catch let code as ExitCode {
      EndSignals.exit(ExitStatus.of(code.rawValue))
    } catch let error as TraceError {
      StandardError.write("dmatop: \(error.description)")
      EndSignals.exit(2, isInterrupted: error.isInterruption)
    } catch let error as ScenarioError {
      fail(error.description)
    } catch let error as CommandError {
      fail(error.description)
    } catch let error as MomentError {
      fail(error.description)
    } catch {
      let isHelp = exitCode(for: error) == .success
      let text = fullMessage(for: error)
      if isHelp { StandardOutput.write(text + "\n") } else { StandardError.write(text) }
      Glibc.exit(isHelp ? 0 : 2)
    }
  }

  private static func fail(_ message: String) -> Never {
    StandardError.write("dmatop: \(message)")
    Glibc.exit(2)
  }
}
