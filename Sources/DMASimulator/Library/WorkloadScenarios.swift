// SPDX-License-Identifier: MIT

/// Drivers at work.
enum WorkloadScenarios {
  static let all: [(name: String, text: String)] = [
    (
      "desktop",
      """
      title     A desktop: network, disk, USB, sound, camera, graphics and more, all at once
      about     Each device is mapped as its hardware asks for: the network card directly, the disk
      about     behind an IOMMU, USB through the bounce buffer when memory lies above 4 GiB, sound in
      about     coherent memory, the virtual disk of a confidential guest always through the bounce
      about     buffer. Camera, graphics card and display share buffers, and a serial port has its
      about     bytes moved by a DMA controller.
      duration  2s
      machine   memory=256M high=256M cpus=4
      device    nic0 name=0000:02:00.0 driver=igb
      device    nvme0 name=0000:03:00.0 driver=nvme backend=iommu
      device    usb0 name=0000:00:14.0 driver=xhci_hcd address-bits=32
      device    snd0 name=0000:00:1f.3 driver=snd_hda_intel
      device    virtio0 name=0000:00:05.0 driver=virtio-pci backend=swiotlb
      device    gpu0 name=0000:01:00.0 driver=amdgpu
      device    disp0 name=0000:00:02.0 driver=i915 backend=iommu
      device    cam0 name=0000:00:04.0 driver=intel-ipu6 backend=iommu
      device    dma0 name=idma64.0 bus=platform driver=idma64 backend=iommu
      device    uart0 name=0000:00:1e.0 driver=intel-lpss
      workload  nic device=nic0 rate=20000 mode=recycle
      workload  nvme device=nvme0 rate=4000
      workload  usb device=usb0 rate=1000
      workload  audio device=snd0
      workload  virtio device=virtio0 rate=1000
      workload  camera device=cam0 encoder=gpu0 display=disp0
      workload  gpu device=gpu0 display=disp0
      workload  dmaengine device=uart0 controller=dma0
      """
    ),
    (
      "nic",
      """
      title     A network card that maps a buffer for each packet
      duration  200ms
      device    nic0 driver=e1000e
      workload  nic device=nic0
      """
    ),
    (
      "nic-recycle",
      """
      title     A network card whose pages stay mapped
      about     Only syncs are seen for most packets: for the CPU before it looks, for the device before
      about     the page goes back into the ring.
      duration  200ms
      device    nic0 driver=igb
      workload  nic device=nic0 mode=recycle
      """
    ),
    (
      "nic-xdp",
      """
      title     A network card that sends what it received, from the same page
      about     The pages are mapped DMA_BIDIRECTIONAL: both sides write to them.
      duration  200ms
      device    nic0 driver=ixgbe backend=iommu
      workload  nic device=nic0 mode=xdp
      """
    ),
    (
      "nic-jumbo",
      """
      title     Packets of several pages; what is sent is a list
      duration  200ms
      device    nic0 driver=mlx5_core backend=iommu
      workload  nic device=nic0 mode=jumbo
      """
    ),
    (
      "nvme",
      """
      title     A disk behind an IOMMU: lists are merged to few segments
      duration  200ms
      device    nvme0 driver=nvme backend=iommu
      workload  nvme device=nvme0
      """
    ),
    (
      "nvme-direct",
      """
      title     A disk without IOMMU: every page is a segment
      duration  200ms
      device    nvme0 driver=nvme
      workload  nvme device=nvme0
      """
    ),
    (
      "usb",
      """
      title     A USB host with 32 address lines in a machine with memory above 4 GiB
      duration  500ms
      device    usb0 driver=xhci_hcd address-bits=32
      workload  usb device=usb0
      """
    ),
    (
      "audio",
      """
      title     A sound card: cyclic buffers that a process has mapped
      duration  5s
      device    snd0 driver=snd_hda_intel
      workload  audio device=snd0
      """
    ),
    (
      "virtio",
      """
      title     A disk of a confidential VM
      about     The memory of the guest is private. What a device is to see goes through the bounce
      about     buffer, which is shared; an access to anything else fails.
      duration  200ms
      machine   swiotlb=8M confidential=yes
      device    virtio0 driver=virtio-pci backend=swiotlb
      workload  virtio device=virtio0
      """
    ),
    (
      "camera",
      """
      title     A camera: sensor, encoder and display share frames, with fences
      about     Each frame is a buffer of the system heap with three attachments. The sensor's fence
      about     makes the others wait; a process reads some of each frame between begin and end.
      duration  2s
      device    cam0 driver=intel-ipu6 backend=iommu
      device    venc0 driver=amdgpu
      device    disp0 driver=i915 backend=iommu
      workload  camera device=cam0 encoder=venc0 display=disp0
      """
    ),
    (
      "gpu",
      """
      title     A graphics card renders, a display of another driver shows, surfaces are evicted
      about     The card's driver exports its surfaces; the display imports them and maps them anew
      about     when they have moved. Sync files carry the fences of the images.
      duration  2s
      device    gpu0 driver=amdgpu
      device    disp0 driver=i915 backend=iommu
      workload  gpu device=gpu0 display=disp0
      """
    ),
    (
      "dmaengine",
      """
      title     A serial port whose bytes a DMA controller moves, and copies
      about     The client maps for the controller. Copies go through a range of IO virtual addresses;
      about     what the port receives goes round in a ring.
      duration  1s
      device    dma0 name=idma64.0 bus=platform driver=idma64 backend=iommu
      device    uart0 driver=intel-lpss
      workload  dmaengine device=uart0 controller=dma0
      """
    ),
    (
      "sharing",
      """
      title     Camera, graphics card and DMA controllers: everything that shares
      duration  2s
      device    cam0 driver=intel-ipu6 backend=iommu
      device    venc0 driver=amdgpu
      device    disp0 driver=i915 backend=swiotlb
      device    gpu0 driver=nouveau
      device    dma0 driver=dw_dmac backend=iommu
      device    dma1 driver=pl330
      device    uart0 driver=intel-lpss
      device    spi0 driver=spi-pxa2xx
      workload  camera device=cam0 encoder=venc0 display=disp0
      workload  gpu device=gpu0 display=disp0
      workload  dmaengine device=uart0 controller=dma0
      workload  dmaengine device=spi0 controller=dma1
      """
    ),
    (
      "sharing-board",
      """
      title     A board without coherent caches whose devices share frames
      about     The bytes are right only because every map, unmap and access of the CPU syncs.
      duration  1s
      machine   memory=128M high=0 coherent=no
      device    csi0 name=32e00000.csi bus=platform driver=imx-mipi-csis coherent=no address-bits=32
      device    vpu0 name=38300000.vpu bus=platform driver=hantro-vpu coherent=no address-bits=32
      device    lcd0 name=32e80000.lcd bus=platform driver=imx-lcdif coherent=no address-bits=32
      device    gpu0 name=38000000.gpu bus=platform driver=etnaviv coherent=no address-bits=32
      device    sdma0 name=30bd0000.dma bus=platform driver=imx-sdma coherent=no address-bits=32
      device    spi0 name=30820000.spi bus=platform driver=spi-imx coherent=no address-bits=32
      workload  camera device=csi0 encoder=vpu0 display=lcd0
      workload  gpu device=gpu0 display=lcd0
      workload  dmaengine device=spi0 controller=sdma0
      """
    ),
    (
      "embedded",
      """
      title     An embedded board whose devices do not see the CPU's caches
      about     Every sync matters here: without it one side reads what is stale.
      duration  200ms
      machine   memory=128M high=0 coherent=no
      device    eth0 name=30be0000.ethernet bus=platform driver=fec coherent=no address-bits=32
      device    mmc0 name=30b40000.mmc bus=platform driver=sdhci-esdhc-imx coherent=no address-bits=32
      device    sai0 name=30030000.sai bus=platform driver=imx-sai coherent=no address-bits=32
      workload  nic device=eth0 rate=5000 mode=recycle
      workload  nvme device=mmc0 rate=500 depth=4
      workload  audio device=sai0
      """
    ),
    (
      "bridge",
      """
      title     A device behind a bridge with dma_map_ops of its own
      about     The bridge shows memory at an offset: DMA addresses are not physical addresses.
      duration  200ms
      device    nic0 driver=bcmgenet backend=ops
      workload  nic device=nic0
      """
    ),
    (
      "faulty-desktop",
      """
      title     The desktop with drivers that make mistakes now and then
      duration  2s
      machine   memory=256M high=256M cpus=4
      device    nic0 name=0000:02:00.0 driver=igb
      device    nvme0 name=0000:03:00.0 driver=nvme backend=iommu
      device    usb0 name=0000:00:14.0 driver=xhci_hcd address-bits=32
      device    snd0 name=0000:00:1f.3 driver=snd_hda_intel
      device    virtio0 name=0000:00:05.0 driver=virtio-pci backend=swiotlb
      workload  nic device=nic0 rate=20000 mode=map
      workload  nvme device=nvme0 rate=4000
      workload  usb device=usb0 rate=1000
      workload  audio device=snd0
      workload  virtio device=virtio0 rate=1000
      fault     all@0.0005
      """
    ),
    (
      "faulty-board",
      """
      title     An embedded board whose drivers make mistakes that only the bytes show
      duration  500ms
      machine   memory=128M high=0 coherent=no
      device    eth0 name=0000:01:00.0 driver=fec coherent=no address-bits=32
      device    mmc0 name=0000:02:00.0 driver=sdhci coherent=no backend=iommu
      workload  nic device=eth0 rate=5000 mode=map
      workload  nvme device=mmc0 rate=500 depth=4
      fault     all@0.002
      """
    ),
    (
      "faulty-sharing",
      """
      title     Drivers that share buffers, and make mistakes with them
      duration  2s
      device    cam0 driver=intel-ipu6 backend=iommu
      device    venc0 driver=amdgpu
      device    disp0 driver=i915 backend=swiotlb
      device    gpu0 driver=nouveau
      device    dma0 driver=dw_dmac backend=iommu
      device    dma1 driver=pl330
      device    uart0 driver=intel-lpss
      device    spi0 driver=spi-pxa2xx
      workload  camera device=cam0 encoder=venc0 display=disp0
      workload  gpu device=gpu0 display=disp0
      workload  dmaengine device=uart0 controller=dma0
      workload  dmaengine device=spi0 controller=dma1
      fault     all@0.02
      """
    ),
  ]
}
