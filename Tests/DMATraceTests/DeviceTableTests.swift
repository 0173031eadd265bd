// SPDX-License-Identifier: MIT
import Testing

@testable import DMATrace

@Suite struct DeviceTableTests {
  private func problem(_ text: String) -> String? {
    do throws(TraceError) {
      _ = try DeviceTable(bytes: Array(text.utf8), name: "devices.txt")
      return nil
    } catch {
      return error.problem
    }
  }

  @Test func entries() throws {
    let text = """
      # made by a script
      pci 0000:00:06.0 nvme mask=64 iommu=DMA-FQ max_seg=65536 boundary=0xffffffff new=1
      acpi LNXPWRBN:00 button mask= iommu=

      serio serio0 i8042 kbd mask=
      platform none - mask=32
      platform bare
      platform keys mask=24\r

      """
    let table = try DeviceTable(bytes: Array(text.utf8), name: "devices.txt")
    #expect(
      table.entries == [
        DeviceTable.Entry(
          bus: "pci",
          device: "0000:00:06.0",
          driver: "nvme",
          mask: 64,
          iommu: "DMA-FQ",
          maximumSegmentSize: 65536,
          segmentBoundary: 0xffff_ffff
        ),
        DeviceTable.Entry(bus: "acpi", device: "LNXPWRBN:00", driver: "button"),
        DeviceTable.Entry(bus: "serio", device: "serio0", driver: "i8042 kbd"),
        DeviceTable.Entry(bus: "platform", device: "none", mask: 32),
        DeviceTable.Entry(bus: "platform", device: "bare"),
        DeviceTable.Entry(bus: "platform", device: "keys", mask: 24),
      ]
    )
  }

  @Test(arguments: [
    ("pci\n", "line 1: no device"),
    ("pci a b\npci mask=1\n", "line 2: no device"),
    ("pci a b mask=65\n", "line 1: mask= wants a number of bits, 1 to 64"),
    ("pci a b mask=x\n", "line 1: mask= wants a number of bits, 1 to 64"),
    ("pci a b max_seg=0xfffffffffffffffff\n", "line 1: max_seg= wants a number"),
    ("pci a b mask=1 rest\n", "line 1: `rest` is no key=value"),
    ("pci a\u{1b} b\n", "line 1: control characters"),
  ])
  func wrongLines(_ text: String, _ expected: String) {
    #expect(problem(text) == expected)
  }

  @Test func noFile() {
    #expect(throws: TraceError.self) { try DeviceTable(path: "/no/such/file") }
  }
}
