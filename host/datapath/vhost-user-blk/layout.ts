/**
 * The vhost-user protocol as far as a block device needs it: message numbers, header, payloads, feature bits. Offsets
 * are those of the specification (qemu's docs/interop/vhost-user, "Message Specification"); integers are in the
 * machine's own order, which is little-endian wherever this library runs.
 *
 *   header 12 bytes   | request u32 | flags u32 | payload size u32 |
 */

/** VHOST_USER_*: what the front end, us, may send. */
export enum Request {
  GET_FEATURES = 1,
  SET_FEATURES = 2,
  SET_OWNER = 3,
  SET_MEM_TABLE = 5,
  SET_VRING_NUM = 8,
  SET_VRING_ADDR = 9,
  SET_VRING_BASE = 10,
  GET_VRING_BASE = 11,
  SET_VRING_KICK = 12,
  SET_VRING_CALL = 13,
  SET_VRING_ERR = 14,
  GET_PROTOCOL_FEATURES = 15,
  SET_PROTOCOL_FEATURES = 16,
  SET_VRING_ENABLE = 18,
  GET_CONFIG = 24,
}

export const enum Header {
  REQUEST = 0,
  FLAGS = 4,
  LENGTH = 8,
  SIZE = 12,
}

export const enum HeaderFlag {
  /** The only version there is, in the lowest two bits. */
  VERSION = 1,
  VERSION_MASK = 3,
  REPLY = 4,
  /** The answer to a message without one of its own is to be a u64, 0 for success. */
  NEED_REPLY = 8,
}

/** struct vhost_vring_state. */
export const enum VringState {
  INDEX = 0,
  NUM = 4,
  SIZE = 8,
}

/** struct vhost_vring_addr. */
export const enum VringAddr {
  INDEX = 0,
  FLAGS = 4,
  DESC_USER_ADDR = 8,
  USED_USER_ADDR = 16,
  AVAIL_USER_ADDR = 24,
  LOG_GUEST_ADDR = 32,
  SIZE = 40,
}

/** The memory table before its regions. */
export const enum MemoryTable {
  REGIONS = 0,
  PADDING = 4,
  SIZE = 8,
}

export const enum MemoryRegion {
  GUEST_PHYS_ADDR = 0,
  MEMORY_SIZE = 8,
  USERSPACE_ADDR = 16,
  MMAP_OFFSET = 24,
  SIZE = 32,
}

/** What stands before the bytes of the device's configuration space. */
export const enum ConfigHeader {
  OFFSET = 0,
  LENGTH = 4,
  FLAGS = 8,
  SIZE = 12,
}

/** A payload of one u64: features, acknowledgements, and which vring a descriptor belongs to. */
export const U64_BYTES = 8;

/** VHOST_USER_F_PROTOCOL_FEATURES: a bit number among the virtio features. */
export const F_PROTOCOL_FEATURES = 30;

/** VHOST_USER_PROTOCOL_F_*, bit numbers: those that are used if offered. */
export const enum ProtocolFeature {
  REPLY_ACK = 3,
  CONFIG = 9,
}
