/**
 * Does --file mean what was written, also for paths with colons, commas and equals signs?
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasmUringError } from "../../host/errors";
import { type FileOption, parseFileOption } from "../../host/grant/parse";

const parse = suite("grant/parse");

const ENDINGS = { read: ":ro", write: ":wo", "read-write": ":rw" } as const;

/**
 * Writes an option so that it is read back: with the access after the path, so that nothing of it
 * is taken off.
 */
function write({ name, request }: FileOption, directFirst: boolean): string {
  const access = request.access === undefined ? "" : ENDINGS[request.access];
  const direct = request.direct === true ? ",direct" : "";
  return `${name}=${request.path}${directFirst ? direct + access : access + direct}`;
}

parse("the forms of the help text", () => {
  const read = (text: string) => parseFileOption(text);
  assert.equal(read("a=b"), { name: "a", request: { path: "b" } });
  assert.equal(read("a=b:ro"), { name: "a", request: { path: "b", access: "read" } });
  assert.equal(read("a=b:wo"), { name: "a", request: { path: "b", access: "write" } });
  const both = { name: "a", request: { path: "b", access: "read-write", direct: true } };
  assert.equal(read("a=b:rw,direct"), both);
  assert.equal(read("a=b,direct:rw"), both);
});

parse("only a recognised ending is taken off, each once", () => {
  const path = (text: string) => parseFileOption(text).request.path;
  assert.is(path("a=C:/x=y,z"), "C:/x=y,z");
  assert.is(path("a=b:rx"), "b:rx");
  assert.is(path("a=b:RO"), "b:RO");
  assert.is(path("a=b:ro:ro"), "b:ro");
  assert.is(path("a=b:ro:rw,direct"), "b:ro");
  assert.is(path("a=b,direct,direct"), "b,direct");
  assert.is(path("a=b,directly"), "b,directly");
  assert.is(path("a=b=c=:ro"), "b=c=");
});

parse("what is missing is told", () => {
  const bad = (text: string, why: RegExp) =>
    assert.throws(
      () => parseFileOption(text),
      (error: unknown) =>
        error instanceof WasmUringError &&
        error.code === "ERR_BAD_OPTION" &&
        why.test(error.message),
    );
  bad("", /no "="/);
  bad("name", /no "="/);
  bad("=path", /no name/);
  bad("name=", /no path/);
  bad("name=:rw,direct", /no path/);
});

parse("round trip of any name and path", () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !text.includes("="));
  const tail = fc.constantFrom(
    "",
    ":ro",
    ":wo",
    ":rw",
    ",direct",
    ":",
    ",",
    "=",
    ":rw,direct",
    ",direct:ro",
  );
  const path = fc.tuple(fc.string({ minLength: 1 }), tail).map((parts) => parts.join(""));
  const access = fc.constantFrom("read", "write", "read-write" as const);
  fc.assert(
    fc.property(
      name,
      path,
      access,
      fc.boolean(),
      (givenName, givenPath, givenAccess, directFirst) => {
        const option: FileOption = {
          name: givenName,
          request: { path: givenPath, access: givenAccess, direct: true },
        };
        assert.equal(parseFileOption(write(option, directFirst)), option);
      },
    ),
  );
});

parse("without endings of its own a path survives bare", () => {
  const path = fc.string({ minLength: 1 }).filter((text) => !/(:ro|:wo|:rw|,direct)$/.test(text));
  fc.assert(
    fc.property(path, (given) => {
      assert.equal(parseFileOption(`n=${given}`), { name: "n", request: { path: given } });
    }),
  );
});

parse.run();
