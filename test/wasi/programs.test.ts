/**
 * Programs that other people wrote, unmodified, under our WASI; what they leave behind is looked at by
 * the native tools. scripts/wasi-programs.js brings them; each is skipped aloud where it cannot.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runGuest } from "wasm-uring";
import { hasFiles, temporaryFolder } from "./folder";

const DEADLINE_MS = 60_000;
const test = suite("wasi/programs");

interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
}

async function run(program: string, folder: string, args: readonly string[]): Promise<Run> {
  const result = await runGuest(`build/programs/${program}.wasm`, {
    args: [program, ...args],
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    preopens: { "/": folder },
    stdout: "capture",
    stderr: "capture",
    deadlineMs: DEADLINE_MS,
  });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  const { exitCode } = result;
  return { exitCode, stdout: text(result.stdout), stderr: text(result.stderr) };
}

async function outputOf(program: string, folder: string, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, folder, args);
  assert.is(exitCode, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Why a program is not there. */
function reasonOf(program: string): string {
  const file = "build/programs/skipped.json";
  if (!existsSync(file)) return "node scripts/wasi-programs.js was not run";
  const skipped: Record<string, string> = JSON.parse(readFileSync(file, "utf8"));
  return skipped[program] ?? "node scripts/wasi-programs.js was not run";
}

function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** A test of a program, with what it needs natively beside it. */
function testOf(
  program: string,
  title: string,
  tools: readonly string[],
  body: () => Promise<void>,
) {
  const missing = tools.filter((tool) => !hasTool(tool));
  if (!existsSync(`build/programs/${program}.wasm`)) {
    console.log(`wasi/programs: ${program} skipped: ${reasonOf(program)}`);
  } else if (missing.length > 0) {
    console.log(
      `wasi/programs: ${program} skipped: no native ${missing.join(", ")} to compare with`,
    );
  } else {
    test(title, body);
  }
}

/** Text that compresses, with bytes of every value in between. */
function sample(lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  let state = 1;
  for (let at = 0; at < lengthBytes; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = at % 64 < 48 ? 97 + (at % 26) : state >>> 24;
  }
  return bytes;
}

testOf(
  "sqlite",
  "SQLite writes a database that the native one finds whole",
  ["sqlite3"],
  async () => {
    const folder = temporaryFolder();
    const count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
    const make =
      "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB);" +
      `${count} INSERT INTO t SELECT i, 'name ' || i, randomblob(i % 300) FROM n;` +
      "CREATE INDEX by_name ON t(name); DELETE FROM t WHERE id % 7 = 0;" +
      "UPDATE t SET data = zeroblob(500) WHERE id % 11 = 0;";
    await outputOf("sqlite", folder, "/test.db", make);
    const question = "SELECT count(*), sum(length(data)), sum(id) FROM t; PRAGMA integrity_check;";
    const ours = await outputOf("sqlite", folder, "/test.db", question);
    assert.match(ours, /\nok\n$/);
    const file = join(folder, "test.db");
    const native = execFileSync("sqlite3", [file, question], { encoding: "utf8" });
    assert.is(ours, native);
    // And the other way: what the native one changed, ours finds whole.
    execFileSync("sqlite3", [file, "INSERT INTO t SELECT id + 100000, name, data FROM t; VACUUM;"]);
    assert.is(
      await outputOf("sqlite", folder, "/test.db", question),
      execFileSync("sqlite3", [file, question], { encoding: "utf8" }),
    );
  },
);

testOf("sqlite", "SQLite rolls back what was not committed", ["sqlite3"], async () => {
  const folder = temporaryFolder();
  await outputOf("sqlite", folder, "/test.db", "CREATE TABLE t(a); INSERT INTO t VALUES(1);");
  const broken = "BEGIN; INSERT INTO t VALUES(2); INSERT INTO no_such_table VALUES(3); COMMIT;";
  const { exitCode, stderr } = await run("sqlite", folder, ["/test.db", broken]);
  assert.is(exitCode, 1);
  assert.match(stderr, /no such table/);
  const file = join(folder, "test.db");
  const native = execFileSync("sqlite3", [file, "SELECT * FROM t; PRAGMA integrity_check"]);
  assert.is(native.toString(), "1\nok\n");
});

for (const [program, ending] of [
  ["bzip2", "bz2"],
  ["zstd", "zst"],
] as const) {
  testOf(program, `${program} packs and unpacks as the native one`, [program], async () => {
    const folder = temporaryFolder();
    const plain = sample(3_000_000);
    const file = (name: string) => join(folder, name);
    writeFileSync(file("ours"), plain);
    writeFileSync(file("native"), plain);
    await outputOf(program, folder, "-k", "/ours");
    assert.ok(readFileSync(file(`ours.${ending}`)).length < plain.length / 2);
    const unpacked = execFileSync(program, ["-dc", file(`ours.${ending}`)], { maxBuffer: 1 << 28 });
    assert.ok(unpacked.equals(plain));
    execFileSync(program, ["-q", "-k", file("native")]);
    writeFileSync(file(`packed.${ending}`), readFileSync(file(`native.${ending}`)));
    await outputOf(program, folder, "-d", `/packed.${ending}`);
    assert.ok(readFileSync(file("packed")).equals(plain));
    const { exitCode } = await run(program, folder, ["-t", "/ours"]);
    assert.is.not(exitCode, 0);
  });
}

const WALK = `
import os, sys
for root, folders, files in os.walk(sys.argv[1]):
    folders.sort()
    print(root, len(folders))
    for name in sorted(files):
        path = os.path.join(root, name)
        info = os.lstat(path)
        print(path, info.st_size, os.path.islink(path), info.st_ino, int(info.st_mtime))
`;

testOf("python", "CPython walks a tree, and sees what is there", [], async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "tree/a/b/c"), { recursive: true });
  mkdirSync(join(folder, "tree/empty"));
  for (let count = 0; count < 300; count++) {
    writeFileSync(join(folder, `tree/a/b/file${count}`), "x".repeat(count));
  }
  symlinkSync("b/file7", join(folder, "tree/a/link"));
  writeFileSync(join(folder, "walk.py"), WALK);
  const ours = await outputOf("python", folder, "/walk.py", "/tree");
  assert.is(ours.split("\n").length, 300 + 1 + 5 + 1);
  assert.match(ours, /\/tree\/a\/b\/file299 299 False/);
  assert.match(ours, /\/tree\/a\/link 7 True/);
  if (!hasTool("python3")) return;
  const words = [join(folder, "walk.py"), join(folder, "tree")];
  const native = execFileSync("python3", words, { encoding: "utf8" });
  assert.is(ours, native.replaceAll(folder, ""));
});

const CHANGE = `
import os, shutil, tempfile, json, sys
os.makedirs("/made/deep/er")
with open("/made/deep/er/data.json", "w") as file: json.dump({"text": "Größe"}, file)
shutil.copytree("/made/deep", "/made/copy")
os.rename("/made/copy/er/data.json", "/made/moved.json")
os.symlink("moved.json", "/made/link")
shutil.rmtree("/made/deep")
with open("/made/link") as file: print(json.load(file)["text"])
print(sorted(os.listdir("/made")), os.stat("/made/moved.json").st_nlink)
try: open("/../etc/passwd")
except OSError as error: print(type(error).__name__)
`;

testOf("python", "CPython copies, renames, links and removes", [], async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "made"));
  writeFileSync(join(folder, "change.py"), CHANGE);
  const lines = (await outputOf("python", folder, "/change.py")).trim().split("\n");
  assert.is(lines[0], "Größe");
  assert.is(lines[1], "['copy', 'link', 'moved.json'] 1");
  assert.match(lines[2] ?? "", /Error$/);
  assert.is(readFileSync(join(folder, "made/moved.json"), "utf8"), '{"text": "Gr\\u00f6\\u00dfe"}');
});

if (hasFiles) test.run();
else console.log("wasi/programs skipped: no system calls on this platform");
