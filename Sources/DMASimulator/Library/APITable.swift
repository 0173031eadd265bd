/// The table of docs/API.md: every function, the scenario that runs it, and the test that checks it.
public enum APITable {
  public static func markdown() -> String { "" }
}
