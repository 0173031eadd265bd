enum MistakeScenarios {
  static let all: [(name: String, text: String)] = []
}
