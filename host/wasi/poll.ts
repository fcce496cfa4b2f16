/**
 * poll_oneoff: waits for time and for many descriptors at once. The subscriptions are copied out of
 * the guest's memory first, so that it may lay the events over them; what is wrong with one of them
 * is said in its event.
 */
import { Errno, Poll } from "../abi";
import type { NativeBuffer } from "../ffi/native-buffer";
import type { GuestMemory } from "../memory/guest-memory";
import { clockNs } from "./clock";
import type { DescriptorContext } from "./context";
import type { Descriptor } from "./descriptor";
import { WasiErrno, wasiErrnoOf } from "./errno";
import { copy64, getNumber64, setNumber64 } from "./number64";
import { unsigned, type WasiFunctions } from "./parameter";
import type { Readiness } from "./readiness";
import { PollEntry, type Waiter } from "./waiter";

/** The most subscriptions of one call: the bound of what it takes of the host. */
export const SUBSCRIPTIONS_MAX = 4096;

const enum EventType {
  CLOCK = 0,
  FD_READ = 1,
  FD_WRITE = 2,
}

/** `subscription`: what is below UNION depends on the type. */
const enum Subscription {
  USER_DATA = 0,
  TYPE = 8,
  CLOCK = 16,
  TIMEOUT = 24,
  CLOCK_FLAGS = 40,
  FD = 16,
  SIZE = 48,
}

/** `event`. */
const enum Event {
  USER_DATA = 0,
  ERROR = 8,
  TYPE = 10,
  READY_BYTES = 16,
  FLAGS = 24,
  SIZE = 32,
}

const ABSOLUTE_TIME = 1;
const EVENT_HANGUP = 1;

export interface PollParts {
  context: DescriptorContext;
  waiter: Waiter;
  readiness: Readiness;
}

/** One call's subscriptions, and what became of each. */
class Subscriptions {
  count = 0;
  readonly #copy = new DataView(new ArrayBuffer(SUBSCRIPTIONS_MAX * Subscription.SIZE));
  readonly #bytes = new Uint8Array(this.#copy.buffer);

  load(guest: GuestMemory, at: number, count: number): void {
    this.count = count;
    this.#bytes.set(guest.bytes.subarray(at, at + count * Subscription.SIZE));
  }

  get view(): DataView {
    return this.#copy;
  }

  type(index: number): number {
    return this.#copy.getUint8(index * Subscription.SIZE + Subscription.TYPE);
  }

  fd(index: number): number {
    return this.#copy.getUint32(index * Subscription.SIZE + Subscription.FD, true);
  }

  /** Nanoseconds from now until a clock subscription is due, or null for a clock that cannot be. */
  dueNs(index: number): number | null {
    const at = index * Subscription.SIZE;
    const now = clockNs(this.#copy.getUint32(at + Subscription.CLOCK, true));
    if (now === null) return null;
    const timeoutNs = getNumber64(this.#copy, at + Subscription.TIMEOUT);
    const flags = this.#copy.getUint16(at + Subscription.CLOCK_FLAGS, true);
    return (flags & ABSOLUTE_TIME) === 0 ? timeoutNs : Math.max(timeoutNs - now, 0);
  }
}

export function pollFunctions({ context, waiter, readiness }: PollParts): WasiFunctions {
  const { table, memory } = context;
  let subscriptions: Subscriptions | null = null;
  let entries: NativeBuffer | null = null;

  function poll(guest: GuestMemory, eventsAt: number, wanted: Subscriptions): number {
    entries ??= context.native.buffer(SUBSCRIPTIONS_MAX * PollEntry.SIZE);
    const round = new Round(wanted, entries, guest, eventsAt);
    for (let index = 0; index < wanted.count; index++) {
      const type = wanted.type(index);
      if (type === EventType.CLOCK) round.addClock(index);
      else if (type === EventType.FD_READ || type === EventType.FD_WRITE) {
        round.addDescriptor(index, table.get(wanted.fd(index)));
      } else return -Errno.EINVAL;
    }
    return round.run(waiter, readiness);
  }

  return {
    poll_oneoff: (at = 0, events = 0, count = 0, result = 0) => {
      const guest = memory();
      const wanted = unsigned(count);
      const [from, to, resultAt] = [unsigned(at), unsigned(events), unsigned(result)];
      if (wanted === 0 || wanted > SUBSCRIPTIONS_MAX) return WasiErrno.EINVAL;
      if (!guest.contains(from, wanted * Subscription.SIZE)) return WasiErrno.EFAULT;
      if (!guest.contains(to, wanted * Event.SIZE)) return WasiErrno.EFAULT;
      if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
      subscriptions ??= new Subscriptions();
      subscriptions.load(guest, from, wanted);
      const told = poll(guest, to, subscriptions);
      if (told < 0) return told === -Errno.EINTR ? context.interrupted() : wasiErrnoOf(-told);
      guest.view.setUint32(resultAt, told, true);
      return WasiErrno.SUCCESS;
    },
  };
}

/** One call: who is waited for, until when, and the events that come of it. */
class Round {
  readonly #wanted: Subscriptions;
  readonly #entries: NativeBuffer;
  readonly #guest: GuestMemory;
  readonly #eventsAt: number;
  /** What each entry of the array stands for. */
  readonly #polled: { index: number; descriptor: Descriptor }[] = [];
  /** Clock subscriptions, and when each is due by the monotonic clock. */
  readonly #clocks: { index: number; dueNs: number }[] = [];
  readonly #beganNs = clockNs(1) ?? 0;
  #told = 0;

  constructor(wanted: Subscriptions, entries: NativeBuffer, guest: GuestMemory, eventsAt: number) {
    this.#wanted = wanted;
    this.#entries = entries;
    this.#guest = guest;
    this.#eventsAt = eventsAt;
  }

  addClock(index: number): void {
    const dueNs = this.#wanted.dueNs(index);
    if (dueNs === null) this.#tell(index, WasiErrno.EINVAL);
    else this.#clocks.push({ index, dueNs: this.#beganNs + dueNs });
  }

  addDescriptor(index: number, descriptor: Descriptor | null): void {
    const isRead = this.#wanted.type(index) === EventType.FD_READ;
    const isOpen = descriptor !== null && (isRead ? descriptor.readable : descriptor.writable);
    if (!isOpen) {
      this.#tell(index, WasiErrno.EBADF);
      return;
    }
    if (descriptor.hostFd < 0) {
      // What is captured, given or ignored is always ready.
      this.#tell(index, WasiErrno.SUCCESS, 1);
      return;
    }
    const at = this.#polled.length * PollEntry.SIZE;
    const { view } = this.#entries;
    view.setInt32(at + PollEntry.FD, descriptor.hostFd, true);
    view.setInt16(at + PollEntry.EVENTS, isRead ? Poll.IN : Poll.OUT, true);
    this.#polled.push({ index, descriptor });
  }

  /** How many events there are, or a negated errno. */
  run(waiter: Waiter, readiness: Readiness): number {
    const nextNs = this.#clocks.reduce((least, { dueNs }) => Math.min(least, dueNs), Infinity);
    const timeoutNs = this.#told > 0 ? 0 : Math.max(nextNs - this.#beganNs, 0);
    const count = this.#polled.length;
    // Nothing to wait for but what is told already.
    if (this.#told === 0 || count > 0) {
      const ready = waiter.wait(this.#entries.address, count, timeoutNs);
      if (ready < 0) return ready;
      if (ready > 0) this.#tellReady(readiness);
    }
    this.#tellClocks();
    return this.#told;
  }

  #tellReady(readiness: Readiness): void {
    for (const [entry, { index, descriptor }] of this.#polled.entries()) {
      const at = entry * PollEntry.SIZE + PollEntry.RESULT;
      const events = this.#entries.view.getInt16(at, true);
      if (events === 0) continue;
      const isRead = this.#wanted.type(index) === EventType.FD_READ;
      const bytes = isRead ? readiness.readable(descriptor) : 1;
      const error = (events & Poll.NVAL) !== 0 ? WasiErrno.EBADF : WasiErrno.SUCCESS;
      this.#tell(index, error, bytes, (events & Poll.HUP) !== 0 ? EVENT_HANGUP : 0);
    }
  }

  #tellClocks(): void {
    const now = clockNs(1) ?? 0;
    for (const { index, dueNs } of this.#clocks) {
      if (dueNs <= now) this.#tell(index, WasiErrno.SUCCESS);
    }
  }

  #tell(index: number, error: WasiErrno, readyBytes = 0, flags = 0): void {
    const { view } = this.#guest;
    const at = this.#eventsAt + this.#told * Event.SIZE;
    const from = index * Subscription.SIZE + Subscription.USER_DATA;
    copy64(this.#wanted.view, from, view, at + Event.USER_DATA);
    view.setUint16(at + Event.ERROR, error, true);
    view.setUint16(at + Event.TYPE, this.#wanted.type(index), true);
    view.setUint32(at + Event.TYPE + 2, 0, true);
    setNumber64(view, at + Event.READY_BYTES, readyBytes);
    setNumber64(view, at + Event.FLAGS, flags);
    this.#told++;
  }
}
