/**
 * The split virtqueue of virtio 1.2 (section 2.7): three areas in guest memory that driver (guest) and device (host)
 * share. Offsets as in <linux/virtio_ring.h>; all integers little-endian, indices free-running modulo 2^16.
 *
 *   descriptor table   size × 16 bytes   | addr u64 | len u32 | flags u16 | next u16 |
 *   avail  (driver →)  | flags u16 | idx u16 | ring u16 × size | used_event u16 |
 *   used   (→ device)  | flags u16 | idx u16 | { id u32, len u32 } × size | avail_event u16 |
 */

/** The largest queue that this host offers; virtio allows 32768. */
export const VIRTQUEUE_SIZE_MAX = 1024;

/** struct vring_desc. */
export const enum VringDesc {
  ADDR = 0,
  LEN = 8,
  FLAGS = 12,
  NEXT = 14,
  SIZE = 16,
}

/** VRING_DESC_F_*. */
export enum VringDescFlag {
  NEXT = 1,
  /** The device writes this buffer. */
  WRITE = 2,
  INDIRECT = 4,
}

/** struct vring_avail; `used_event` follows the ring: at RING + 2 × size. */
export const enum VringAvail {
  FLAGS = 0,
  IDX = 2,
  RING = 4,
  ELEMENT_SIZE = 2,
}

/** VRING_AVAIL_F_NO_INTERRUPT: without EVENT_IDX, the driver wants no interrupt. */
export const VRING_AVAIL_F_NO_INTERRUPT = 1;

/** struct vring_used; `avail_event` follows the ring: at RING + 8 × size. */
export const enum VringUsed {
  FLAGS = 0,
  IDX = 2,
  RING = 4,
  ELEMENT_SIZE = 8,
}

/** struct vring_used_elem. */
export const enum VringUsedElement {
  ID = 0,
  LEN = 4,
}

/** VRING_USED_F_NO_NOTIFY: without EVENT_IDX, the device wants no kick. */
export const VRING_USED_F_NO_NOTIFY = 1;

/** Alignment of the three areas, bytes. */
export const VRING_DESC_ALIGN = 16;
export const VRING_AVAIL_ALIGN = 2;
export const VRING_USED_ALIGN = 4;

/** Bit numbers (not masks) of the device-independent features, 0 to 63. */
export enum VirtioFeature {
  /** VIRTIO_RING_F_INDIRECT_DESC. */
  INDIRECT_DESC = 28,
  /** VIRTIO_RING_F_EVENT_IDX. */
  EVENT_IDX = 29,
  VERSION_1 = 32,
}
