/**
 * What a device's thread does: obeys commands, and serves the queue. While there is something to do, and for
 * `pollUs` afterwards, it looks at the avail ring and at its completions by itself, and the guest need not kick;
 * then it asks for kicks, looks once more, and sleeps in ppoll(2) on the kick and on its back end.
 */
import { assert } from "../errors";
import { type EventFds, Readable } from "../ffi/event-fd";
import type { Scheduler } from "../ffi/scheduler";
import type { BlkServer } from "../virtio/blk-server";
import { QueueFault } from "../virtio/queue-fault";
import { Command, type DeviceControl } from "./control";
import type { ThreadPlan } from "./plan";
import type { ServedDisk } from "./served-disk";
import { SLICE_US } from "./service-context";

/** Looks at the queue between two looks at the clock. */
const LOOKS = 32;

export interface QueueLoopOptions {
  disk: ServedDisk;
  control: DeviceControl;
  plan: ThreadPlan;
  events: EventFds;
  scheduler: Scheduler;
}

export class QueueLoop {
  readonly #disk: ServedDisk;
  readonly #control: DeviceControl;
  readonly #plan: ThreadPlan;
  readonly #events: EventFds;
  readonly #scheduler: Scheduler;

  constructor({ disk, control, plan, events, scheduler }: QueueLoopOptions) {
    this.#disk = disk;
    this.#control = control;
    this.#plan = plan;
    this.#events = events;
    this.#scheduler = scheduler;
  }

  /** Until the embedder's thread says to quit. */
  run(): void {
    const control = this.#control;
    while (!control.quitting()) {
      const command = control.pendingCommand();
      if (command !== 0) control.done(this.#obey(command));
      const { server } = this.#disk;
      if (server === null || server.fault !== QueueFault.NONE) this.#sleep(-1);
      else this.#serve(server);
    }
  }

  #obey(command: Command): number {
    if (command === Command.START) return this.#disk.start(this.#control.queue());
    assert(command === Command.STOP, "a command that a device's thread does not know");
    const result = this.#disk.stop(() => this.#control.quitting());
    this.#events.signal(this.#plan.doorbells.call);
    return result;
  }

  /** Serves until a command comes, or the driver broke the queue. */
  #serve(server: BlkServer): void {
    const control = this.#control;
    server.suppressKicks();
    while (!control.quitting() && control.pendingCommand() === 0) {
      if (this.#work(server) || this.#poll(server)) continue;
      if (server.fault !== QueueFault.NONE) {
        this.#break(server);
        if (server.inFlight === 0) return;
      }
      // What is available but cannot be taken, because too much is in flight, waits for a completion.
      if (server.wantKicks() && server.hasWork()) {
        server.suppressKicks();
        continue;
      }
      const { backend } = this.#disk;
      if (backend.inFlight === 0) this.#sleep(-1);
      else if (backend.arm()) {
        this.#sleep(backend.eventFd);
        backend.disarm();
      }
      server.suppressKicks();
    }
  }

  /** One round; whether there was anything to do. */
  #work(server: BlkServer): boolean {
    const taken = server.serveAvail();
    const answered = server.reapCompletions();
    if (answered > 0) this.#disk.count(answered);
    if (server.takeInterrupt()) {
      this.#control.countInterrupt();
      this.#events.signal(this.#plan.doorbells.call);
    }
    return taken + answered > 0;
  }

  /** Looks for work for `pollUs`; whether some came. */
  #poll(server: BlkServer): boolean {
    const { pollUs } = this.#plan;
    if (pollUs === 0 || server.fault !== QueueFault.NONE) return false;
    const end = performance.now() + pollUs / 1000;
    do {
      for (let look = 0; look < LOOKS; look++) {
        if (this.#work(server)) return true;
      }
      if (this.#control.quitting() || this.#control.pendingCommand() !== 0) return true;
      // The guest may wait for this very processor: then polling would keep away what it polls for.
      this.#scheduler.yieldProcessor();
    } while (performance.now() < end);
    return false;
  }

  /** Says so to the guest's thread, once; what is in flight still completes. */
  #break(server: BlkServer): void {
    if (this.#control.fault !== QueueFault.NONE) return;
    this.#control.setFault(server.fault);
    this.#events.signal(this.#plan.doorbells.call);
  }

  #sleep(backendEventFd: number): void {
    const { kick } = this.#plan.doorbells;
    const readable = this.#events.waitReadable(kick, backendEventFd, -1, SLICE_US);
    if ((readable & Readable.FIRST) !== 0) this.#events.take(kick);
  }
}
