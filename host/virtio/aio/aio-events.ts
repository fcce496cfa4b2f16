/**
 * Completions of a Linux AIO context: read from the ring that the kernel maps at the context's address, without a
 * system call, as libaio and QEMU do; by io_getevents(2) where the ring is not as expected, and to wait.
 */
import type { AioCalls } from "../../ffi/aio";
import type { NativeMemory } from "../../ffi/native-memory";
import type { Syscalls } from "../../ffi/syscalls";
import { AIO_RING_MAGIC, AioRing, IoEvent } from "./aio-layout";
import type { Completions } from "./backend";

const EVENT_WORDS = IoEvent.SIZE / 4;
const DATA_WORD = IoEvent.DATA / 4;
const RESULT_WORD = IoEvent.RES / 4;
const HEAD_WORD = AioRing.HEAD / 4;
const TAIL_WORD = AioRing.TAIL / 4;
const EVENTS_WORD = AioRing.EVENTS / 4;
/** More than V8 keeps on its own moving heap, so that the address stays. */
const SCRATCH_BYTES = 4096;
const TIMESPEC_WORDS = 4;
const US_PER_S = 1_000_000;
const EMPTY = new Int32Array(0);

export interface AioEventsRequest {
  calls: AioCalls;
  memory: NativeMemory;
  syscalls: Syscalls;
  context: number;
  depth: number;
}

/** The context's ring as words, empty when it is not the one that this file knows. */
function mapRing({ memory, syscalls, context }: AioEventsRequest): Int32Array {
  const header = new Uint32Array(SCRATCH_BYTES / 4);
  memory.copy(Number(syscalls.addressOf(header)), context, AioRing.EVENTS);
  const known =
    header[AioRing.MAGIC / 4] === AIO_RING_MAGIC &&
    header[AioRing.COMPAT_FEATURES / 4] === 1 &&
    header[AioRing.INCOMPAT_FEATURES / 4] === 0 &&
    header[AioRing.HEADER_LENGTH / 4] === AioRing.EVENTS;
  if (!known) return EMPTY;
  const length = AioRing.EVENTS + (header[AioRing.NR / 4] ?? 0) * IoEvent.SIZE;
  return new Int32Array(syscalls.viewOf(BigInt(context), length));
}

export class AioEvents {
  readonly #calls: AioCalls;
  readonly #context: number;
  readonly #depth: number;
  /** Events that io_getevents(2) gave: #held of them from #heldAt on. */
  readonly #events: Int32Array;
  readonly #eventsAddress: number;
  readonly #timespec = new Int32Array(SCRATCH_BYTES / 4);
  readonly #timespecAddress: number;
  #ring: Int32Array;
  readonly #ringSize: number;
  #heldAt = 0;
  #held = 0;

  constructor(request: AioEventsRequest) {
    const { calls, syscalls, context, depth } = request;
    this.#calls = calls;
    this.#context = context;
    this.#depth = depth;
    this.#events = new Int32Array(SCRATCH_BYTES / 4 + depth * EVENT_WORDS);
    this.#eventsAddress = Number(syscalls.addressOf(this.#events));
    this.#timespecAddress = Number(syscalls.addressOf(this.#timespec));
    this.#ring = mapRing(request);
    this.#ringSize = (this.#ring.length - EVENTS_WORD) / EVENT_WORDS;
  }

  /** Whether `take` would find something; may ask the kernel. */
  isEmpty(): boolean {
    if (this.#held > 0) return false;
    if (this.#ring.length === 0) return this.#get(0, 0) === 0;
    return this.#ring[HEAD_WORD] === Atomics.load(this.#ring, TAIL_WORD);
  }

  /** Waits for an event, in the kernel; an empty ring was seen before. */
  wait(timeoutUs: number): void {
    this.#get(1, timeoutUs);
  }

  /** Adds events to `completions` from `count` on. @returns the new count */
  take(completions: Completions, count: number): number {
    let filled = this.#takeHeld(completions, count);
    if (this.#ring.length > 0) return this.#takeRing(completions, filled);
    while (filled < completions.tags.length && this.#get(0, 0) > 0) {
      filled = this.#takeHeld(completions, filled);
    }
    return filled;
  }

  /** The context is about to be destroyed, and the ring with it. */
  drop(): void {
    this.#ring = EMPTY;
    this.#held = 0;
  }

  #takeHeld({ tags, results }: Completions, count: number): number {
    let filled = count;
    while (this.#held > 0 && filled < tags.length) {
      const at = this.#heldAt * EVENT_WORDS;
      tags[filled] = this.#events[at + DATA_WORD] ?? 0;
      results[filled++] = this.#events[at + RESULT_WORD] ?? 0;
      this.#heldAt++;
      this.#held--;
    }
    return filled;
  }

  #takeRing({ tags, results }: Completions, count: number): number {
    const ring = this.#ring;
    let head = ring[HEAD_WORD] ?? 0;
    // Acquire: pairs with the kernel's smp_wmb between writing the events and the tail.
    const tail = Atomics.load(ring, TAIL_WORD);
    if (head === tail) return count;
    let filled = count;
    while (head !== tail && filled < tags.length) {
      const at = EVENTS_WORD + head * EVENT_WORDS;
      tags[filled] = ring[at + DATA_WORD] ?? 0;
      results[filled++] = ring[at + RESULT_WORD] ?? 0;
      head = head + 1 === this.#ringSize ? 0 : head + 1;
    }
    // Release: the events were read before the kernel may overwrite them.
    Atomics.store(ring, HEAD_WORD, head);
    return filled;
  }

  /** io_getevents(2) into the empty `#events`. @returns how many are held now */
  #get(least: number, timeoutUs: number): number {
    const seconds = Math.floor(timeoutUs / US_PER_S);
    this.#timespec[0] = seconds;
    this.#timespec[TIMESPEC_WORDS / 2] = (timeoutUs - seconds * US_PER_S) * 1000;
    const got = this.#calls.getevents(
      this.#context,
      least,
      this.#depth,
      this.#eventsAddress,
      this.#timespecAddress,
    );
    this.#heldAt = 0;
    this.#held = Math.max(got, 0);
    return this.#held;
  }
}
