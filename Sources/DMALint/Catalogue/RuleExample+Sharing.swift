// SPDX-License-Identifier: MIT

/// Lines that examples about dma-bufs have in common.
extension RuleExample {
  static let export = "dma_buf_export: exp_name=system size=4096 ino=1"
  static let descriptor = "dma_buf_fd: exp_name=system size=4096 ino=1 fd=5"
  static let get = "dma_buf_get: exp_name=system size=4096 ino=1 fd=5"
  static let put = "dma_buf_put: exp_name=system size=4096 ino=1"
  static let attach =
    "dma_buf_dynamic_attach: exp_name=system size=4096 ino=1 attachment:ff11000005f8d940 "
    + "is_dynamic=0 dev_name=0000:00:03.0"
  static let detach =
    "dma_buf_detach: exp_name=system size=4096 ino=1 attachment:ff11000005f8d940 "
    + "is_dynamic=0 dev_name=0000:00:03.0"
  static let dynamicAttach =
    "dma_buf_dynamic_attach: exp_name=system size=4096 ino=1 attachment:ff11000005f8d940 "
    + "is_dynamic=1 dev_name=0000:00:03.0"
  static let pin = attachmentProbe("dma_buf_pin")
  static let unpin = attachmentProbe("dma_buf_unpin")
  static let moveNotify = probe("dma_buf_move_notify", "ino=1")
  /// The device reads the buffer.
  static let deviceRead = probe("dma_buf_access", "ino=1 dir=1 device=\"0000:00:03.0\"")
  static let mapList =
    "dma_map_sg: 0000:00:03.0 dir=TO_DEVICE nents=1/1 ents=1/1 dma_addrs={0x9400000} "
    + "sizes={0x1000} phys_addrs={0x9400000} attrs="
  static let unmapList = "dma_unmap_sg: 0000:00:03.0 dir=TO_DEVICE phys_addrs={0x9400000} attrs="
  static let mapAttachment = attachmentProbe("dma_buf_map_attachment")
  static let unmapAttachment = attachmentProbe("dma_buf_unmap_attachment")

  private static func attachmentProbe(_ function: String) -> String {
    probe(
      function,
      "ino=1 attachment=0xff11000005f8d940 device=\"0000:00:03.0\" dir=1"
    )
  }

  /// A hit of a probe on the beginning of a function.
  static func probe(_ function: String, _ fields: String) -> String {
    "\(function): (\(function)+0x0/0x100) \(fields)"
  }

  /// An event of the fence 1 of context 7.
  static func fence(_ event: String) -> String {
    "dma_fence_\(event): driver=beta timeline=ring context=7 seqno=1"
  }

  /// The fence 1 of context 7 guards buffer 1 for writing.
  static let fenceAdd = probe(
    "dma_resv_add_fence",
    "ino=1 usage=1 driver=beta timeline=ring context=7 seqno=1"
  )

  /// A call on a range of IOVA that begins at 0x10000.
  static func iova(_ function: String, _ size: Int, offset: Int = 0) -> String {
    probe(
      "dma_iova_" + function,
      "device=\"0000:00:03.0\" dma_addr=0x10000 offset=\(offset) size=\(size) phys_addr=0x9400000"
        + " dir=1"
    )
  }

  /// A call on a channel of dmaengine.
  static func channel(_ function: String, _ fields: String = "") -> String {
    probe(function, "channel=\"dma0chan3\" device=\"0000:00:03.0\"" + fields)
  }

  static let mapBuffer =
    "dma_map_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=4096 phys_addr=1000 attrs="
  static let unmapBuffer =
    "dma_unmap_phys: 0000:00:03.0 dir=TO_DEVICE dma_addr=1000 size=4096 attrs="
  static let prepare = channel(
    "dmaengine_prep",
    " type=slave_sg dma_addr=0x1000 size=4096 nents=1 dir=1"
  )
}
