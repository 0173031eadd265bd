// SPDX-License-Identifier: MIT
import ArgumentParser
import DMAMonitor

/// docs/dmatop.1, made of what the program itself knows: its commands, their options, the keys.
enum ManPage {
  static var text: String {
    var page = """
      .\\" Made by `dmatop replay --man-page`; a test holds this file against it.
      .TH DMATOP 1 "" "dmatop" "User Commands"
      .SH NAME
      dmatop \\- watch, replay and lint DMA mappings
      .SH SYNOPSIS
      .B dmatop
      .RI [ TRACE ]
      .br
      .B dmatop
      .I command
      .RI [ options ]
      .SH DESCRIPTION
      What htop is to processes, dmatop is to DMA mappings: it shows which driver holds which mapping,
      since when and from which call site, and finds misuse of the Linux DMA-API. It is a user-space twin
      of the kernel's dma-debug, fed by traces of
      .B dma:*
      events or by a simulated machine. Without arguments it opens the monitor on a simulated desktop.
      .PP
      .I TRACE
      is a file, a FIFO,
      .B \\-
      for standard input, or
      .BR sim:SCENARIO [,KEY=VALUE...].
      Without it, a pipe or a file on standard input is the trace.
      .SH COMMANDS

      """
    for command in Dmatop.configuration.subcommands {
      let configuration = command.configuration
      page += ".TP\n.B \(configuration.commandName ?? "")\n\(roff(configuration.abstract))\n"
    }
    page += ".SH OPTIONS\n"
    for command in Dmatop.configuration.subcommands {
      let name = command.configuration.commandName ?? ""
      page += ".SS \(name)\n.nf\n"
      for line in Dmatop.helpMessage(for: command, columns: 76).split(
        separator: "\n",
        omittingEmptySubsequences: false
      ) {
        page += roff(String(line)) + "\n"
      }
      page += ".fi\n"
    }
    page += ".SH MONITOR\nKeys of the monitor; each action has a name for the palette (:).\n"
    let map = KeyMap()
    for group in MonitorAction.Group.allCases {
      page += ".SS \(roff(group.rawValue))\n"
      for action in MonitorAction.allCases where action.group == group {
        let keys = map.names(action).joined(separator: ", ")
        page += ".TP\n.B \(roff(keys.isEmpty ? ":" + action.rawValue : keys))\n"
        page += "\(roff(action.rawValue)): \(roff(action.summary))\n"
      }
    }
    page += """
      .SH FILES
      .TP
      .I $XDG_CONFIG_HOME/dmatop/config.toml
      Settings and keys. dmatop only reads it;
      .B dmatop replay \\-\\-print\\-config
      shows what can be set.
      .TP
      .I $XDG_CONFIG_HOME/dmatop/setup.toml
      What the setup screen has saved; it goes before config.toml.
      .TP
      .I $XDG_STATE_HOME/dmatop/sessions/
      Where each trace was left.
      .SH ENVIRONMENT
      .TP
      .B NO_COLOR
      Use no colours.
      .TP
      .BR LC_ALL , LC_CTYPE , LANG
      In a locale that is not UTF\\-8 only ASCII characters are drawn.
      .TP
      .B ESCDELAY
      Milliseconds to wait for the rest of an escape sequence, 25 unless set.
      .SH EXIT STATUS
      0 when all went well, 1 when lint found something, when diff found a difference or when a
      simulation did not find what it should, 2 for wrong arguments and for what could not be read or
      written, or not all of it, 129, 130 and 143 after SIGHUP, SIGINT and SIGTERM: the first of them
      is the end of the input, whose result is printed and whose files are completed; a second one
      ends dmatop at once. 2 wins over the signals, those over 1. Ctrl\\-C in the monitor is a key
      that quits, with 0.

      """
    return page
  }

  /// Text that roff takes as it is.
  private static func roff(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      case _ where scalar.isASCII: result.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        result += "\\[u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "]"
      }
    }
    // A line that begins with a dot or an apostrophe would be a command.
    if let first = result.first, first == "." || first == "'" { result = "\\&" + result }
    return result
  }
}
