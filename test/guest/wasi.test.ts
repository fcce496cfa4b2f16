/**
 * The class WASI in place of node:wasi's: the same program text runs with both, and what one refuses the
 * other refuses too. Then what is ours alone: clear sentences, a thread of its own, nothing left open.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI as NodeWASI } from "node:wasi";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasmUringError } from "wasm-uring";
import { WASI } from "wasm-uring/wasi";
import { loadSyscalls } from "../../host/ffi";

type AnyWASI = typeof WASI | typeof NodeWASI;

const test = suite("guest/wasi");
const MAJOR = Number(process.versions.node.split(".")[0]);
const PROVIDERS: readonly (readonly [string, AnyWASI])[] = [
  ["wasm-uring", WASI],
  ["node:wasi", NodeWASI],
];

const folder = mkdtempSync(join(tmpdir(), "wasm-uring-class-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function moduleOf(name: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(`build/guests/${name}.wasm`));
}
const COMMAND = moduleOf("wasi-command");
const REACTOR = moduleOf("wasi-reactor");

/** A file for a standard stream, and what is in it in the end. */
function openOutput(): { fd: number; text: () => string } {
  const path = join(folder, "output");
  const fd = openSync(path, "w");
  const text = () => {
    closeSync(fd);
    return readFileSync(path, "utf8");
  };
  return { fd, text };
}

/** One function of preview1, called as a guest would. */
function callImport(wasi: object, name: string, ...parameters: number[]): unknown {
  const functions: unknown = Reflect.get(wasi, "wasiImport");
  const found: unknown = Reflect.get(functions as object, name);
  if (typeof found !== "function") throw new Error(`no function ${name}`);
  return Reflect.apply(found, undefined, parameters);
}

/** A module of nothing but exports: what start and initialize look at. */
function instanceWith(exports: readonly string[]): WebAssembly.Instance {
  const name = (text: string) => [text.length, ...Buffer.from(text)];
  const entries = exports.map((one) => [...name(one), ...(one === "memory" ? [2, 0] : [0, 0])]);
  const section = (id: number, bytes: readonly number[]) => [id, bytes.length, ...bytes];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...(exports.includes("memory") ? section(5, [1, 0, 1]) : []),
    ...section(7, [entries.length, ...entries.flat()]),
    ...section(10, [1, 2, 0, 0x0b]),
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
}

function refusalOf(action: () => unknown): WasmUringError {
  try {
    action();
  } catch (error) {
    if (error instanceof WasmUringError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

for (const [name, Provider] of PROVIDERS) {
  const runCommand = (args: string[], more: object = {}) => {
    const wasi = new Provider({ version: "preview1", args: ["command", ...args], ...more });
    const imports: WebAssembly.Imports = { wasi_snapshot_preview1: wasi.wasiImport };
    return wasi.start(new WebAssembly.Instance(COMMAND, imports));
  };

  test(`${name}: a command runs with arguments and prints to a descriptor`, () => {
    const { fd, text } = openOutput();
    assert.is(runCommand(["print", "one", "zwei ü"], { stdout: fd }), 0);
    assert.is(text(), "one\nzwei ü\n");
  });

  test(`${name}: the environment, without what is undefined`, () => {
    const { fd, text } = openOutput();
    const env = { ONE: "1", NOTHING: undefined, TWO: "a=b" };
    assert.is(runCommand(["env"], { stdout: fd, env }), 0);
    assert.is(text(), "ONE=1\nTWO=a=b\n");
  });

  test(`${name}: standard input is a descriptor`, () => {
    const { fd, text } = openOutput();
    writeFileSync(join(folder, "input"), "from a file");
    const stdin = openSync(join(folder, "input"), "r");
    assert.is(runCommand(["echo"], { stdin, stdout: fd }), 0);
    closeSync(stdin);
    assert.is(text(), "from a file\n");
  });

  test(`${name}: proc_exit ends the guest with its code`, () => {
    assert.is(runCommand(["exit", "42"]), 42);
  });

  test(`${name}: a trap is thrown`, () => {
    assert.throws(
      () => runCommand(["trap"]),
      (error: unknown) => {
        return error instanceof WebAssembly.RuntimeError;
      },
    );
  });

  test(`${name}: getImportObject is what instantiation wants`, () => {
    const { fd, text } = openOutput();
    const options = { version: "preview1" as const, args: ["command", "print", "x"], stdout: fd };
    const wasi = new Provider(options);
    const imports: unknown = wasi.getImportObject();
    assert.equal(Object.keys(imports as object), ["wasi_snapshot_preview1"]);
    const instance = new WebAssembly.Instance(COMMAND, {
      wasi_snapshot_preview1: { ...wasi.wasiImport },
    });
    assert.is(wasi.start(instance), 0);
    assert.is(text(), "x\n");
  });

  test(`${name}: a reactor is initialised, and then called`, () => {
    const { fd, text } = openOutput();
    const wasi = new Provider({ version: "preview1", stdout: fd });
    const instance = new WebAssembly.Instance(REACTOR, {
      wasi_snapshot_preview1: { ...wasi.wasiImport },
    });
    wasi.initialize(instance);
    const greet = instance.exports["greet"];
    assert.type(greet, "function");
    if (typeof greet === "function") assert.equal([greet(), greet()], [1, 2]);
    if (wasi instanceof WASI) wasi.close();
    assert.is(text(), "call 1\ncall 2\n");
  });

  test(`${name}: a command is not initialised, a reactor not started, and memory is needed`, () => {
    const make = () => new Provider({ version: "preview1" });
    assert.throws(() => make().start(instanceWith(["memory"])));
    assert.throws(() => make().start(instanceWith(["memory", "_start", "_initialize"])));
    assert.throws(() => make().start(instanceWith(["_start"])));
    assert.throws(() => make().initialize(instanceWith(["memory", "_start"])));
    assert.throws(() => make().initialize(instanceWith(["_initialize"])));
    make().initialize(instanceWith(["memory"]));
    assert.is(make().start(instanceWith(["memory", "_start"])), 0);
  });

  test(`${name}: an instance of WASI is used once`, () => {
    const wasi = new Provider({ version: "preview1" });
    wasi.start(instanceWith(["memory", "_start"]));
    assert.throws(() => wasi.start(instanceWith(["memory", "_start"])));
    assert.throws(() => wasi.initialize(instanceWith(["memory"])));
  });

  test(`${name}: unknown versions, missing directories and wrong kinds are refused`, () => {
    const make = (options: object) => () => Reflect.construct(Provider, [options]);
    assert.throws(make({}));
    assert.throws(make({ version: "preview9" }));
    assert.throws(make({ version: "preview1", args: "x" }));
    assert.throws(make({ version: "preview1", env: 7 }));
    assert.throws(make({ version: "preview1", returnOnExit: "yes" }));
    assert.throws(make({ version: "preview1", stdin: "x" }));
    assert.throws(make({ version: "preview1", preopens: { "/": join(folder, "nothing") } }));
  });

  test(`${name}: without returnOnExit the process ends with the guest`, () => {
    const source = name === "node:wasi" ? "node:wasi" : "wasm-uring/wasi";
    const program = `
      import { readFileSync } from "node:fs";
      import { WASI } from "${source}";
      const wasi = new WASI({ version: "preview1", args: ["c", "exit", "7"], returnOnExit: false });
      const module = new WebAssembly.Module(readFileSync("build/guests/wasi-command.wasm"));
      wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
      process.exit(99);`;
    const words = ["--no-warnings", "--input-type=module", "-e", program];
    assert.is(spawnSync(process.execPath, words).status, 7);
  });
}

test("finalizeBindings makes another memory known, as node:wasi's since Node 24", () => {
  for (const [name, Provider] of PROVIDERS) {
    if (name === "node:wasi" && MAJOR < 24) {
      console.log(`guest/wasi: finalizeBindings of node:wasi skipped: Node ${MAJOR} has none`);
      continue;
    }
    const wasi = new Provider({ version: "preview1", args: ["a", "b"] });
    const memory = new WebAssembly.Memory({ initial: 1 });
    const bind: unknown = Reflect.get(wasi, "finalizeBindings");
    assert.type(bind, "function");
    Reflect.apply(bind as () => void, wasi, [instanceWith(["_start"]), { memory }]);
    assert.is(callImport(wasi, "args_sizes_get", 8, 12), 0);
    assert.is(new DataView(memory.buffer).getUint32(8, true), 2);
  }
});

test("what is wrong is said in one clear sentence", () => {
  const sentence = (options: object) => {
    const whole = { version: "preview1", ...options };
    const { code, message } = refusalOf(() => Reflect.construct(WASI, [whole]));
    assert.is(code, "ERR_BAD_OPTION");
    assert.not.match(message, /\n.*\n.*\n/);
    return message;
  };
  assert.match(sentence({ version: "unstable" }), /"unstable".*preview1/);
  assert.match(sentence({ preopens: { "/": join(folder, "nothing") } }), /nothing.*does not exist/);
  assert.match(sentence({ preopens: { "/": "package.json" } }), /not a directory/);
  mkdirSync(join(folder, "inner"), { recursive: true });
  const overlapping = { "/a": folder, "/a/b": join(folder, "inner") };
  assert.match(sentence({ preopens: overlapping }), /\/a/);
  assert.match(sentence({ preopen: {} }), /preopen/);
  assert.match(sentence({ env: { "A=B": "x" } }), /env/);
  assert.match(sentence({ openFilesMax: 1 }), /openFilesMax/);
  assert.match(sentence({ stdin: -1 }), /stdin/);
});

test("a guest in a folder, read-only and not", () => {
  const EPERM = 63;
  for (const readOnly of [true, false]) {
    const preopens = { "/": { path: folder, readOnly } };
    using wasi = new WASI({ version: "preview1", preopens });
    const memory = new WebAssembly.Memory({ initial: 1 });
    Buffer.from(memory.buffer).write("made");
    wasi.finalizeBindings(instanceWith(["_start"]), { memory });
    const errno = callImport(wasi, "path_create_directory", 3, 0, 4);
    assert.is(errno, readOnly ? EPERM : 0);
    assert.is(readdirSync(folder).includes("made"), !readOnly);
  }
});

test("a program in a thread of its own leaves the event loop free", async () => {
  const { fd, text } = openOutput();
  let turns = 0;
  const timer = setInterval(() => turns++, 5);
  const args = ["command", "wait", "300"];
  const wasi = new WASI({ version: "preview1", args, stdout: fd });
  assert.is(await wasi.startInWorker(COMMAND), 0);
  clearInterval(timer);
  assert.ok(turns > 5, `${turns} turns`);
  assert.is(text(), "");
  const rejected = await wasi.startInWorker(COMMAND).catch((error: unknown) => error);
  assert.instance(rejected, WasmUringError);
});

test("startInWorker: exit codes, traps, streams and bad modules", async () => {
  const start = (args: string[], more: object = {}) =>
    new WASI({ version: "preview1", args: ["command", ...args], ...more }).startInWorker(COMMAND);
  assert.is(await start(["exit", "42"]), 42);
  const trap = await start(["trap"]).catch((error: unknown) => error);
  assert.match(String(trap), /^RuntimeError: unreachable/);
  const { fd, text } = openOutput();
  const env = { ONE: "1", NOTHING: undefined };
  assert.is(await start(["env"], { env, stdout: fd }), 0);
  assert.is(text(), "ONE=1\n");
  const wasi = new WASI({ version: "preview1" });
  const error = await wasi.startInWorker(new Uint8Array([1, 2, 3])).catch((one: unknown) => one);
  assert.instance(error, WasmUringError);
});

test("nothing stays open: after start, after close, after a trap, after a refusal", () => {
  const open = () => readdirSync("/proc/self/fd").length;
  const preopens = { "/": folder };
  const run = (args: string[]) => {
    const wasi = new WASI({ version: "preview1", args: ["command", ...args], preopens });
    const imports: WebAssembly.Imports = { wasi_snapshot_preview1: wasi.wasiImport };
    return wasi.start(new WebAssembly.Instance(COMMAND, imports));
  };
  run(["print"]);
  const before = open();
  for (let turn = 0; turn < 20; turn++) {
    run(["exit", "3"]);
    assert.throws(() => run(["trap"]));
    new WASI({ version: "preview1", preopens }).close();
    refusalOf(() => new WASI({ version: "preview1", preopens: { ...preopens, x: "/nothing" } }));
  }
  assert.is(open(), before);
});

if (loadSyscalls().syscalls !== null) test.run();
else console.log("guest/wasi skipped: no system calls on this platform");
