/**
 * The block device over a ring (assembly/datapath/ring-block.ts) against a ring in this thread, which does all that
 * io_uring may do and seldom does: transfers cut short, completions in any order, SQEs taken in part.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../assembly/abi/index";
import { DiskModel, hashOf, parseTraits, pattern, SECTOR } from "./disk-model";
import { checkAnswers, ScriptWriter, stepsOn } from "./script";
import { playHere } from "./scripted-guest";
import { type RingBehaviour, ScriptedRing } from "./scripted-ring";

const driver = suite("ring driver");

const CAPACITY = 256 * SECTOR;
const NO_DEVICE = {
  find: () => -Errno.ENOENT,
  window: () => -Errno.EBADF,
  read: () => 0,
  write: () => -Errno.EBADF,
  wait: () => -Errno.EBADF,
};

function play(
  script: string,
  disks: Record<string, Uint8Array>,
  behaviour: RingBehaviour = {},
  depth = 8,
) {
  let ring: ScriptedRing | null = null;
  const names = Object.keys(disks);
  const args = ["--names", names.join(","), "--depth", String(depth), "--buffer", "16384"];
  const played = playHere(script, args, (memory) => {
    ring = new ScriptedRing(new Map(Object.entries(disks)), behaviour, memory);
    return { virtio: NO_DEVICE, uring: ring.functions() };
  });
  assert.is(`${played.exitCode} ${played.stderr}`, "0 ");
  return played.lines;
}

/** Numbers below a bound, the same for the same seed. */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
}

driver("random sequences agree with the model, however awkward the ring", () => {
  const settings = fc.record({
    seed: fc.nat(),
    depth: fc.integer({ min: 1, max: 64 }),
    cuts: fc.boolean(),
    takesInPart: fc.boolean(),
  });
  const property = fc.property(settings, stepsOn(CAPACITY), (setting, steps) => {
    const roll = dice(setting.seed);
    const behaviour: RingBehaviour = {
      pick: roll,
      ...(setting.cuts ? { cut: (length: number) => 1 + roll(length) } : {}),
      ...(setting.takesInPart ? { take: (count: number) => 1 + roll(count) } : {}),
    };
    const disk = new Uint8Array(CAPACITY);
    const traits = parseTraits(play("", { disk })[0] ?? "");
    const writer = new ScriptWriter(new DiskModel(traits, new Uint8Array(CAPACITY)));
    for (const step of steps) writer.step(step);
    writer.readAll(16384);
    const lines = play(writer.text, { disk }, behaviour, setting.depth);
    checkAnswers(lines.slice(1), writer.expected);
  });
  fc.assert(property, { numRuns: 150 });
});

driver("a file that was truncated meanwhile is EIO, not a short read", () => {
  const disk = new Uint8Array(CAPACITY);
  let reads = 0;
  // 0 is the end of the file.
  const cut = (length: number) => (++reads > 3 ? 0 : Math.min(length, 1000));
  const lines = play("r 0 4096\na\nr 0 512\n", { disk }, { cut });
  assert.equal(lines.slice(1), ["-5 0", "-5 0"]);
});

driver("two disks share the ring, whoever looks finds the other's completions", () => {
  const disks = { a: pattern(1, CAPACITY), b: pattern(2, CAPACITY) };
  const lines: string[] = [];
  const expected: { result: number; hash: number }[] = [];
  const roll = dice(7);
  for (let index = 0; index < 400; index++) {
    const name = roll(2) === 0 ? "a" : "b";
    const offset = roll(200) * SECTOR;
    const length = (1 + roll(8)) * SECTOR;
    lines.push(`x ${name === "a" ? 0 : 1}`, `r ${offset} ${length}`);
    if (roll(3) === 0) lines.push(`s ${roll(4)}`);
    const bytes = disks[name].subarray(offset, offset + length);
    expected.push({ result: length, hash: hashOf(bytes) });
  }
  const cut = (length: number) => 1 + roll(length);
  const answers = play(`${lines.join("\n")}\n`, disks, { pick: roll, cut });
  checkAnswers(answers.slice(2), expected);
});

driver("a wait that runs out leaves the requests in flight", () => {
  const disk = pattern(5, CAPACITY);
  const behaviour: RingBehaviour = { stuck: true };
  const script = "r 0 512\nt 1 1000\nt 1 0\n";
  assert.throws(() => play(script, { disk }, behaviour), /waits for what will not come/);
});

driver.run();
