import DMADebugCore
import Testing

@Suite struct LayoutTests {
  @Test func aMappingIsAsSmallAsTheKernelsEntry() {
    #expect(MemoryLayout<Mapping>.stride <= 128)
    #expect(MemoryLayout<DMAEvent>.stride <= 128)
  }
}
