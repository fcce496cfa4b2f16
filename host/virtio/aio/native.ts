/**
 * aio "native": Linux AIO, as QEMU's aio=native. io_submit(2) is asynchronous for O_DIRECT alone; on the page cache it
 * blocks until the data is there (QEMU refuses that combination, here it is only slow). Discards and zeroes, which
 * Linux AIO has no command for, are performed on the calling thread.
 */
import { Errno } from "../../abi";
import type { AioCalls } from "../../ffi/aio";
import { type EventFds, eventFds } from "../../ffi/event-fd";
import { fileIo } from "../../ffi/file-io";
import type { Syscalls } from "../../ffi/syscalls";
import type { AioEvents } from "./aio-events";
import { IOCB_FLAG_RESFD, Iocb, IocbCommand } from "./aio-layout";
import {
  type BackendRemains,
  type BlockBackend,
  BlockOperation,
  type Completions,
} from "./backend";
import { DiskFile } from "./disk-file";
import { Finished } from "./finished";
import { makeZeroBuffer } from "./zero";

const SLICE_US = 50_000;
const IOCB_WORDS = Iocb.SIZE / 4;
const WORD_VALUES = 0x1_0000_0000;
/** More than V8 keeps on its own moving heap, so that the address stays. */
const LEAST_BYTES = 4096;
/** A submission that found no room is tried again so often. There is room for every tag. */
const SUBMIT_TRIES = 8;
/** How long `settle` waits for what is in flight. */
const CLOSE_TIMEOUT_MS = 10_000;

/** Everything that opening made. */
export interface NativeParts {
  fd: number;
  depth: number;
  syscalls: Syscalls;
  calls: AioCalls;
  context: number;
  eventFd: number;
  events: AioEvents;
}

export class NativeBackend implements BlockBackend {
  readonly name = "native";
  readonly depth: number;
  readonly eventFd: number;
  readonly remains: BackendRemains;
  readonly #fd: number;
  readonly #syscalls: Syscalls;
  readonly #calls: AioCalls;
  readonly #context: number;
  readonly #events: AioEvents;
  readonly #signals: EventFds;
  readonly #file: DiskFile;
  readonly #finished: Finished;
  /** One struct iocb for each tag. */
  readonly #iocbs: Int32Array;
  readonly #iocbsAddress: number;
  /** Addresses of the iocbs to submit, 64 bits each. */
  readonly #pointers: Uint32Array;
  readonly #pointersAddress: number;
  #prepared = 0;
  #inFlight = 0;
  /** What `settle` came to. */
  #settled: boolean | null = null;
  #closed = false;

  constructor(parts: NativeParts) {
    const { fd, depth, syscalls, context, eventFd } = parts;
    this.depth = depth;
    this.eventFd = eventFd;
    this.#fd = fd;
    this.#syscalls = syscalls;
    this.#calls = parts.calls;
    this.#context = context;
    this.#events = parts.events;
    this.#signals = eventFds();
    this.#file = new DiskFile(fileIo(), makeZeroBuffer(syscalls));
    this.#finished = new Finished(depth);
    this.#iocbs = new Int32Array(Math.max(depth * Iocb.SIZE, LEAST_BYTES) / 4);
    this.#iocbsAddress = Number(syscalls.addressOf(this.#iocbs));
    this.#pointers = new Uint32Array(Math.max(depth * 8, LEAST_BYTES) / 4);
    this.#pointersAddress = Number(syscalls.addressOf(this.#pointers));
    for (let tag = 0; tag < depth; tag++) {
      const at = tag * IOCB_WORDS;
      this.#iocbs[at + Iocb.DATA / 4] = tag;
      this.#iocbs[at + Iocb.FILDES / 4] = fd;
      this.#iocbs[at + Iocb.FLAGS / 4] = IOCB_FLAG_RESFD;
      this.#iocbs[at + Iocb.RESFD / 4] = eventFd;
    }
    this.remains = {
      name: "native",
      descriptors: [eventFd],
      mappings: [],
      ringFd: -1,
      context,
      pool: null,
    };
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  prepare(
    operation: BlockOperation,
    tag: number,
    offset: number,
    vectorsAddress: number,
    vectorCount: number,
    lengthBytes: number,
    unmap: boolean,
  ): void {
    this.#inFlight++;
    switch (operation) {
      case BlockOperation.READ:
        this.#queue(IocbCommand.PREADV, tag, offset, vectorsAddress, vectorCount);
        return;
      case BlockOperation.WRITE:
        this.#queue(IocbCommand.PWRITEV, tag, offset, vectorsAddress, vectorCount);
        return;
      case BlockOperation.FLUSH:
        this.#queue(IocbCommand.FDSYNC, tag, 0, 0, 0);
        return;
      case BlockOperation.DISCARD:
      case BlockOperation.WRITE_ZEROES:
        this.#finished.add(
          tag,
          this.#file.perform(operation, this.#fd, offset, 0, 0, lengthBytes, unmap),
        );
    }
  }

  submit(): void {
    let done = 0;
    let tries = 0;
    while (done < this.#prepared) {
      const result = this.#calls.submit(
        this.#context,
        this.#prepared - done,
        this.#pointersAddress + done * 8,
      );
      if (result > 0) {
        done += result;
        tries = 0;
      } else if ((result === -Errno.EAGAIN || result === -Errno.EINTR) && tries < SUBMIT_TRIES) {
        tries++;
      } else {
        // The first one is at fault; the others have their turn.
        this.#finished.add(this.#tagAt(done), result === 0 ? -Errno.EAGAIN : result);
        done++;
        tries = 0;
      }
    }
    this.#prepared = 0;
  }

  reap(completions: Completions): number {
    const count = this.#events.take(completions, this.#finished.drainTo(completions));
    this.#inFlight -= count;
    return count;
  }

  wait(timeoutUs: number): void {
    if (this.#finished.isEmpty && this.#events.isEmpty())
      this.#events.wait(Math.min(timeoutUs, SLICE_US));
  }

  arm(): boolean {
    this.#signals.take(this.eventFd);
    return this.#finished.isEmpty && this.#events.isEmpty();
  }

  /** The kernel signals every completion. */
  disarm(): void {}

  settle(): boolean {
    if (this.#settled !== null) return this.#settled;
    this.#inFlight -= this.#prepared;
    this.#prepared = 0;
    const scratch = { tags: new Int32Array(this.depth), results: new Int32Array(this.depth) };
    const end = performance.now() + CLOSE_TIMEOUT_MS;
    for (;;) {
      this.reap(scratch);
      if (this.#inFlight <= 0 || performance.now() >= end) break;
      this.wait(SLICE_US);
    }
    this.#settled = this.#inFlight <= 0;
    return this.#settled;
  }

  close(): void {
    if (this.#closed) return;
    const settled = this.settle();
    this.#closed = true;
    this.#events.drop();
    // With something in flight it would block without end. What hangs in the kernel keeps its context until exit.
    if (settled) this.#calls.destroy(this.#context);
    this.#inFlight = 0;
    this.#syscalls.close(this.eventFd);
  }

  #queue(command: IocbCommand, tag: number, offset: number, buffer: number, count: number): void {
    const iocbs = this.#iocbs;
    const at = tag * IOCB_WORDS;
    iocbs[at + Iocb.OPCODE / 4] = command;
    iocbs[at + Iocb.BUF / 4] = buffer | 0;
    iocbs[at + Iocb.BUF / 4 + 1] = (buffer / WORD_VALUES) | 0;
    iocbs[at + Iocb.NBYTES / 4] = count;
    iocbs[at + Iocb.OFFSET / 4] = offset | 0;
    iocbs[at + Iocb.OFFSET / 4 + 1] = (offset / WORD_VALUES) | 0;
    const address = this.#iocbsAddress + tag * Iocb.SIZE;
    const pointer = this.#prepared * 2;
    this.#pointers[pointer] = address;
    this.#pointers[pointer + 1] = address / WORD_VALUES;
    this.#prepared++;
  }

  /** Tag of the prepared request with this index. */
  #tagAt(index: number): number {
    const low = this.#pointers[index * 2] ?? 0;
    const high = this.#pointers[index * 2 + 1] ?? 0;
    return (high * WORD_VALUES + low - this.#iocbsAddress) / Iocb.SIZE;
  }
}
