/**
 * What every data path must do, whoever serves it: the same guest, the same script, the same answers, and the same bytes
 * on the disk afterwards. A path is one line of a list (conformance.test.ts); a model (disk-model.ts) says what is right.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DeviceReport, type DeviceRequest, type GuestOptions, runGuest } from "wasm-uring";
import { DiskModel, type DiskTraits, hashOf, parseTraits, pattern, SECTOR } from "./disk-model";
import { checkAnswers, ScriptWriter, stepsOn } from "./script";

export interface OpenDevice {
  request: DeviceRequest;
  close(): Promise<void>;
}

export interface DataPath {
  name: string;
  /** Why it cannot be tried here, or null. */
  missing?: () => string | null;
  /** A device with the contents of this file. */
  open(file: string, readOnly: boolean): Promise<OpenDevice>;
  /** Who is to have served it. */
  servedBy: DeviceReport["servedBy"];
  options?: GuestOptions;
  /** Whether the file is what the guest writes to; else the disk begins with zeroes. */
  usesFile: boolean;
  /** Only whole blocks of this many bytes are asked for. Default 512. */
  blockBytes?: number;
}

const CAPACITY = 512 * SECTOR;
const GUEST = "build/guests/disk-script.wasm";
const DEADLINE_MS = 60_000;

interface Disk {
  file: string;
  readOnly?: boolean;
}

interface Played {
  traits: DiskTraits[];
  answers: string[];
}

/** Runs the guest on disks named a, b, ...; fails unless it ended well and every disk was served as asked for. */
async function play(path: DataPath, disks: Disk[], script: string, args: string[] = []) {
  const names = disks.map((_, index) => String.fromCharCode(97 + index));
  const opened: OpenDevice[] = [];
  try {
    for (const { file, readOnly = false } of disks) opened.push(await path.open(file, readOnly));
    const devices = Object.fromEntries(
      opened.map(({ request }, index) => [names[index] ?? "", request]),
    );
    const result = await runGuest(GUEST, {
      ...path.options,
      devices,
      args: ["disk-script", "--names", names.join(","), ...args],
      stdin: script,
      stdout: "capture",
      stderr: "capture",
      deadlineMs: DEADLINE_MS,
    });
    const failure = result.outcome.kind === "host-failure" ? result.outcome.error.message : "";
    const said = `${failure}${result.setupErrors.join("\n")}${Buffer.from(result.stderr)}`;
    assert.is(`${result.outcome.kind} ${result.exitCode} ${said}`, "exit 0 ");
    for (const report of result.devices) {
      assert.is(report.servedBy, path.servedBy);
      assert.is(report.failure, null);
    }
    const { engine } = path.options ?? {};
    if (engine !== undefined && engine !== "auto") assert.is(result.ring?.engine, engine);
    const lines = Buffer.from(result.stdout).toString().trimEnd().split("\n");
    const played: Played = {
      traits: lines.slice(0, disks.length).map(parseTraits),
      answers: lines.slice(disks.length),
    };
    return played;
  } finally {
    for (const device of opened) await device.close();
  }
}

/** What a disk of this path holds at first. */
function contentsOf(path: DataPath): Uint8Array {
  return path.usesFile ? pattern(99, CAPACITY) : new Uint8Array(CAPACITY);
}

export function conformance(path: DataPath): void {
  const test = suite(`data path ${path.name}`);
  const reason = path.missing?.() ?? null;
  if (reason !== null) {
    console.log(`data path ${path.name}: skipped: ${reason}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-datapath-"));
  const pristine = join(folder, "pristine");
  writeFileSync(pristine, contentsOf(path));
  const fresh = (name: string): string => {
    const file = join(folder, name);
    copyFileSync(pristine, file);
    return file;
  };
  const { blockBytes = SECTOR } = path;
  let disk: DiskTraits | null = null;

  test("the disk is described", async () => {
    const { traits } = await play(path, [{ file: fresh("disk") }], "");
    disk = traits[0] ?? null;
    assert.is(disk?.capacityBytes, CAPACITY);
    assert.is(disk?.readOnly, false);
    assert.is(disk?.canFlush, true);
    assert.ok((disk?.blockBytes ?? 0) >= SECTOR);
  });

  test("random sequences agree with the model", async () => {
    if (disk === null) throw new Error("the disk was not described");
    const traits = disk;
    const settings = fc.record({
      depth: fc.constantFrom(1, 3, 8, 32),
      pollUs: fc.constantFrom(0, 20),
    });
    const property = fc.asyncProperty(settings, stepsOn(CAPACITY), async (setting, steps) => {
      const file = fresh("disk");
      const model = new DiskModel(traits, contentsOf(path));
      const writer = new ScriptWriter(model);
      for (const step of steps) writer.step(inBlocks(step, blockBytes));
      writer.readAll(16384);
      const args = ["--depth", String(setting.depth), "--poll-us", String(setting.pollUs)];
      const { answers } = await play(path, [{ file }], writer.text, args);
      checkAnswers(answers, writer.expected);
      if (path.usesFile) assert.is(differenceOf(model, readFileSync(file)), null);
    });
    await fc.assert(property, { numRuns: 4, interruptAfterTimeLimit: 30_000 });
  });

  test("more requests than the disk takes at once", async () => {
    const count = 400;
    const lines = Array.from({ length: count }, (_, index) => {
      const offset = (index * 7 * blockBytes) % (CAPACITY - blockBytes);
      return `r ${offset - (offset % blockBytes)} ${blockBytes}`;
    });
    const script = `${lines.join("\n")}\n`;
    const { answers } = await play(path, [{ file: fresh("disk") }], script, ["--depth", "100"]);
    const contents = contentsOf(path);
    const expected = lines.map((line) => {
      const offset = Number(line.split(" ")[1]);
      return {
        result: blockBytes,
        hash: hashOf(contents.subarray(offset, offset + blockBytes)),
      };
    });
    checkAnswers(answers, expected);
  });

  test("two disks at a time do not meet", async () => {
    const disks = [{ file: fresh("first") }, { file: fresh("second") }];
    const lines: string[] = [];
    for (let index = 0; index < 32; index++) {
      for (const disk of [0, 1]) {
        lines.push(`x ${disk}`, `w ${index * 4096} 4096 ${index * 2 + disk}`);
      }
    }
    lines.push("a");
    for (let index = 0; index < 32; index++) {
      for (const disk of [0, 1]) lines.push(`x ${disk}`, `r ${index * 4096} 4096`, "s 1");
    }
    const { answers } = await play(path, disks, `${lines.join("\n")}\n`, ["--depth", "16"]);
    const written = Array.from({ length: 64 }, () => ({ result: 4096 }));
    const read = Array.from({ length: 64 }, (_, index) => ({
      result: 4096,
      hash: hashOf(pattern(index, 4096)),
    }));
    checkAnswers(answers, [...written, ...read]);
  });

  test("a read-only disk is read and refuses the rest", async () => {
    const disk = { file: fresh("disk"), readOnly: true };
    const script = "w 0 4096 1\nf\nd 0 4096\nz 0 4096 0\nr 4096 4096\n";
    const { traits, answers } = await play(path, [disk], script);
    assert.is(traits[0]?.readOnly, true);
    const hash = hashOf(contentsOf(path).subarray(4096, 8192));
    assert.equal(answers, ["-30", "-30", "-30", "-30", `4096 ${hash}`]);
  });

  test.after(() => rmSync(folder, { recursive: true }));
  test.run();
}

/** The step in blocks where it was in sectors; what is beyond the end or askew stays so. */
function inBlocks<Step extends { kind: string }>(step: Step, blockBytes: number): Step {
  const unit = blockBytes / SECTOR;
  if (unit === 1 || !("sector" in step) || !("sectors" in step)) return step;
  const { sector, sectors } = step as Step & { sector: number; sectors: number };
  return { ...step, sector: sector - (sector % unit), sectors: Math.ceil(sectors / unit) * unit };
}

/** Where the disk differs from the model, or null. */
function differenceOf(model: DiskModel, found: Uint8Array): string | null {
  for (let sector = 0; sector < model.undefinedSectors.length; sector++) {
    if (model.undefinedSectors[sector] === 1) continue;
    const [start, end] = [sector * SECTOR, (sector + 1) * SECTOR];
    if (Buffer.compare(model.bytes.subarray(start, end), found.subarray(start, end)) !== 0) {
      return `sector ${sector} differs`;
    }
  }
  return found.length === model.bytes.length ? null : `${found.length} bytes`;
}
