/**
 * Hostile descriptor chains: addresses and lengths that reach outside the window, loops, indirect tables of every wrong
 * kind. The server refuses each, asks for a reset, and starts no I/O.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { VringDesc, VringDescFlag } from "../../assembly/abi/index";
import { QueueFault } from "../../host/virtio/queue-fault";
import {
  attack,
  header,
  type RawDescriptor,
  status,
  WINDOW_END,
  WINDOW_START,
  withData,
  writeRaw,
} from "./attack";
import { type BlkBench, withBench } from "./blk-driver";

const test = suite("hostile chains");

const { NEXT, WRITE, INDIRECT } = VringDescFlag;

type Attack = [name: string, fault: QueueFault, raw: (bench: BlkBench) => RawDescriptor[]];

function withTable(length: number, flags: number, address?: bigint) {
  return (bench: BlkBench): RawDescriptor[] => [
    { address: address ?? BigInt(bench.free + 4096), length, flags, next: 1 },
    status(bench),
  ];
}

const ADDRESSES: Attack[] = [
  ["before the window", QueueFault.OUTSIDE_WINDOW, withData(WINDOW_START - 1n, 512)],
  ["at zero", QueueFault.OUTSIDE_WINDOW, withData(0n, 512)],
  ["across the end", QueueFault.OUTSIDE_WINDOW, withData(WINDOW_END - 511n, 512)],
  ["at the end", QueueFault.OUTSIDE_WINDOW, withData(WINDOW_END, 1)],
  ["behind 4 GiB", QueueFault.OUTSIDE_WINDOW, withData((1n << 32n) + WINDOW_START, 512)],
  ["u64 overflow", QueueFault.OUTSIDE_WINDOW, withData((1n << 64n) - 256n, 512)],
  ["u64 overflow to 0", QueueFault.OUTSIDE_WINDOW, withData((1n << 64n) - 512n, 512)],
  ["u32 overflow", QueueFault.OUTSIDE_WINDOW, withData(WINDOW_END - 512n, 0xffff_ffff)],
  ["u32 overflow into it", QueueFault.OUTSIDE_WINDOW, withData(0xffff_ff00n, 0x20200)],
  ["the sign bit", QueueFault.OUTSIDE_WINDOW, withData(1n << 63n, 512)],
];

const CHAINS: Attack[] = [
  ["a loop of one", QueueFault.CHAIN_TOO_LONG, (bench) => [header(bench, 0)]],
  ["a loop of two", QueueFault.CHAIN_TOO_LONG, (bench) => [header(bench), header(bench, 0)]],
  ["next = size", QueueFault.NEXT, (bench) => [header(bench, 64)]],
  ["next = 65535", QueueFault.NEXT, (bench) => [header(bench, 0xffff)]],
  ["an empty buffer", QueueFault.EMPTY_BUFFER, withData(WINDOW_START, 0)],
  [
    "writable before readable",
    QueueFault.ORDER,
    (bench) => [
      { address: BigInt(bench.free), length: 16, flags: WRITE | NEXT, next: 1 },
      { address: BigInt(bench.free), length: 16, flags: NEXT, next: 2 },
      status(bench),
    ],
  ],
];

const TABLES: Attack[] = [
  ["of no bytes", QueueFault.INDIRECT_LENGTH, withTable(0, INDIRECT)],
  ["of 15 bytes", QueueFault.INDIRECT_LENGTH, withTable(15, INDIRECT)],
  ["of 17 bytes", QueueFault.INDIRECT_LENGTH, withTable(17, INDIRECT)],
  ["with NEXT", QueueFault.INDIRECT_WITH_NEXT, withTable(32, INDIRECT | NEXT)],
  ["outside", QueueFault.OUTSIDE_WINDOW, withTable(32, INDIRECT, WINDOW_END)],
  ["across the end", QueueFault.OUTSIDE_WINDOW, withTable(32, INDIRECT, WINDOW_END - 16n)],
  ["overflowing", QueueFault.OUTSIDE_WINDOW, withTable(0xffff_fff0, INDIRECT)],
  // What lies there is zeroes: a buffer of address 0.
  ["of zeroes", QueueFault.OUTSIDE_WINDOW, withTable(32, INDIRECT)],
];

for (const [what, attacks] of [
  ["a buffer", ADDRESSES],
  ["a chain", CHAINS],
  ["an indirect table", TABLES],
] as const) {
  for (const [name, fault, raw] of attacks) {
    test(`${what}: ${name}`, () =>
      withBench({}, (bench) => {
        assert.is(attack(bench, raw(bench)), fault);
        assert.is(bench.backend.log.length, 0);
        assert.is(bench.driver.reap().length, 0);
      }));
  }
}

/** Puts `entries` at a table in the window and offers it as one indirect descriptor. */
function attackTable(bench: BlkBench, entries: readonly RawDescriptor[], count = entries.length) {
  const table = bench.free + 4096;
  entries.forEach((entry, index) => {
    writeRaw(bench, table, index, entry);
  });
  return attack(bench, [
    { address: BigInt(table), length: count * VringDesc.SIZE, flags: INDIRECT },
  ]);
}

test("an indirect table inside an indirect table", () =>
  withBench({}, (bench) => {
    const nested = { address: BigInt(bench.free + 4096), length: 16, flags: INDIRECT };
    assert.is(attackTable(bench, [header(bench), nested]), QueueFault.INDIRECT_NESTED);
  }));

test("an indirect table that is a loop, of itself or through its last entry", () => {
  withBench({}, (bench) => {
    assert.is(attackTable(bench, [header(bench, 0)]), QueueFault.CHAIN_TOO_LONG);
  });
  withBench({}, (bench) => {
    const loop = Array.from({ length: 10 }, (_, index) => header(bench, (index + 1) % 10));
    assert.is(attackTable(bench, loop), QueueFault.CHAIN_TOO_LONG);
  });
  withBench({}, (bench) => {
    assert.is(attackTable(bench, [header(bench, 1)]), QueueFault.NEXT, "next = entries");
  });
});

test("an indirect chain of more than 1024 buffers", () =>
  withBench({}, (bench) => {
    const entries = Array.from({ length: 1025 }, (_, index) => header(bench, index + 1));
    assert.is(attackTable(bench, [...entries, status(bench)]), QueueFault.CHAIN_TOO_LONG);
  }));

test("direct descriptors before an indirect table count as well", () =>
  withBench({}, (bench) => {
    const table = bench.free + 4096;
    for (let index = 0; index < 1024; index++)
      writeRaw(bench, table, index, header(bench, index + 1));
    writeRaw(bench, table, 1023, status(bench));
    const tail = { address: BigInt(table), length: 1024 * 16, flags: INDIRECT };
    assert.is(attack(bench, [header(bench), tail]), QueueFault.CHAIN_TOO_LONG);
  }));

test("an indirect table may lie in the descriptor table itself", () =>
  withBench({}, (bench) => {
    const table = BigInt(bench.driver.setup.descOffset);
    const whole = { address: table, length: 64 * 16, flags: INDIRECT };
    assert.is(attack(bench, [whole]), QueueFault.INDIRECT_NESTED);
  }));

test("an indirect table when none was negotiated", () =>
  withBench({ indirect: false }, (bench) => {
    const fault = attackTable(bench, [header(bench), status(bench)]);
    assert.is(fault, QueueFault.INDIRECT_NOT_NEGOTIATED);
  }));

test.run();
