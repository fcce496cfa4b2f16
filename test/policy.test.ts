/**
 * Does a policy compile to exactly what it says, and is everything that the kernel cannot confine
 * refused with the reason? Over every opcode that there is, and over random lists.
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Op, SqeFlag } from "../host/abi";
import { WasmUringError } from "../host/errors";
import { nearest } from "../host/nearest";
import { compilePolicy, POLICY_NAMES, parsePolicy } from "../host/policy";
import { OP_NAMES, SAFE_OP_NAMES, whyRefused } from "../host/policy-reasons";

const policies = suite("policy");

const ALL_FLAGS = SqeFlag.IO_LINK | SqeFlag.IO_HARDLINK | SqeFlag.CQE_SKIP_SUCCESS;

/**
 * The message of the ERR_BAD_POLICY that this input gives. `input` is untyped: it may come from
 * JavaScript.
 */
function refusal(input: unknown): string {
  try {
    Reflect.apply(compilePolicy, undefined, [input]);
  } catch (error) {
    assert.instance(error, WasmUringError);
    if (!(error instanceof WasmUringError)) throw error;
    assert.is(error.code, "ERR_BAD_POLICY");
    assert.not.match(error.message, /\n|undefined|\[object/);
    return error.message;
  }
  throw new Error(`accepted: ${JSON.stringify(input)}`);
}

policies("the built-in ones are those of kernel-facts 9", () => {
  const opcodes = (name: string) => compilePolicy(name).opcodes.map((opcode) => Op[opcode]);
  assert.equal(opcodes("file-read"), ["READ_FIXED", "FADVISE"]);
  assert.equal(opcodes("file-write"), [
    "FSYNC",
    "READ_FIXED",
    "WRITE_FIXED",
    "SYNC_FILE_RANGE",
    "FADVISE",
    "FTRUNCATE",
  ]);
  assert.equal(opcodes("stream"), [
    "READ_FIXED",
    "WRITE_FIXED",
    "POLL_ADD",
    "POLL_REMOVE",
    "ASYNC_CANCEL",
    "SHUTDOWN",
  ]);
  for (const name of POLICY_NAMES) {
    const compiled = compilePolicy(name);
    assert.is(compiled.sqeFlagsRequired, SqeFlag.FIXED_FILE);
    assert.is(compiled.sqeFlagsAllowed, ALL_FLAGS);
    assert.is(compiled.vetHiddenFields, false);
    assert.equal(structuredClone(compiled), compiled);
  }
});

policies("the safe opcodes are those of kernel-facts 0.1, without LISTEN", () => {
  assert.equal(
    SAFE_OP_NAMES.map((name) => Op[name]),
    [3, 4, 5, 6, 7, 8, 14, 17, 24, 34, 55],
  );
});

policies("every other opcode is refused by name, with a reason", () => {
  assert.is(OP_NAMES.length, Op.LAST);
  for (const name of OP_NAMES) {
    if (SAFE_OP_NAMES.includes(name)) {
      assert.is(whyRefused(name), undefined);
      assert.equal(compilePolicy({ opcodes: [name] }).opcodes, [Op[name]]);
      continue;
    }
    const message = refusal({ opcodes: ["READ_FIXED", name] });
    assert.ok(message.includes(`opcode ${name} is refused: `), message);
    assert.ok(message.includes(whyRefused(name) ?? "no reason"), message);
  }
});

policies("the reason says what a guest could do and what to use instead", () => {
  const message = refusal('["READV"]');
  assert.match(message, /iovec array by pointer/);
  assert.match(message, /overwrite host memory/);
  assert.match(message, /use READ_FIXED$/);
});

policies("flags that would weaken a ring are refused with a reason", () => {
  for (const flag of ["IO_DRAIN", "ASYNC", "BUFFER_SELECT", "FIXED_FILE"]) {
    const message = refusal({ opcodes: ["READ_FIXED"], sqeFlags: [flag] });
    assert.ok(message.includes(`SQE flag ${flag} is refused: `), message);
  }
  for (const key of ["constructor", "__proto__", "1"]) {
    assert.match(refusal({ opcodes: ["READ_FIXED"], sqeFlags: [key] }), /there is no SQE flag/);
    assert.match(refusal({ opcodes: [key] }), /there is no opcode/);
  }
});

policies("flags: all three by default, none by an empty list", () => {
  assert.is(compilePolicy({ opcodes: ["FSYNC"] }).sqeFlagsAllowed, ALL_FLAGS);
  assert.is(compilePolicy({ opcodes: ["FSYNC"], sqeFlags: [] }).sqeFlagsAllowed, 0);
  const one = compilePolicy({ opcodes: ["FSYNC"], sqeFlags: ["IO_HARDLINK"] });
  assert.is(one.sqeFlagsAllowed, SqeFlag.IO_HARDLINK);
});

policies("typos are told with the nearest word", () => {
  assert.match(
    refusal("file-raed"),
    /did you mean "file-read"\? known are file-read, file-write, stream/,
  );
  assert.match(refusal('["READ_FIXD"]'), /did you mean "READ_FIXED"\?/);
  assert.match(refusal('["IORING_OP_FSYNC"]'), /did you mean "FSYNC"\?/);
  assert.match(
    refusal({ opcode: ["FSYNC"] }),
    /there is no key "opcode".*did you mean "opcodes"\?/,
  );
  assert.not.match(refusal("xyzzy"), /did you mean/);
  assert.is(nearest("straem", POLICY_NAMES), "stream");
});

policies("malformed ones are refused in one sentence", () => {
  const malformed: unknown[] = [
    ...["", " ", "{", "[", "{}", "[]", "[1]", '{"opcodes":"FSYNC"}', '{"opcodes":null}', "@file"],
    ...[null, undefined, 1, true, [], ["FSYNC"], {}, { opcodes: [] }, { opcodes: [null] }],
    ...[
      { opcodes: ["FSYNC"], name: "" },
      { opcodes: ["FSYNC"], name: "a\nb" },
      { opcodes: ["FSYNC"], name: "stream" },
      { opcodes: ["FSYNC"], sqeFlags: "IO_LINK" },
      { opcodes: ["FSYNC"], vetHiddenFields: "yes" },
      { opcodes: ["FSYNC"], personality: 1 },
    ],
  ];
  for (const input of malformed) refusal(input);
});

policies("text is a name, an object or a list", () => {
  assert.is(parsePolicy(" stream\n"), "stream");
  const text = ' {"name": "mine", "opcodes": ["FSYNC"], "vetHiddenFields": true} ';
  assert.equal(parsePolicy(text), { name: "mine", opcodes: ["FSYNC"], vetHiddenFields: true });
  assert.is(compilePolicy(text).vetHiddenFields, true);
  assert.equal(parsePolicy('["FSYNC"]'), { opcodes: ["FSYNC"] });
  assert.throws(() => parsePolicy('["READ"]'), /opcode READ is refused/);
});

policies("any list of safe opcodes compiles to that set, and to the same through JSON", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...SAFE_OP_NAMES), { minLength: 1 }), (opcodes) => {
      const compiled = compilePolicy({ opcodes });
      const expected = [...new Set(opcodes.map((name) => Op[name]))].sort((a, b) => a - b);
      assert.equal(compiled.opcodes, expected);
      assert.equal(compilePolicy(JSON.stringify({ opcodes })), compiled);
    }),
  );
});

policies("no text crashes the parser: it is a policy or ERR_BAD_POLICY", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((json) => `{"opcodes":${json}}`),
      ),
      (text) => {
        try {
          parsePolicy(text);
        } catch (error) {
          assert.ok(
            error instanceof WasmUringError && error.code === "ERR_BAD_POLICY",
            String(error),
          );
        }
      },
    ),
  );
});

policies.run();
