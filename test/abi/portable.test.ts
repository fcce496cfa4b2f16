/**
 * Do both compilers read the same numbers? A module that imports all of `assembly/abi` is compiled
 * with the AssemblyScript compiler, asked for every constant, and compared with what the bundler
 * made.
 */
import { existsSync, readFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as abi from "../../assembly/abi/index";
import { numbersOf } from "./constants";

const numbers = numbersOf(abi);

/** A module whose `value(index)` answers the constant of that index, as AssemblyScript sees it. */
function entrySource(): string {
  const cases = numbers.map(([name], index) => `    case ${index}: return <i64>${name};`);
  return `import { ${Object.keys(abi).join(", ")} } from "./assembly/abi/index";
export function value(index: i32): i64 {
  switch (index) {
${cases.join("\n")}
  }
  return i64.MIN_VALUE;
}
`;
}

async function compile(source: string): Promise<Uint8Array> {
  let binary: Uint8Array | null = null;
  const { error, stderr } = await asc.main(
    ["entry.ts", "--outFile", "entry.wasm", "--runtime", "stub", "--noColors"],
    {
      readFile: (name) => {
        if (name === "entry.ts") return source;
        // Nothing else is there to be found: the ABI imports nothing outside itself.
        const isAbi = /^assembly\/abi\/[\w-]+\.ts$/.test(name) && existsSync(name);
        return isAbi ? readFileSync(name, "utf8") : null;
      },
      writeFile: (_name, contents) => {
        if (typeof contents !== "string") binary = contents;
      },
      listFiles: () => null,
    },
  );
  assert.is(error, null, `${error?.message}\n${stderr.toString()}`);
  assert.ok(binary !== null, "the compiler wrote nothing");
  return binary as unknown as Uint8Array;
}

test("AssemblyScript and TypeScript see the same constants", async () => {
  const module = await WebAssembly.compile((await compile(entrySource())) as BufferSource);
  const { exports } = await WebAssembly.instantiate(module, {
    env: { abort: () => {} },
  });
  const value = exports.value as (index: number) => bigint;
  numbers.forEach(([name, expected], index) => {
    assert.is(value(index), BigInt(expected), `${name} differs between the compilers`);
  });
  assert.ok(numbers.length > 600, `only ${numbers.length} constants were compared`);
});

test("every member of an enum fits an i32", () => {
  for (const [name, value] of numbers) {
    if (name.includes(".")) assert.is(value | 0, value, `${name} does not fit`);
  }
});

test.run();
