/**
 * How a guest comes to a disk behind a virtqueue: finding the device by name, agreeing on features, learning what the
 * disk is, and making its queue ready. The requests are in virtio-block.ts.
 */
import {
  Errno,
  VIRTIO_BLK_SECTOR_BYTES,
  VIRTIO_ID_BLOCK,
  VirtioBlkConfig,
  VirtioBlkFeature,
  VirtioDeviceFlag,
  VirtioDeviceInfo,
  VirtioFeature,
  VirtioStatus,
} from "../abi";
import { BlockDevice } from "../block";
import { virtioFind } from "../virtio-host";
import { Virtqueue } from "../virtq";
import { featureBit, VirtioTransport } from "./virtio-transport";
import { VirtioWindow } from "./virtio-window";

/** Every feature that this driver knows what to do with. */
function wantedFeatures(): u64 {
  return (
    featureBit(VirtioFeature.INDIRECT_DESC) |
    featureBit(VirtioFeature.EVENT_IDX) |
    featureBit(VirtioBlkFeature.RO) |
    featureBit(VirtioBlkFeature.BLK_SIZE) |
    featureBit(VirtioBlkFeature.FLUSH) |
    featureBit(VirtioBlkFeature.DISCARD) |
    featureBit(VirtioBlkFeature.WRITE_ZEROES)
  );
}

export abstract class VirtioBlockSetup extends BlockDevice {
  /** Features not to be agreed on, a bit each; set before a disk is opened. For tests and comparisons. */
  static refusedFeatures: u64 = 0;
  // Made by `setup`. Not declared with "!", because then every access of the hot loop would be checked.
  protected queue: Virtqueue = changetype<Virtqueue>(0);
  protected window: VirtioWindow = changetype<VirtioWindow>(0);
  protected transport: VirtioTransport = changetype<VirtioTransport>(0);
  /** What the imports of module `virtio` take. */
  handle: i32 = -1;
  /** Most sectors of one discard and one write zeroes; longer ones are done in pieces. */
  protected discardSectorsMax: u32 = 0;
  protected zeroesSectorsMax: u32 = 0;

  /**
   * Opens the device of this name and makes its queue ready.
   *
   * @returns 0 or a negated errno: -ENOENT no such device, -ENODEV not a disk, -ENOMEM the window would be too large
   */
  setup(name: string, depth: u32, bufferBytes: u32): i32 {
    if (depth == 0 || bufferBytes == 0) return -(<i32>Errno.EINVAL);
    const encoded = String.UTF8.encode(name);
    const info = heap.alloc(VirtioDeviceInfo.SIZE);
    const handle = virtioFind(changetype<usize>(encoded), encoded.byteLength, info);
    const flags = load<u32>(info, VirtioDeviceInfo.FLAGS);
    const pageBytes = load<u32>(info, VirtioDeviceInfo.PAGE_SIZE);
    const blockBytes = load<u32>(info, VirtioDeviceInfo.BLOCK_SIZE);
    heap.free(info);
    if (handle < 0) return handle;
    this.handle = handle;
    this.isSelfRunning = (flags & VirtioDeviceFlag.SELF_RUNNING) != 0;
    const transport = new VirtioTransport(handle);
    this.transport = transport;
    const features = wantedFeatures() & ~VirtioBlockSetup.refusedFeatures;
    const agreed = transport.negotiate(VIRTIO_ID_BLOCK, features);
    if (agreed < 0) return agreed;
    this.describe(max(blockBytes, 512));
    const window = new VirtioWindow(transport);
    const placed = window.place(depth, bufferBytes, pageBytes);
    if (placed < 0) return transport.fail(placed);
    this.adopt(window);
    const started = transport.addStatus(VirtioStatus.DRIVER_OK);
    if (started < 0) return transport.fail(started);
    return transport.needsReset ? -(<i32>Errno.EIO) : 0;
  }

  /** What the disk is and can do, by its features and configuration. */
  private describe(blockBytes: u32): void {
    const transport = this.transport;
    const sectors = transport.config64(VirtioBlkConfig.CAPACITY);
    this.setGeometry(sectors * VIRTIO_BLK_SECTOR_BYTES, blockBytes);
    this.isReadOnly = transport.has(VirtioBlkFeature.RO);
    this.canFlush = !this.isReadOnly && transport.has(VirtioBlkFeature.FLUSH);
    if (transport.has(VirtioBlkFeature.DISCARD)) {
      this.discardSectorsMax = this.wholeBlocks(VirtioBlkConfig.MAX_DISCARD_SECTORS);
    }
    if (transport.has(VirtioBlkFeature.WRITE_ZEROES)) {
      this.zeroesSectorsMax = this.wholeBlocks(VirtioBlkConfig.MAX_WRITE_ZEROES_SECTORS);
    }
    this.canDiscard = !this.isReadOnly && this.discardSectorsMax != 0;
    this.canWriteZeroes = !this.isReadOnly && this.zeroesSectorsMax != 0;
  }

  /** A limit in sectors, so that pieces of that length stay aligned to blocks. */
  private wholeBlocks(field: u32): u32 {
    const unit = this.blockBytes / VIRTIO_BLK_SECTOR_BYTES;
    return this.transport.config32(field) & ~(unit - 1);
  }

  private adopt(window: VirtioWindow): void {
    this.window = window;
    this.queue = window.queue;
    this.depth = window.depth;
    this.windowStart = window.start;
    this.windowBytes = window.end - window.start;
    this.buffers = window.buffers;
    this.strideBytes = window.strideBytes;
  }
}
