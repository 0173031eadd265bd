enum APIScenarios {
  static let all: [(name: String, text: String)] = []
}
