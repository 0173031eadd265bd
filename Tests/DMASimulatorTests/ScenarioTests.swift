// SPDX-License-Identifier: MIT
import DMADebugCore
import TestSupport
import Testing

@testable import DMASimulator

/// The text of scenarios: what it means, and what is said when it is wrong.
@Suite struct ScenarioTests {
  @Test(arguments: [
    ("", "x:1: a scenario needs a device"),
    ("device d", "x:1: a scenario needs a workload or calls"),
    ("colour red", "x:1:1: 'colour' is none of"),
    ("device d\n  devise e", "x:2:3: 'devise' is none of"),
    ("device d driver=a b", "x:1:19: 'b' is no key=value"),
    ("device d\ndevice d", "x:2:8: there is a device 'd' already"),
    ("device d address-bits=12", "x:1:10: address-bits= wants 24 to 64 bits"),
    ("device d backend=magic", "x:1:10: backend= is direct"),
    ("machine memory=1M", "x:1:9: memory= wants"),
    ("machine cpus=0", "x:1:9: cpus= wants 1 to 256"),
    ("machine coherent=perhaps", "x:1:9: yes or no"),
    ("kernel 5.4", "x:1:8: kernel wants a version"),
    ("duration long", "x:1:10: duration wants a time"),
    ("seed -1", "x:1:6: seed wants a number"),
    ("device d\nworkload nic", "x:2:10: workload wants device="),
    ("device d\nworkload nic device=e", "x:2:14: there is no device 'e' above"),
    ("device d\nworkload nic device=d rate=0", "x:2:23: rate= wants"),
    ("device d\nfault no-such-thing", "x:2:7: fault wants a name"),
    ("device d\nfault unmap-size@2", "x:2:7: fault wants a name"),
    ("device d\nexpect nothing", "x:2:8: expect wants the name"),
    ("device d\nexpect free-size e", "x:2:18: there is no device 'e' above"),
    ("device d\ncalls\n  x = 1", "x:2:1: calls without end"),
    ("device d\ncalls\n  repeat 2\n  end", "x:2:1: calls without end"),
    ("device d\ncalls\n  x = (1\nend", "x:3:9: ')' is missing"),
    ("device d\ncalls\n  x = 1 2\nend", "x:3:9: more than one statement"),
    ("device d\ncalls\n  x = \"a\nend", "x:3:7: a text without end"),
    ("device d\ncalls\n  x = 12q\nend", "x:3:7: '12q' is no number"),
    ("device d\ncalls\n  x = $\nend", "x:3:7: a character that has no meaning here"),
    ("device d\ncalls\n  17\nend", "x:3:5: a call, name = value"),
  ])
  func wrongTextIsSaidWhere(_ text: String, _ message: String) {
    do {
      _ = try Scenario(text: text, name: "x")
      Issue.record("no error for: \(text)")
    } catch {
      #expect(error.description.hasPrefix(message), "\(error.description)")
    }
  }

  @Test(arguments: [
    ("nothing(1)", "x:3:1: there is no function 'nothing'"),
    ("kmalloc()", "x:3:1: kmalloc() takes 1 to 2 arguments, not 0"),
    ("x = y", "x:3:5: 'y' has no value"),
    ("x = 1 / 0", "x:3: division by zero"),
    ("kfree(4096)", "x:3:1: that was not allocated"),
    ("dma_map_single(1, 2, 3, 0)", "x:3:1: a device is wanted"),
    ("dma_map_sg(d, 1, 1, 0)", "x:3:1: a scatterlist is wanted"),
    ("dma_pool_destroy(1)", "x:3:1: a pool is wanted"),
    ("dma_alloc_coherent(d, 4096, dma)", "x:3:1: &name is wanted"),
    ("d = 1", "x:3: 'd' is a device"),
    ("x = &y", "x:3:5: & is for arguments"),
    ("sg_set_page(sg_alloc_table(1), 1, 0, 0, 0)", "x:3:1: the list has no entry 1"),
    ("cpu_write(0, 0xffffffffffff, 1)", "x:3:1: at most 16 MiB"),
    ("dma_buf_put(1)", "x:3:1: a buffer is wanted"),
    ("dma_heap_buffer_alloc(\"magic\", 1)", "x:3:1: a heap is wanted"),
    ("dma_buf_export(\"a\", \"magic\", 1)", "x:3:1: operations are those of struct dma_buf_ops"),
    ("dma_buf_export(\"a\", \"all\", 0)", "x:3:1: 1 byte to 64 MiB"),
    ("dma_buf_pin(d)", "x:3:1: an attachment is wanted"),
    ("dma_fence_put(1)", "x:3:1: a fence is wanted"),
    ("dma_resv_lock(1)", "x:3:1: a reservation object is wanted"),
    ("dma_use_iova(1)", "x:3:1: a range is wanted"),
    ("dmaengine_submit(1)", "x:3:1: a descriptor is wanted"),
    ("dma_release_channel(1)", "x:3:1: a channel is wanted"),
    ("dma_fence_signal()", "x:3:1: dma_fence_signal() takes 1 arguments, not 0"),
  ])
  func wrongCallsAreSaidWhere(_ call: String, _ message: String) throws {
    let scenario = try Scenario(text: "device d\ncalls\n\(call)\nend", name: "x")
    let run = SimulatedRun(scenario)
    let failure = try #require(run.simulation.failure)
    #expect(failure.description.hasPrefix(message), "\(failure.description)")
    #expect(!run.verdict.problems.isEmpty)
  }

  /// Whatever numbers are passed, nothing traps.
  @Test func hostileNumbersDoNoHarm() throws {
    let numbers = [
      "0", "1", "4096", "0x7fffffffffffffff", "0xffffffffffffffff", "0xff11000000000000",
    ]
    for backend in ["direct", "swiotlb", "iommu", "ops"] {
      for coherent in ["yes", "no"] {
        var lines = ["device d backend=\(backend) coherent=\(coherent)", "calls"]
        for a in numbers {
          for b in numbers {
            lines += [
              "m = dma_map_single(d, \(a), \(b), 2)", "dma_unmap_single(d, \(a), \(b), 1)",
              "dma_unmap_single(d, m, \(b), 0)", "p = dma_map_page(d, \(a), \(b), \(b), 0)",
              "dma_sync_single_for_cpu(d, \(a), \(b), 2)",
              "dma_sync_single_for_device(d, \(a), \(b), 1)",
              "r = dma_map_resource(d, \(a), \(b), 0)", "dma_unmap_resource(d, \(a), \(b), 0)",
              "sgt = sg_alloc_table(2)", "sg_set_page(sgt, 0, \(a), \(b), 0)",
              "sg_set_page(sgt, 1, \(b), \(a), 0)", "dma_map_sg(d, sgt, 2, 0)",
              "dma_sync_sg_for_cpu(d, sgt, \(b), 0)", "dma_unmap_sg(d, sgt, \(a), 0)",
              "c = dma_alloc_coherent(d, \(a), &x)", "dma_free_coherent(d, \(a), \(b), \(b))",
              "dma_free_coherent(d, \(b), c, x)", "g = dma_alloc_pages(d, \(a), &x, 0)",
              "dma_free_pages(d, \(b), \(a), x, 0)", "dma_set_mask(d, \(a))",
              "dma_set_mask(d, 0xffffffffffffffff)",
              "e = dma_mmap_coherent(d, &v, \(a), \(b), \(b))",
              "pool = dma_pool_create(\"p\", d, \(a), \(b), 0)", "munmap(\(a), \(b))",
              "dma_declare_coherent_memory(d, \(a), \(b), \(b))", "dma_release_coherent_memory(d)",
              "l = cpu_load(\(a))", "cpu_store(\(b), 1)", "l = device_load(d, \(a))",
              "device_write(d, \(a), 4096, 1)", "w = dma_need_sync(d, \(a))",
              "dma_vunmap_noncontiguous(d, \(a), \(b))", "iounmap(\(b), \(a))",
            ]
          }
        }
        lines.append("end")
        let run = SimulatedRun(try Scenario(text: lines.joined(separator: "\n"), name: "hostile"))
        #expect(run.simulation.failure == nil, "\(run.simulation.failure?.description ?? "")")
      }
    }
  }

  /// The same of what devices share: each order and each number.
  @Test func hostileSharingDoesNoHarm() throws {
    let numbers = ["0", "1", "4095", "4096", "0x7fffffffffffffff", "0xffffffffffffffff"]
    for backend in ["direct", "swiotlb", "iommu", "ops"] {
      var lines = [
        "device d backend=\(backend) coherent=no", "calls",
        "n = dma_heap_buffer_alloc(\"system\", 8192)",
        "a = dma_buf_dynamic_attach(n, d)", "s = dma_buf_map_attachment(a, DMA_TO_DEVICE)",
        "t = sg_alloc_table(1)", "r = dma_buf_resv(n)", "c = dma_request_chan(d, d)",
        "dma_fence_init(&f, \"x\", \"y\", 1, 1)", "k = fence_callback()",
      ]
      for a in numbers {
        for b in numbers {
          lines += [
            "dma_buf_unmap_attachment(a, t, DMA_FROM_DEVICE)", "dma_buf_unpin(a)",
            "h = dma_heap_buffer_alloc(\"carveout\", \(a))", "g = dma_buf_get(\(a))",
            "e = dma_buf_mmap(n, &v, \(a), \(b))", "e = dma_buf_mmap_internal(n, &v, \(b))",
            "p = dma_buf_kmap(n, \(a))", "dma_buf_kunmap(n, \(a), \(b))",
            "dma_buf_kunmap_atomic(n, \(b), \(a))", "dma_buf_vunmap(n, \(a))", "close(\(a))",
            "dma_resv_reserve_fences(r, \(a))", "dma_resv_add_fence(r, f, DMA_RESV_USAGE_READ)",
            "x = dma_resv_wait_timeout(r, 3, 1, \(a) & 1023)", "dma_fence_set_error(f, \(b))",
            "x = dma_buf_import_sync_file(n, \(a), \(b))", "dma_resv_unlock(r)",
            "x = dma_fence_context_alloc(\(a))", "dma_fence_init(&o, \"x\", \"y\", \(a), \(b))",
            "dma_fence_put(o)", "dma_fence_put(o)", "x = dma_iova_try_alloc(d, &i, \(a), \(b))",
            "x = dma_iova_link(d, i, \(a), \(b), \(a), 0, 0)",
            "x = dma_iova_sync(d, i, \(a), \(b))",
            "dma_iova_unlink(d, i, \(a), \(b), 0, 0)", "dma_iova_destroy(d, i, \(b), 0, 0)",
            "dma_iova_free(d, i)", "x = dmaengine_slave_config(c, 2, \(a), 4, \(b))",
            "q = dmaengine_prep_dma_memcpy(c, \(a), \(b), 4096, 0)", "y = dmaengine_submit(q)",
            "q = dmaengine_prep_dma_cyclic(c, \(a), 4096, 64, 2, 0)",
            "x = dmaengine_tx_status(c, \(a), &l)", "dma_async_issue_pending(c)", "wait_us(50)",
            "dmaengine_terminate_async(c)", "dmaengine_synchronize(c)",
          ]
        }
      }
      lines += [
        "dma_release_channel(c)", "dma_release_channel(c)", "dma_buf_put(n)", "dma_buf_put(n)",
        "dma_buf_detach(n, a)", "dma_buf_detach(n, a)", "dma_fence_put(f)", "end",
      ]
      let run = SimulatedRun(try Scenario(text: lines.joined(separator: "\n"), name: "hostile"))
      let failure = run.simulation.failure
      #expect(failure == nil, "\(failure?.description ?? "")")
    }
  }

  @Test func endlessLoopsEnd() throws {
    let text = "device d\ncalls\nrepeat 1000000000\nrepeat 1000000000\nx = 1\nend\nend\nend"
    let simulation = Simulation(try Scenario(text: text, name: "x"), statementLimit: 10_000)
    var batch = EventBatch()
    while simulation.read(into: &batch) {}
    #expect(simulation.failure?.problem == "too many statements")
  }

  @Test func deepNestingIsRefused() {
    for text in [
      "device d\ncalls\nx = " + String(repeating: "(", count: 10_000),
      "device d\ncalls\nx = " + String(repeating: "-", count: 10_000) + "1\nend",
      "device d\ncalls\n" + String(repeating: "repeat 1\n", count: 100),
    ] {
      #expect(throws: ScenarioError.self) { try Scenario(text: text, name: "x") }
    }
  }

  @Test func everyBundledScenarioHasATitleAndIsUnique() throws {
    var names = Set<String>()
    for (name, _) in ScenarioLibrary.all {
      #expect(names.insert(name).inserted)
      let scenario = try #require(try ScenarioLibrary.scenario(name))
      #expect(!scenario.title.isEmpty && scenario.title.count <= 90, "\(name)")
    }
    #expect(names.count >= 30)
    #expect(try ScenarioLibrary.scenario("no such scenario") == nil)
  }

  @Test func faultPlansAreRead() {
    #expect(FaultPlan.parse("unmap-size") == [FaultPlan(.unmapSize, perMillion: 1000)])
    #expect(FaultPlan.parse("unmap-size@0.5") == [FaultPlan(.unmapSize, perMillion: 500_000)])
    #expect(FaultPlan.parse("unmap-size@1%") == [FaultPlan(.unmapSize, perMillion: 10_000)])
    #expect(FaultPlan.parse("leaked-iova@once") == [FaultPlan(.leakedIOVA)])
    #expect(FaultPlan.parse("all@once")?.count == Fault.allCases.count)
    for wrong in ["", "@", "unmap-size@", "unmap-size@0", "unmap-size@-1", "unmap-size@nan", "x@1"]
    {
      #expect(FaultPlan.parse(wrong) == nil, "\(wrong)")
    }
    #expect(Set(Fault.allCases.map(\.name)).count == Fault.allCases.count)
  }
}
