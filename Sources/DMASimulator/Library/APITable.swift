// SPDX-License-Identifier: MIT
import DMADebugCore

/// The table of docs/API.md: every function, a scenario that runs it, and the test that checks it.
public enum APITable {
  /// Groups of functions, with the numbers of the kernel's document.
  public static let groups: [(title: String, functions: [APIFunction], test: String)] = [
    (
      "Ia: coherent memory",
      [.dmaAllocCoherent, .dmaAllocAttrs, .dmaFreeCoherent, .dmaFreeAttrs],
      "APITests.coherentMemory"
    ),
    (
      "Ib: pools",
      [.dmaPoolCreate, .dmaPoolAlloc, .dmaPoolZalloc, .dmaPoolFree, .dmaPoolDestroy],
      "APITests.pools"
    ),
    (
      "Ic: addressing",
      [
        .dmaSetMask, .dmaSetCoherentMask, .dmaSetMaskAndCoherent, .dmaGetRequiredMask,
        .dmaMaxMappingSize, .dmaOptMappingSize, .dmaNeedSync, .dmaGetMergeBoundary,
        .dmaAddressingLimited, .dmaSetMaxSegSize, .dmaSetSegBoundary,
      ], "APITests.addressing"
    ),
    (
      "Id: streaming, one area",
      [
        .dmaMapSingle, .dmaUnmapSingle, .dmaMapPage, .dmaUnmapPage, .dmaMapPhys, .dmaUnmapPhys,
        .dmaMapResource, .dmaUnmapResource, .dmaMappingError,
      ], "APITests.streaming"
    ),
    (
      "Id: streaming, lists",
      [.dmaMapSG, .dmaUnmapSG, .dmaMapSGTable, .dmaUnmapSGTable], "APITests.scatterLists"
    ),
    (
      "Id: synchronisation",
      [
        .dmaSyncSingleForCPU, .dmaSyncSingleForDevice, .dmaSyncSingleRangeForCPU,
        .dmaSyncSingleRangeForDevice, .dmaSyncSGForCPU, .dmaSyncSGForDevice,
        .dmaSyncSGTableForCPU, .dmaSyncSGTableForDevice,
      ], "APITests.synchronisation"
    ),
    (
      "II: non-coherent and non-contiguous memory",
      [
        .dmaAllocPages, .dmaFreePages, .dmaAllocNoncoherent, .dmaFreeNoncoherent,
        .dmaAllocNoncontiguous, .dmaFreeNoncontiguous, .dmaVmapNoncontiguous,
        .dmaVunmapNoncontiguous, .dmaMmapNoncontiguous, .dmaMmapPages,
      ], "APITests.noncoherentMemory"
    ),
    (
      "Memory of the device",
      [
        .dmaDeclareCoherentMemory, .dmaReleaseCoherentMemory, .dmaAllocFromCoherent,
        .dmaReleaseFromCoherent, .dmaMmapFromCoherent,
      ], "APITests.deviceMemory"
    ),
    (
      "Managed",
      [
        .dmamAllocCoherent, .dmamAllocAttrs, .dmamFreeCoherent, .dmamDeclareCoherentMemory,
        .dmamReleaseDeclaredMemory, .dmamPoolCreate, .dmamPoolDestroy,
      ], "APITests.managedMemory"
    ),
    (
      "For processes, as tables",
      [.dmaMmapCoherent, .dmaMmapAttrs, .dmaMmapWritecombine, .dmaGetSGTable],
      "APITests.userMappings"
    ),
    (
      "Devices and drivers",
      [.setDMAOps, .driverBind, .driverUnbind, .moduleUnload], "APITests.drivers"
    ),
    (
      "dma-buf: life of a buffer",
      [
        .dmaBufExport, .dmaBufExportNamed, .dmaHeapBufferAlloc, .dmaBufFD, .dmaBufGet, .dmaBufPut,
      ], "SharingAPITests.bufferLife"
    ),
    (
      "dma-buf: attachments",
      [
        .dmaBufAttach, .dmaBufDynamicAttach, .dmaBufDetach, .dmaBufMapAttachment,
        .dmaBufMapAttachmentUnlocked, .dmaBufUnmapAttachment, .dmaBufUnmapAttachmentUnlocked,
      ], "SharingAPITests.attachments"
    ),
    (
      "dma-buf: moving",
      [.dmaBufPin, .dmaBufUnpin, .dmaBufMoveNotify], "SharingAPITests.moving"
    ),
    (
      "dma-buf: access of the CPU",
      [.dmaBufBeginCPUAccess, .dmaBufEndCPUAccess, .dmaBufMmapInternal],
      "SharingAPITests.cpuAccess"
    ),
    (
      "dma-buf: windows of the CPU",
      [
        .dmaBufMmap, .dmaBufVmap, .dmaBufVunmap, .dmaBufKmap, .dmaBufKunmap, .dmaBufKmapAtomic,
        .dmaBufKunmapAtomic,
      ], "SharingAPITests.windows"
    ),
    (
      "Fences",
      [
        .dmaFenceContextAlloc, .dmaFenceInit, .dmaFenceGet, .dmaFencePut, .dmaFenceSignal,
        .dmaFenceSetError, .dmaFenceIsSignaled, .dmaFenceEnableSWSignaling, .dmaFenceAddCallback,
        .dmaFenceRemoveCallback,
      ], "FenceAPITests.fences"
    ),
    (
      "Fences: waiting",
      [.dmaFenceWaitTimeout, .dmaFenceArrayCreate], "FenceAPITests.waiting"
    ),
    (
      "Reservation objects",
      [
        .dmaResvLock, .dmaResvUnlock, .dmaResvReserveFences, .dmaResvAddFence, .dmaResvWaitTimeout,
        .dmaResvTestSignaled, .dmaResvGetSingleton,
      ], "FenceAPITests.reservations"
    ),
    (
      "Sync files",
      [.syncFileCreate, .syncFileGetFence, .dmaBufExportSyncFile, .dmaBufImportSyncFile],
      "FenceAPITests.syncFiles"
    ),
    (
      "IOVA-based mappings",
      [
        .dmaIOVATryAlloc, .dmaUseIOVA, .dmaIOVALink, .dmaIOVASync, .dmaIOVAUnlink, .dmaIOVADestroy,
        .dmaIOVAFree,
      ], "SharingAPITests.ranges"
    ),
    (
      "dmaengine: transfers",
      [
        .dmaRequestChan, .dmaengineSlaveConfig, .dmaenginePrepSlaveSG, .dmaenginePrepDMAMemcpy,
        .dmaengineSubmit, .dmaAsyncIssuePending, .dmaengineTxStatus, .dmaengineTerminateSync,
        .dmaReleaseChannel,
      ], "SharingAPITests.channels"
    ),
    (
      "dmaengine: round and round",
      [.dmaenginePrepDMACyclic, .dmaengineTerminateAsync, .dmaengineSynchronize],
      "SharingAPITests.cyclicTransfers"
    ),
  ]

  /// The scenario that calls a function most plainly: the first one written by hand, else the first.
  private static func scenarios() -> [String] {
    var found = [String](repeating: "", count: APIFunction.allCases.count)
    let ordered =
      APIScenarios.all + SharingScenarios.all + BackendScenarios.all + MistakeScenarios.all
      + WorkloadScenarios.all
    for (name, text) in ordered {
      guard let scenario = try? Scenario(text: text, name: name) else { continue }
      let simulation = Simulation(scenario, eventLimit: 2000)
      var batch = EventBatch()
      while simulation.read(into: &batch) {}
      for function in APIFunction.allCases
      where found[function.rawValue].isEmpty && simulation.machine.calls[function.rawValue] > 0 {
        // Binding and masks happen everywhere: the scenario that is about them comes later.
        if isSetUp(function), !text.contains(function.kernelName + "(") { continue }
        found[function.rawValue] = name
      }
    }
    return found
  }

  private static func isSetUp(_ function: APIFunction) -> Bool {
    switch function {
    case .dmaSetMask, .dmaSetCoherentMask, .driverBind, .driverUnbind: true
    default: false
    }
  }

  /// The whole document.
  public static func markdown() -> String {
    let scenarios = scenarios()
    var text = """
      # The DMA-API of the simulator

      Every function of the kernel that the simulated machine has, the bundled scenario that runs it
      (`dmatop sim NAME`, `dmatop sim --print NAME`), and the test that checks it. Made by
      `dmatop sim --api-table`; a test holds this file against it.

      """
    for group in groups {
      text += "\n## \(group.title)\n\n| function | scenario | test |\n|---|---|---|\n"
      for function in group.functions {
        let scenario = scenarios[function.rawValue]
        text += "| `\(function.kernelName)()` | \(scenario) | \(group.test) |\n"
      }
    }
    return text
  }
}
