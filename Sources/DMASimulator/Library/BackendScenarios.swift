enum BackendScenarios {
  static let all: [(name: String, text: String)] = []
}
