/**
 * Random sequences of requests for test/guests/disk-script.ts, and what must come of them. Requests that touch the same
 * bytes never run at the same time: the script waits for everything before the second of them.
 */
import fc from "fast-check";
import * as assert from "uvu/assert";
import { Errno } from "../../assembly/abi/index";
import { type DiskModel, pattern, SECTOR } from "./disk-model";

/** In sectors, so that it shrinks well; `skew` bytes make it a bad one. */
interface Place {
  sector: number;
  sectors: number;
  skew: number;
}

export type Step =
  | ({ kind: "read" | "busy" | "outside" | "discard" } & Place)
  | ({ kind: "write"; seed: number } & Place)
  | ({ kind: "zero"; unmap: boolean } & Place)
  | { kind: "flush" }
  | { kind: "wait"; count: number }
  | { kind: "waitBriefly"; count: number; timeoutUs: number }
  | { kind: "waitForAll" };

/** What a line of the guest's output must say; a null hash is not known. */
export interface Expected {
  result: number;
  hash?: number | null;
}

const SECTORS_MAX = 16;

/** Steps on a disk of this size, a few of them beyond its end. */
export function stepsOn(capacityBytes: number, stepsMax = 80): fc.Arbitrary<Step[]> {
  const place = {
    sector: fc.nat(capacityBytes / SECTOR + 2),
    sectors: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: SECTORS_MAX }) },
      { weight: 1, arbitrary: fc.constant(0) },
    ),
    skew: fc.oneof(
      { weight: 19, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constantFrom(1, 4, 256) },
    ),
  };
  const of = (weight: number, arbitrary: fc.Arbitrary<Step>) => ({ weight, arbitrary });
  const count = fc.integer({ min: 0, max: 8 });
  const step = fc.oneof(
    of(30, fc.record({ kind: fc.constant("write"), seed: fc.nat(0xffff), ...place })),
    of(30, fc.record({ kind: fc.constant("read"), ...place })),
    of(4, fc.record({ kind: fc.constant("discard"), ...place })),
    of(8, fc.record({ kind: fc.constant("zero"), unmap: fc.boolean(), ...place })),
    of(6, fc.record({ kind: fc.constant("flush") })),
    of(2, fc.record({ kind: fc.constantFrom("busy", "outside"), ...place })),
    of(12, fc.record({ kind: fc.constant("wait"), count })),
    of(
      4,
      fc.record({ kind: fc.constant("waitBriefly"), count, timeoutUs: fc.constantFrom(0, 1, 500) }),
    ),
    of(4, fc.record({ kind: fc.constant("waitForAll") })),
  );
  return fc.array(step, { maxLength: stepsMax, size: "max" });
}

/** Writes the script for one disk while the model does the same. */
export class ScriptWriter {
  readonly expected: Expected[] = [];
  readonly #lines: string[] = [];
  readonly #model: DiskModel;
  /** Of the requests since everything was waited for. */
  readonly #inFlight: { start: number; end: number; changes: boolean }[] = [];

  constructor(model: DiskModel) {
    this.#model = model;
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  waitForAll(): void {
    this.#lines.push("a");
    this.#inFlight.length = 0;
  }

  step(step: Step): void {
    switch (step.kind) {
      case "wait":
        this.#lines.push(`s ${step.count}`);
        return;
      case "waitBriefly":
        this.#lines.push(`t ${step.count} ${step.timeoutUs}`);
        return;
      case "waitForAll":
        this.waitForAll();
        return;
      case "flush":
        this.#request("f", { result: this.#model.flushError() });
        return;
      default:
        this.#ranged(step, step.sector * SECTOR, step.sectors * SECTOR + step.skew);
    }
  }

  /** Reads the whole disk, so that its contents are compared. */
  readAll(pieceBytes: number): void {
    this.waitForAll();
    const { capacityBytes } = this.#model.traits;
    for (let offset = 0; offset < capacityBytes; offset += pieceBytes) {
      const length = Math.min(pieceBytes, capacityBytes - offset);
      this.#request(`r ${offset} ${length}`, {
        result: length,
        hash: this.#model.hash(offset, length),
      });
    }
    this.waitForAll();
  }

  #ranged(step: Extract<Step, Place>, offset: number, length: number): void {
    const model = this.#model;
    const { canDiscard, canWriteZeroes } = model.traits;
    const error = () => {
      if (step.kind === "discard") return model.changeError(offset, length, canDiscard);
      if (step.kind === "zero") return model.changeError(offset, length, canWriteZeroes);
      return model.transferError(offset, length, step.kind === "write");
    };
    const result = error();
    if (result === 0) this.#separate(offset, offset + length, step.kind);
    switch (step.kind) {
      case "read": {
        const hash = result < 0 ? 0 : model.hash(offset, length);
        this.#request(`r ${offset} ${length}`, { result: result || length, hash });
        return;
      }
      case "busy":
        // The guest insists on the first of the two.
        if (result < 0) return;
        this.#request(`b ${offset} ${length}`, { result: -Errno.EBUSY });
        return;
      case "outside":
        this.#request(`o ${offset} ${length}`, { result: result || -Errno.EFAULT });
        return;
      case "write":
        if (result === 0) model.write(offset, pattern(step.seed, length));
        this.#request(`w ${offset} ${length} ${step.seed}`, { result: result || length });
        return;
      case "zero":
        if (result === 0) model.zero(offset, length);
        this.#request(`z ${offset} ${length} ${step.unmap ? 1 : 0}`, { result });
        return;
      case "discard":
        if (result === 0) model.discard(offset, length);
        this.#request(`d ${offset} ${length}`, { result });
    }
  }

  #request(line: string, expected: Expected): void {
    this.#lines.push(line);
    this.expected.push(expected);
  }

  /** Waits first when this request and one in flight would meet. */
  #separate(start: number, end: number, kind: Step["kind"]): void {
    const changes = kind === "write" || kind === "zero" || kind === "discard";
    const meets = this.#inFlight.some(
      (other) => (changes || other.changes) && start < other.end && other.start < end,
    );
    if (meets) this.waitForAll();
    this.#inFlight.push({ start, end, changes });
  }
}

/** Compares what the guest printed, without the lines that describe its disks. */
export function checkAnswers(lines: readonly string[], expected: readonly Expected[]): void {
  const said = lines.map((line, index) => {
    const [result = "", hash] = line.split(" ");
    const wanted = expected[index];
    if (hash === undefined) return { result: Number(result) };
    return { result: Number(result), hash: wanted?.hash === null ? null : Number(hash) };
  });
  assert.equal(said, expected);
}
