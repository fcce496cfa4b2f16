/**
 * Who serves a device's virtqueue: the guest's own thread inside its calls, a thread of its own (iothread, vhost-blk,
 * vdpa-sim), or another process (vhost-user). The device's state machine (`blk-device.ts`) is the same for all and
 * drives one of these.
 */

/** Where the one queue of a block device lies: offsets in guest memory, checked to be inside the window. */
export interface QueueSetup {
  /** A power of two, 1 to 1024. */
  size: number;
  descOffset: number;
  availOffset: number;
  usedOffset: number;
  /** Free-running index of the next avail entry to take; 0 unless resumed. */
  availIndex: number;
  /** The negotiated features. */
  features: bigint;
}

/** The window of guest memory that holds queue and buffers. */
export interface WindowRange {
  offset: number;
  length: number;
}

export interface QueueService {
  /** Whether the used ring advances without calls from the guest's thread. */
  readonly selfRunning: boolean;
  /**
   * 0 while it serves, or the negated errno for which it ended: -EPROTO when the driver broke the queue (a
   * `QueueFault`), -EIO, -ENODEV when the thread or process is gone. `kick` and `wait` answer the same; a driver that
   * only polls learns it from the status register.
   */
  readonly failure: number;
  /** Makes the window reachable for whoever serves. 0 or a negated errno. Called once. */
  setWindow(window: WindowRange): number;
  /** Begins to serve. 0 or a negated errno. */
  start(queue: QueueSetup): number;
  /**
   * Stops taking requests and completes those taken. Returns the free-running index of the next avail entry that would
   * have been taken, so that `start` can resume there; or a negated errno when something taken will never complete.
   */
  stop(): number;
  /** The guest's kick. Does not allocate. 0, or a negated errno when the service is gone (-EIO, -ENODEV). */
  kick(): number;
  /**
   * Waits for an interrupt: 1 when there was one since the last call, -ETIME, -EINTR when the guest is to end, or
   * another negated errno when the service is gone.
   */
  wait(timeoutUs: number): number;
  /** Gives everything back; after it nothing touches the window. Idempotent. */
  close(): void;
}
