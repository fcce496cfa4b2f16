/**
 * How a driver can break its virtqueue beyond repair. As in QEMU (virtio_error) the device then takes nothing more and
 * asks to be reset: which request would be answered, and where, is no longer known.
 */

export enum QueueFault {
  NONE = 0,
  /** avail.idx is further ahead than the queue has entries. */
  AVAIL_INDEX = 1,
  HEAD = 2,
  NEXT = 3,
  CHAIN_TOO_LONG = 4,
  INDIRECT_NOT_NEGOTIATED = 5,
  INDIRECT_NESTED = 6,
  INDIRECT_WITH_NEXT = 7,
  INDIRECT_LENGTH = 8,
  EMPTY_BUFFER = 9,
  OUTSIDE_WINDOW = 10,
  ORDER = 11,
  /** A head was made available again while its request was in flight. */
  TOO_MANY_IN_FLIGHT = 12,
  /** virtio-blk: fewer than 16 bytes that the device may read. */
  NO_HEADER = 13,
  /** virtio-blk: no byte that the device may write. */
  NO_STATUS = 14,
}

/** What to tell the device's owner. */
export const QUEUE_FAULT_REASONS: Record<QueueFault, string> = {
  [QueueFault.NONE]: "the queue is in order",
  [QueueFault.AVAIL_INDEX]: "avail.idx is further ahead than the queue has entries",
  [QueueFault.HEAD]: "the avail ring names a descriptor that the table does not have",
  [QueueFault.NEXT]: "a descriptor's next is outside its table",
  [QueueFault.CHAIN_TOO_LONG]: "a descriptor chain is a loop, or longer than allowed",
  [QueueFault.INDIRECT_NOT_NEGOTIATED]: "an indirect table without the feature INDIRECT_DESC",
  [QueueFault.INDIRECT_NESTED]: "an indirect table inside an indirect table",
  [QueueFault.INDIRECT_WITH_NEXT]: "a descriptor is both indirect and continued",
  [QueueFault.INDIRECT_LENGTH]: "an indirect table is not made of one or more whole descriptors",
  [QueueFault.EMPTY_BUFFER]: "a buffer of no bytes",
  [QueueFault.OUTSIDE_WINDOW]: "a buffer or table is not inside the window",
  [QueueFault.ORDER]: "a buffer to read follows one to write",
  [QueueFault.TOO_MANY_IN_FLIGHT]: "more requests in flight than the queue has entries",
  [QueueFault.NO_HEADER]: "a request without a readable header of 16 bytes",
  [QueueFault.NO_STATUS]: "a request without a writable status byte",
};
