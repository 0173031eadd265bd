// SPDX-License-Identifier: MIT
import DMADebugCore
import Testing

@testable import DMASimulator

/// Fences and reservation objects, one function after the other. docs/API.md names these tests.
@Suite struct FenceAPITests {
  private func machine() -> Machine {
    var options = MachineOptions()
    options.lowMemory = 64 << 20
    options.highMemory = 0
    let machine = Machine(options)
    _ = events(machine)
    return machine
  }

  private func events(_ machine: Machine) -> [DMAEvent] {
    var batch = EventBatch()
    machine.takeEvents(&batch)
    return batch.events
  }

  private func fence(
    _ machine: Machine,
    _ context: UInt64,
    _ seqno: UInt64 = 1,
    enable: (() -> Bool)? = nil
  ) -> Fence {
    machine.dmaFenceInit(
      driver: "example",
      timeline: "ring\(context)",
      context: context,
      seqno: seqno,
      enableSignaling: enable
    )
  }

  @Test func fences() {
    let machine = machine()
    #expect(machine.dmaFenceContextAlloc(3) == 1)
    #expect(machine.dmaFenceContextAlloc(1) == 4)
    var enabled = 0
    let first = fence(machine, 1) {
      enabled += 1
      return true
    }
    #expect(!machine.dmaFenceIsSignaled(first))
    machine.dmaFenceEnableSWSignaling(first)
    machine.dmaFenceEnableSWSignaling(first)
    #expect(enabled == 1)
    let callback = FenceCallback()
    let removed = FenceCallback()
    #expect(machine.dmaFenceAddCallback(first, callback) == 0)
    #expect(machine.dmaFenceAddCallback(first, removed) == 0)
    #expect(machine.dmaFenceRemoveCallback(first, removed))
    #expect(!machine.dmaFenceRemoveCallback(first, removed))
    machine.dmaFenceSetError(first, -5)
    machine.dmaFenceGet(first)
    #expect(machine.dmaFenceSignal(first) == 0)
    #expect(machine.dmaFenceSignal(first) == -22)
    #expect(callback.calls == 1 && removed.calls == 0)
    #expect(machine.dmaFenceAddCallback(first, removed) == -2)
    machine.dmaFencePut(first)
    machine.dmaFencePut(first)
    let seen = events(machine)
    #expect(
      seen.map(\.kind) == [.fenceInit, .fenceEnableSignal, .fenceSignaled, .fenceDestroy]
    )
    #expect(seen.allSatisfy { $0.address == 1 && $0.size == 1 })
    #expect(machine.names.timelines.string(seen[0].site) == "ring1")
    #expect(machine.observations.isEmpty)
    // Done before anybody asked.
    let done = machine.dmaFenceInit(driver: "a", timeline: "b", context: 2, seqno: 1) { false }
    machine.dmaFenceEnableSWSignaling(done)
    #expect(done.isSignaled)
    machine.dmaFencePut(done)
    // The last reference goes while somebody waits.
    let lost = fence(machine, 3)
    machine.dmaFenceAddCallback(lost, callback)
    machine.dmaFencePut(lost)
    #expect(callback.calls == 2 && lost.error == -35)
    machine.dmaFencePut(lost)
    machine.dmaFenceSetError(lost, -5)
    #expect(machine.observations.map(\.kind) == Array(repeating: .kernelWarning, count: 3))
  }

  @Test func waiting() {
    let machine = machine()
    let first = fence(machine, 1)
    machine.raise(after: 300_000, cpu: 2) { machine.dmaFenceSignal(first) }
    machine.switchTask("waiter", pid: 77, cpu: 1)
    let start = machine.now
    #expect(machine.dmaFenceWaitTimeout(first, timeout: 100_000) == 0)
    #expect(machine.now - start >= 100_000 && machine.now - start < 110_000)
    let left = machine.dmaFenceWaitTimeout(first, timeout: 1_000_000)
    #expect(left > 700_000 && left < 900_000)
    #expect(machine.dmaFenceWaitTimeout(first, timeout: 5000) > 0)
    let seen = events(machine)
    let pair: [DMAEvent.Kind] = [.fenceWaitStart, .fenceWaitEnd]
    #expect(
      seen.map(\.kind)
        == [.fenceInit] + pair + [.fenceWaitStart, .fenceSignaled, .fenceWaitEnd] + pair
    )
    // The interrupt came to another task, on its own CPU.
    #expect(seen[4].pid == 0 && seen[4].cpu == 2)
    #expect(seen[5].pid == 77 && seen[5].cpu == 1)
    #expect(machine.observations.map(\.kind) == [.fenceTimeout])
    // Nobody will ever signal it.
    let never = fence(machine, 2)
    #expect(machine.dmaFenceWaitTimeout(never, timeout: Machine.endless) == -512)
    #expect(machine.observations.last?.kind == .hungTask)
    #expect(machine.kernelLog.last?.hasPrefix("INFO: task waiter:77 blocked") == true)
    // An array is done when all of it is.
    let parts = [fence(machine, 3), fence(machine, 4)]
    let all = machine.dmaFenceArrayCreate(
      parts.map { machine.dmaFenceGet($0) },
      context: 5,
      seqno: 1
    )
    machine.dmaFenceEnableSWSignaling(all)
    machine.dmaFenceSetError(parts[1], -5)
    machine.dmaFenceSignal(parts[1])
    #expect(!all.isSignaled)
    machine.dmaFenceSignal(parts[0])
    #expect(all.isSignaled && all.error == -5)
    machine.dmaFencePut(all)
    #expect(parts.allSatisfy { $0.references == 1 })
  }

  @Test func reservations() throws {
    let machine = machine()
    let object = ReservationObject()
    #expect(machine.dmaResvLock(object) == 0)
    #expect(machine.dmaResvReserveFences(object, 0) == -22)
    #expect(machine.dmaResvReserveFences(object, 4) == 0)
    let fences = (1...4).map { fence(machine, UInt64($0)) }
    for (fence, usage) in zip(fences, ReservationObject.Usage.allCases) {
      machine.dmaResvAddFence(object, fence, usage)
    }
    #expect(fences.allSatisfy { $0.references == 2 })
    // Later work of the same context takes the place of what was before.
    let later = fence(machine, 2, 2)
    machine.dmaResvAddFence(object, later, .write)
    #expect(object.fences.count == 4)
    #expect(fences[1].references == 1)
    for usage in ReservationObject.Usage.allCases {
      #expect(!machine.dmaResvTestSignaled(object, usage))
    }
    machine.dmaFenceSignal(fences[0])
    #expect(machine.dmaResvTestSignaled(object, .kernel))
    #expect(!machine.dmaResvTestSignaled(object, .write))
    #expect(machine.dmaResvWaitTimeout(object, .kernel, timeout: 10) > 0)
    #expect(machine.dmaResvWaitTimeout(object, .write, timeout: 1000) == 0)
    machine.raise(after: 1000, cpu: 0) { machine.dmaFenceSignal(later) }
    #expect(machine.dmaResvWaitTimeout(object, .write, timeout: 1_000_000) > 0)
    #expect(!machine.dmaResvTestSignaled(object, .read))
    let one = try #require(machine.dmaResvGetSingleton(object, .read))
    #expect(one === fences[2])
    let two = try #require(machine.dmaResvGetSingleton(object, .bookkeep))
    #expect(two.parts.count == 2)
    #expect(machine.dmaResvGetSingleton(object, .write) == nil)
    // No place is left, as the signalled ones are not given up one after the other.
    machine.dmaResvUnlock(object)
    #expect(machine.observations.map(\.kind) == [.kernelWarning, .fenceTimeout])
    // Locks.
    let tickets = [machine.makeTicket(), machine.makeTicket()]
    #expect(machine.dmaResvLock(object, ticket: tickets[0]) == 0)
    #expect(machine.dmaResvLock(object, ticket: tickets[0]) == -114)
    #expect(machine.dmaResvLock(object, ticket: tickets[1]) == -35)
    #expect(machine.observations.count == 2)
    #expect(machine.dmaResvLock(object) == -35)
    #expect(machine.observations.last?.kind == .lockDeadlock)
    machine.dmaResvUnlock(object)
    machine.dmaResvUnlock(object)
    machine.dmaResvAddFence(object, later, .read)
    #expect(machine.observations.suffix(2).map(\.kind) == [.kernelWarning, .kernelWarning])
  }

  @Test func syncFiles() throws {
    let machine = machine()
    let buffer = try #require(machine.dmaHeapBufferAlloc(.system, 4096))
    let other = try #require(machine.dmaHeapBufferAlloc(.system, 4096))
    // Nothing to wait for.
    let idle = machine.dmaBufExportSyncFile(buffer, isWriter: true)
    let stub = try #require(machine.syncFileGetFence(idle))
    #expect(stub.isSignaled && stub.context == 0)
    machine.close(idle)
    let work = fence(machine, 7)
    machine.dmaResvLock(buffer.reservation)
    machine.dmaResvReserveFences(buffer.reservation, 1)
    machine.dmaResvAddFence(buffer.reservation, work, .read)
    machine.dmaResvUnlock(buffer.reservation)
    // A reader has nothing to wait for, a writer has.
    let reader = machine.dmaBufExportSyncFile(buffer, isWriter: false)
    #expect(machine.syncFileGetFence(reader)?.isSignaled == true)
    let writer = machine.dmaBufExportSyncFile(buffer, isWriter: true)
    let found = try #require(machine.syncFileGetFence(writer))
    #expect(found === work)
    machine.dmaFencePut(found)
    #expect(machine.dmaBufImportSyncFile(other, writer, isWriter: true) == 0)
    #expect(other.reservation.fences.map(\.usage) == [.write])
    #expect(machine.dmaBufImportSyncFile(other, 1234, isWriter: true) == -22)
    #expect(machine.syncFileGetFence(1234) == nil)
    let own = machine.syncFileCreate(work)
    // Not a buffer.
    #expect(machine.dmaBufGet(own).error == -22)
    for descriptor in [reader, writer, own] { #expect(machine.close(descriptor) == 0) }
    #expect(machine.close(own) == -9)
    machine.dmaFenceSignal(work)
    machine.dmaBufPut(buffer)
    machine.dmaBufPut(other)
    #expect(work.references == 1)
    #expect(machine.sharing.buffers.isEmpty)
    #expect(machine.observations.isEmpty)
  }
}
