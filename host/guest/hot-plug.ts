/**
 * Grants made and revoked while a guest runs, from the embedder's thread, whose event loop never waits: the shared
 * table tells the guest's thread, FILES_UPDATE tells the kernel, and what is in flight on a revoked file is
 * cancelled before its descriptor is closed. One at a time, in the order of the calls.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Errno, FILE_SLOTS, REGISTER_FILES_EMPTY, Register } from "../abi";
import { errnoName, WasmUringError } from "../errors";
import { type RegisterAsync, registerAsync } from "../ffi/register-async";
import type { Syscalls } from "../ffi/syscalls";
import { type GrantSlot, type OpenedGrants, openGrants } from "../grant";
import { checkGrants } from "../grant/check";
import { checkPolled } from "../grant/polled";
import type { GrantRequest } from "../grant/request";
import { SharedSlots } from "../grant/shared-slots";
import type { Control } from "../ring/control";
import type { RingPlan } from "../ring/engine";
import { cancelOnFile, filesUpdate } from "../ring/files";
import { checkWritable } from "./check-writable";

/** How long what is in flight on a revoked file may take to be cancelled, or to be done. */
const REVOKE_TIMEOUT_MS = 5000;
/** One wait of the kernel for it, on a thread that is not ours. */
const CANCEL_TIMEOUT_MS = 20;
const PAUSE_MS = 1;

interface Held {
  grant: GrantSlot;
  opened: OpenedGrants;
}

function misuse(what: string, why: string, whatToDo: string): WasmUringError {
  return new WasmUringError("ERR_BAD_GRANT", { what, why, whatToDo });
}

export interface HotPlugOptions {
  plan: RingPlan;
  grants: OpenedGrants;
  control: Control;
  syscalls: Syscalls | null;
  /** Whether a device behind a virtqueue has this name: the guest would never ask for a grant of it. */
  isDevice: (name: string) => boolean;
}

export class HotPlug {
  readonly #plan: RingPlan;
  readonly #control: Control;
  readonly #syscalls: Syscalls | null;
  readonly #isDevice: (name: string) => boolean;
  readonly #table: SharedSlots;
  readonly #held = new Map<string, Held>();
  /** Descriptors that the guest's thread was still using when they should have been closed. */
  readonly #late: OpenedGrants[] = [];
  #queue: Promise<void> = Promise.resolve();
  #ended = false;

  constructor({ plan, grants, control, syscalls, isDevice }: HotPlugOptions) {
    this.#isDevice = isDevice;
    this.#plan = plan;
    this.#control = control;
    this.#syscalls = syscalls;
    this.#table = new SharedSlots(plan.grants);
    for (const grant of grants.slots) this.#held.set(grant.name, { grant, opened: grants });
  }

  /** @throws WasmUringError ERR_BAD_GRANT; nothing is left open then */
  grant(name: string, request: GrantRequest): Promise<void> {
    return this.#inTurn(() => this.#grant(name, request));
  }

  /** @throws WasmUringError ERR_BAD_GRANT, or ERR_REVOKE when something in flight would not end */
  revoke(name: string): Promise<void> {
    return this.#inTurn(() => this.#revoke(name));
  }

  /** The guest has ended: nothing more begins. Resolves when nothing is under way. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#queue;
  }

  /** Closes every grant. The guest's thread is gone and its ring closed. Idempotent. */
  close(): void {
    for (const { opened } of this.#held.values()) opened.close();
    for (const opened of this.#late) opened.close();
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(step);
    this.#queue = done.catch(() => {});
    return done;
  }

  #freeSlot(): number {
    const taken = new Set([...this.#held.values()].map(({ grant }) => grant.slot));
    for (let slot = 0; slot < FILE_SLOTS; slot++) if (!taken.has(slot)) return slot;
    return -1;
  }

  async #grant(name: string, request: GrantRequest): Promise<void> {
    const what = `granting "${name}" to a guest`;
    if (this.#ended) throw misuse(what, "the guest has ended", "create another guest");
    if (this.#held.has(name)) {
      throw misuse(what, "it has a grant of that name", "revoke it first, or use another name");
    }
    if (this.#isDevice(name)) {
      throw misuse(what, "it has a device of that name", "give each a name of its own");
    }
    const slot = this.#freeSlot();
    if (slot < 0) throw misuse(what, `all its ${FILE_SLOTS} slots are taken`, "revoke one first");
    // Before anything is opened or made; and a copy, which is what will be opened.
    const files = Object.fromEntries(checkGrants({ [name]: request }));
    checkWritable(this.#plan.policy, files);
    const opened = openGrants(files, this.#syscalls);
    try {
      const [first] = opened.slots;
      if (first === undefined) throw misuse(what, "nothing was opened", "report it");
      const grant = { ...first, slot };
      if (this.#plan.iopoll === true) checkPolled([grant]);
      // The slot before the name: who finds the name can use the slot.
      const before = await this.#updateRing(what, slot, grant.fd);
      this.#table.put(grant);
      // A ring that was made in between may have looked at the table before.
      if (!before) await this.#updateRing(what, slot, grant.fd);
      this.#held.set(name, { grant, opened });
    } catch (error) {
      if (this.#table.snapshot().serials[slot] !== 0) this.#table.clear(slot);
      opened.close();
      throw error;
    }
  }

  async #revoke(name: string): Promise<void> {
    const what = `revoking "${name}"`;
    const held = this.#held.get(name);
    if (held === undefined) {
      throw misuse(what, "the guest has no grant of that name", "see what was granted to it");
    }
    const { grant, opened } = held;
    const generation = this.#table.clear(grant.slot);
    const hasRing = await this.#updateRing(what, grant.slot, REGISTER_FILES_EMPTY);
    this.#held.delete(name);
    const end = performance.now() + REVOKE_TIMEOUT_MS;
    const cancelled = !hasRing || (await this.#cancel(grant.fd, end));
    const released = await this.#isReleased(generation, end);
    if (released) opened.closeOne(grant.fd);
    else this.#late.push(opened);
    if (cancelled && released) return;
    throw new WasmUringError("ERR_REVOKE", {
      what,
      why: `something in flight on it did not end within ${REVOKE_TIMEOUT_MS} ms`,
      likelyCause: "a device or a network filesystem that does not answer",
      whatToDo: "nothing new can use it; close the guest to be rid of what is in flight",
    });
  }

  /** Repeats until nothing is found: what the call found is cancelled, but perhaps not complete. */
  async #cancel(fd: number, end: number): Promise<boolean> {
    while (performance.now() < end) {
      const found = await this.#withRing((ringFd, calls) =>
        calls.register(ringFd, Register.SYNC_CANCEL, cancelOnFile(fd, CANCEL_TIMEOUT_MS), 1),
      );
      const mayBeInFlight = found !== null && (found > 0 || found === -Errno.ETIME);
      if (!mayBeInFlight) return true;
      await sleep(PAUSE_MS);
    }
    return false;
  }

  async #isReleased(generation: number, end: number): Promise<boolean> {
    // A thread that was ended in the middle never says that it is done.
    while (!this.#ended && this.#table.isInUse(generation)) {
      if (performance.now() >= end) return false;
      await sleep(PAUSE_MS);
    }
    return true;
  }

  /** @returns false when there is no kernel ring */
  async #updateRing(what: string, slot: number, fd: number): Promise<boolean> {
    const syscalls = this.#syscalls;
    if (syscalls === null) return false;
    const done = await this.#withRing((ringFd, calls) =>
      calls.register(ringFd, Register.FILES_UPDATE, filesUpdate(syscalls, slot, fd), 1),
    );
    if (done === null) return false;
    if (done === 1) return true;
    throw new WasmUringError("ERR_BAD_GRANT", {
      what,
      why: `the kernel did not change slot ${slot}: ${done < 0 ? errnoName(-done) : done}`,
      likelyCause: "the kernel is short of memory",
      syscall: "io_uring_register",
      ...(done < 0 ? { errno: -done } : {}),
    });
  }

  /** Has the ring while `call` works, so that nobody closes it meanwhile; null when there is none. */
  async #withRing(
    call: (ringFd: number, calls: RegisterAsync) => Promise<number>,
  ): Promise<number | null> {
    for (;;) {
      // The ring is closed on this side then, and its descriptor may soon mean another file.
      if (this.#ended) return null;
      const ringFd = this.#control.borrowRing();
      if (ringFd === "none") return null;
      if (ringFd === "busy") {
        // The guest's thread is setting it up, unless it was ended amid that.
        await sleep(PAUSE_MS);
        continue;
      }
      try {
        return await call(ringFd, registerAsync());
      } finally {
        this.#control.returnRing(ringFd);
      }
    }
  }
}
