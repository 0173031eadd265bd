// SPDX-License-Identifier: MIT
import DMALint
import Testing

/// Settings that the parser of TOML must not see: it would end the program.
@Suite struct ConfigurationTests {
  private func problem(_ text: String) -> String? {
    var configuration = LintConfiguration()
    do throws(LintConfiguration.Problem) {
      try configuration.read(text, name: "dmatop.toml")
      return nil
    } catch {
      return error.description
    }
  }

  @Test(arguments: [
    "[\n", "[\u{2028}x]\n", "[\u{1b}]\n", "[[\n", "[[.a]]\n", "[=]\n", "[ \t#]\n", "[{}]\n", "[,]",
    "[\u{fffd}]",
  ])
  func aHeaderWithoutANameIsAnError(_ header: String) throws {
    let text = "reason = '[\\'\nx = \"\\\"[\"\ny = [\n1,\n]\n# [\n" + header
    #expect(problem(header)?.hasPrefix("dmatop.toml:1: expected the name of a table") == true)
    #expect(problem(text)?.hasPrefix("dmatop.toml:7: expected the name of a table") == true)
  }

  @Test(arguments: [
    "[severity]\nDMA104 = 'note'\n", "[ severity ]\n", "[\"severity\"]\n", "['severity']\n",
    "ignore = [\n  'DMA109',\n]\n", "ignore = [ # ]}\n  'DMA109', \"DMA1\"]\n",
    "[[suppress]]\nrule = 'DMA019'\nreason = \"\"\"\n[\n[=]\"\"\"\n",
    "[[suppress]]\nrule = 'DMA019'\nreason = '''\n[\n\\'''\n[severity]\n",
    "[[suppress]]\nrule = 'DMA019'\nreason = \"[\\\"\"\nexpires = \"2027-06-30\"\n",
  ])
  func whatIsTOMLGoesToTheParser(_ text: String) throws {
    #expect(TOMLBrackets.problem(text) == nil)
    #expect(problem(text) == nil)
  }

  @Test(arguments: [
    "a = [}", "ignore = [}}", "a = [1, }", "a = {b = [}]", "a = [[}]", "a = }", "a = ]", "a = {]",
    "[severity]\n# [\nx = ['}', }",
  ])
  func aBracketThatEndsAnotherIsAnError(_ text: String) throws {
    #expect(problem(text)?.contains(" without its ") == true)
  }

  @Test("a wrong header after any beginning is one", arguments: ["[", "[]", "[]]", "[[]]", "[a"])
  func theRestIsForTheParser(_ header: String) {
    #expect(TOMLBrackets.problem(header) == nil)
    #expect(problem(header) != nil)
  }
}
