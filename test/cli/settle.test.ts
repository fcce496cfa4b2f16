/** Options with optional values, and the values of options, without starting the command. */
import { Command, Option } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { collectFile, collectVariable, parseEntries } from "../../host/cli/parse";
import { settleOptionalValues } from "../../host/cli/settle";

const test = suite("cli/settle");

function settle(words: string[]): string[] {
  const command = new Command("x")
    .addOption(new Option("--sqpoll [ms]").preset("50"))
    .option("-f, --file <grant>")
    .option("--json");
  return settleOptionalValues(command, words);
}

test("a bare optional value gets its preset, an explicit one stays", () => {
  assert.equal(settle(["--sqpoll", "g.wasm"]), ["--sqpoll=50", "g.wasm"]);
  assert.equal(settle(["--sqpoll=7", "g.wasm"]), ["--sqpoll=7", "g.wasm"]);
});

test("the guest's own words stay as they are", () => {
  const words = ["g.wasm", "--sqpoll", "--", "--sqpoll"];
  assert.equal(settle(words), words);
  assert.equal(settle(["--", "g.wasm", "--sqpoll"]), ["--", "g.wasm", "--sqpoll"]);
});

test("the value of another option is not an option", () => {
  assert.equal(settle(["-f", "--sqpoll", "--json", "--sqpoll"]), [
    "-f",
    "--sqpoll",
    "--json",
    "--sqpoll=50",
  ]);
  assert.equal(settle(["--file"]), ["--file"]);
});

test("--file takes only the very endings off a path", () => {
  const { a } = collectFile("a=x:y,z.txt");
  assert.equal(a, { path: "x:y,z.txt" });
  assert.equal(collectFile("a=p:rw,direct").a, { path: "p", access: "read-write", direct: true });
  assert.equal(collectFile("a=p:ro:wo").a, { path: "p:ro", access: "write" });
  assert.equal(collectFile("a=p=q").a, { path: "p=q" });
});

test("names of built-in properties are names like others", () => {
  const files = collectFile("constructor=x", {});
  assert.equal(Object.keys(files), ["constructor"]);
  assert.equal(Object.entries(collectVariable("__proto__=x")), [["__proto__", "x"]]);
});

test("entries: powers of two only", () => {
  for (let entries = 1; entries <= 32768; entries *= 2)
    assert.is(parseEntries(String(entries)), entries);
  for (const text of [
    "0",
    "3",
    "65536",
    "2147483648",
    "4294967296",
    "abc",
    "-1",
    "1e3",
    " 64",
    "",
  ]) {
    assert.throws(() => parseEntries(text), /power of two/);
  }
});

test.run();
