/**
 * How an idle guest is woken (design D13): its thread sleeps in ppoll(2) on an eventfd that is registered with the
 * guest's ring, the talk's irqfd, in slices after which it looks at the stop signal. A ring has one eventfd; while
 * the guest is idle it is this one, and the embedder's own is signalled from here by the same count.
 *
 * The signal only ends the sleep. Whether the guest is told is decided by the words of its CQ: something was posted
 * since it was told last, it has not taken all of it, and it did not ask for quiet by IORING_CQ_EVENTFD_DISABLED.
 * So nothing is lost that was posted before the eventfd was registered, or between the guest's last look and its
 * sleep.
 */
import { writeSync } from "node:fs";
import { CqFlag, EnterFlag, SqFlag } from "../abi";
import type { EventFds } from "../ffi/event-fd";
import type { GuestMemory } from "../memory/guest-memory";
import { type RingEngine, SLICE_MS, type StopSignal } from "./engine";

const SLICE_US = SLICE_MS * 1000;

export interface InterruptOptions {
  engine: RingEngine;
  memory: () => GuestMemory;
  stop: StopSignal;
  /** null: a platform without eventfds. */
  eventFds: EventFds | null;
  /** A non-blocking eventfd of the host's own, -1 for none. */
  interruptFd: number;
  /** The embedder's. */
  eventFd: number | undefined;
}

export class Interrupts {
  readonly #options: InterruptOptions;
  /** Whether the ring signals `interruptFd`; otherwise what is in flight goes on inside enter alone. */
  readonly #signalled: boolean;
  readonly #restWord = new Int32Array(new SharedArrayBuffer(4));
  /** The CQ's tail when the guest last was told. */
  #seenTail: number;

  constructor(options: InterruptOptions) {
    const { engine, eventFds, interruptFd } = options;
    this.#options = options;
    this.#signalled = eventFds !== null && interruptFd >= 0 && engine.signalTo(interruptFd);
    // What lies in the queue already raised its signal before anybody here listened.
    this.#seenTail = this.#word(engine.layout.cqHead);
  }

  /**
   * Sleeps until completions were posted that the guest wants to be told of.
   *
   * @returns false when the guest is to end instead
   */
  wait(): boolean {
    const { stop } = this.#options;
    this.#collect();
    while (!stop.stopped()) {
      this.forward();
      if (this.#isNews()) return true;
      this.#sleep();
    }
    return false;
  }

  /** Passes on to the embedder what was signalled so far; once more when the guest has ended. */
  forward(): void {
    const { eventFds, interruptFd, eventFd, engine } = this.#options;
    if (eventFds === null || !this.#signalled) return;
    const signals = eventFds.take(interruptFd);
    if (signals <= 0) return;
    // Mirrored: the host's ring signalled. Only enter moves what it completed to the guest's queue.
    if (engine.name === "mirrored") this.#collect();
    else if (eventFd !== undefined) addTo(eventFd, signals);
  }

  #isNews(): boolean {
    const { cqHead, cqTail, cqFlags } = this.#options.engine.layout;
    const tail = this.#word(cqTail);
    if (tail === this.#seenTail) return false;
    const isMasked = (this.#word(cqFlags) & CqFlag.EVENTFD_DISABLED) !== 0;
    const isTaken = tail === this.#word(cqHead);
    if (isMasked && !isTaken) return false;
    this.#seenTail = tail;
    return !isTaken;
  }

  /** One slice at most. */
  #sleep(): void {
    const { eventFds, interruptFd } = this.#options;
    if (eventFds === null || !this.#signalled) {
      this.#sleepInEnter();
      return;
    }
    eventFds.waitReadable(interruptFd, -1, -1, SLICE_US);
  }

  /** Has posted what waits for an enter: with `mirrored` all of it, else what found no room in a full CQ. */
  #collect(): void {
    const { engine } = this.#options;
    if (!this.#signalled) return;
    // The kernel posts what overflowed in an enter alone; a guest that made room and sleeps makes none.
    const overflowed = (this.#word(engine.layout.sqFlags) & SqFlag.CQ_OVERFLOW) !== 0;
    if (overflowed || engine.name === "mirrored") engine.enter(0, 0, EnterFlag.GETEVENTS, 0);
  }

  /** No ring works by itself here: the wait of the engine does. */
  #sleepInEnter(): void {
    const { engine } = this.#options;
    const { cqHead, cqTail, cqEntries } = engine.layout;
    const ready = (this.#word(cqTail) - this.#word(cqHead)) >>> 0;
    if (ready < cqEntries) engine.enter(0, ready + 1, EnterFlag.GETEVENTS, SLICE_US);
    else Atomics.wait(this.#restWord, 0, 0, SLICE_MS);
  }

  #word(offset: number): number {
    // Pairs with the release store of who posts completions, and with the guest's of its own words.
    return Atomics.load(this.#options.memory().words, offset >>> 2);
  }
}

function addTo(eventFd: number, signals: number): void {
  try {
    writeSync(eventFd, new Uint8Array(new BigUint64Array([BigInt(signals)]).buffer));
  } catch {
    // The counter is full: who reads it has been told often enough.
  }
}
