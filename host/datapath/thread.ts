/**
 * The guest's side of a device that a thread of its own serves (iothread, vhost-blk, vdpa-sim): commands by shared
 * words, the kick and the interrupt by eventfds. It never waits for a thread that is gone, nor for ever.
 */
import { Errno } from "../abi";
import type { EventFds } from "../ffi/event-fd";
import type { QueueService, QueueSetup, WindowRange } from "../virtio/service";
import { Command, type DeviceControl } from "./control";
import type { Doorbells } from "./plan";
import { deadlineOf, type ServiceContext, SLICE_US } from "./service-context";

/** How long a command may take: the thread drains for half of it at most. */
const COMMAND_TIMEOUT_MS = 10_000;
const SLICE_MS = SLICE_US / 1000;

export class ThreadService implements QueueService {
  readonly selfRunning = true;
  readonly #control: DeviceControl;
  readonly #doorbells: Doorbells;
  readonly #context: ServiceContext;
  readonly #events: EventFds;

  constructor(
    control: DeviceControl,
    doorbells: Doorbells,
    context: ServiceContext,
    events: EventFds,
  ) {
    this.#events = events;
    this.#control = control;
    this.#doorbells = doorbells;
    this.#context = context;
  }

  get failure(): number {
    if (this.#control.gone()) return -Errno.EIO;
    return this.#control.fault === 0 ? 0 : -Errno.EPROTO;
  }

  setWindow(window: WindowRange): number {
    const shared = this.#context.shareWindow(window);
    if (typeof shared === "number") return shared;
    this.#control.publishWindow(shared);
    return 0;
  }

  start(queue: QueueSetup): number {
    this.#events.take(this.#doorbells.call);
    return this.#command(Command.START, queue);
  }

  stop(): number {
    return this.#command(Command.STOP);
  }

  kick(): number {
    const failure = this.failure;
    if (failure !== 0) return failure;
    this.#control.countKick();
    return this.#events.signal(this.#doorbells.kick);
  }

  wait(timeoutUs: number): number {
    const { call } = this.#doorbells;
    this.#control.countWait();
    const end = timeoutUs > 0 ? deadlineOf(timeoutUs) : 0;
    let leftUs = timeoutUs < 0 ? SLICE_US : Math.min(timeoutUs, SLICE_US);
    for (;;) {
      const readable = leftUs > 0 ? this.#events.waitReadable(call, -1, -1, leftUs) : 1;
      const called = readable > 0 ? this.#events.take(call) : readable;
      const failure = this.failure;
      if (failure !== 0) return failure;
      if (called !== 0) return called > 0 ? 1 : called;
      if (this.#context.stop.stopped()) return -Errno.EINTR;
      if (timeoutUs < 0) continue;
      leftUs = timeoutUs === 0 ? 0 : Math.min((end - performance.now()) * 1000, SLICE_US);
      if (leftUs <= 0) return -Errno.ETIME;
    }
  }

  /** The thread is the embedder's, which ends it after this one. */
  close(): void {}

  #command(command: Command, queue?: QueueSetup): number {
    if (this.#control.gone()) return -Errno.EIO;
    const number = this.#control.give(command, queue);
    this.#events.signal(this.#doorbells.kick);
    const end = performance.now() + COMMAND_TIMEOUT_MS;
    while (!this.#control.awaitDone(number, SLICE_MS)) {
      if (this.#control.gone()) return -Errno.EIO;
      if (this.#context.stop.stopped()) return -Errno.EINTR;
      if (performance.now() > end) return -Errno.ETIME;
    }
    return this.#control.result;
  }
}
