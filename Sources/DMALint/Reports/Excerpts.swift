// SPDX-License-Identifier: MIT
import DMADebugCore
import DMAReplay
import DMATrace
import Glibc

/// What findings are shown with: lines of the capture, and the syncs between map and mistake. Both
/// need a second look at the file, so there are none for a pipe.
package enum Excerpts {
  private static let maximumFindings = 200
  private static let maximumSyncs = 8
  private static let maximumLine = 240

  /// Adds the lines that findings name.
  package static func addLines(_ result: inout LintResult, path: String) {
    var wanted: Set<UInt64> = []
    for finding in result.findings.prefix(maximumFindings) where finding.device != nil {
      wanted.insert(finding.line)
      if let origin = finding.origin, origin.path == nil { wanted.insert(origin.line) }
    }
    guard !wanted.isEmpty, isFile(path) else { return }
    let found =
      result.summary.isBinary
      ? CaptureExcerpts.records(path, wanted)
      : CaptureExcerpts.lines(path, wanted, limit: maximumLine)
    for (line, text) in found { result.excerpts[line] = shown(text) }
  }

  private static func shown(_ bytes: [UInt8]) -> String {
    let isLong = bytes.count > maximumLine
    return String(escaping: bytes.prefix(maximumLine).drop { $0 == 0x20 }) + (isLong ? "…" : "")
  }

  private static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Adds the syncs of the mapping that a finding is about, from its map to the mistake.
  package static func addSyncs(_ result: inout LintResult, path: String) {
    guard isFile(path) else { return }
    let candidates = result.findings.indices.filter {
      result.findings[$0].origin.map { $0.path == nil } ?? false
    }
    .prefix(maximumFindings)
    guard !candidates.isEmpty, var reader = try? Capture.openTrace(path) else { return }
    var batch = EventBatch()
    while (try? reader.read(into: &batch)) == true {
      let names = reader.names
      for event in batch.events {
        switch event.kind {
        case .syncSingleForCPU, .syncSingleForDevice, .syncSGForCPU, .syncSGForDevice: break
        default: continue
        }
        let device = names.devices.string(event.device.rawValue)
        for index in candidates {
          let finding = result.findings[index]
          guard let origin = finding.origin, let address = origin.dmaAddress,
            finding.device == device, event.line > origin.line, event.line < finding.line,
            event.dmaAddress >= address, event.dmaAddress - address < max(origin.size ?? 1, 1),
            finding.syncs.count < maximumSyncs
          else { continue }
          result.findings[index].syncs.append(
            Finding.Step(line: event.line, text: "\(event.kind.name) \(event.direction.traceName)")
          )
        }
      }
    }
  }
}
