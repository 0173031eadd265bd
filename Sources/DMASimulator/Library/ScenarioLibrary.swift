// SPDX-License-Identifier: MIT

/// The scenarios that come with the program.
public enum ScenarioLibrary {
  /// Name and text of each, in the order in which they are listed.
  public static let all: [(name: String, text: String)] =
    WorkloadScenarios.all + APIScenarios.all + MistakeScenarios.all + BackendScenarios.all
    + SharingScenarios.all + SharingMistakeScenarios.all

  /// Reads a scenario that comes with the program.
  ///
  /// - Returns: `nil` when there is none of this name.
  /// - Throws: ``ScenarioError``; none of those that come with the program has one.
  public static func scenario(_ name: String) throws(ScenarioError) -> Scenario? {
    guard let entry = all.first(where: { $0.name == name }) else { return nil }
    return try Scenario(text: entry.text, name: name)
  }
}
