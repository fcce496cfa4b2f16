/**
 * The command line's `--file NAME=PATH[:ro|:wo|:rw][,direct]`. Paths may hold `:`, `,` and `=`: the
 * name ends at the first `=`, and only a recognised ending is taken off, each of the two once, in
 * either order. A path that itself ends in `:ro` is written with its access, `x:ro:ro`; one that
 * ends in `,direct` needs the library.
 */
import { WasmUringError } from "../errors";
import type { Access, PathGrant } from "./request";

const FORM = "--file NAME=PATH[:ro|:wo|:rw][,direct]";

const ACCESS_ENDINGS: ReadonlyMap<string, Access> = new Map([
  [":ro", "read"],
  [":wo", "write"],
  [":rw", "read-write"],
]);
const DIRECT_ENDING = ",direct";

export interface FileOption {
  name: string;
  request: PathGrant;
}

function bad(text: string, why: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", {
    what: `reading --file ${JSON.stringify(text)}`,
    why,
    whatToDo: `write ${FORM}`,
  });
}

/**
 * @throws WasmUringError ERR_BAD_OPTION when the name or the path is missing
 */
export function parseFileOption(text: string): FileOption {
  const equals = text.indexOf("=");
  if (equals < 0) throw bad(text, 'there is no "=" between a name and a path');
  const name = text.slice(0, equals);
  if (name === "") throw bad(text, 'there is no name before the "="');
  let path = text.slice(equals + 1);
  let access: Access | undefined;
  let direct = false;
  for (;;) {
    const asked = access === undefined ? ACCESS_ENDINGS.get(path.slice(-3)) : undefined;
    if (asked !== undefined) {
      access = asked;
      path = path.slice(0, -3);
    } else if (!direct && path.endsWith(DIRECT_ENDING)) {
      direct = true;
      path = path.slice(0, -DIRECT_ENDING.length);
    } else break;
  }
  if (path === "") throw bad(text, 'there is no path after the "="');
  return {
    name,
    request: { path, ...(access === undefined ? {} : { access }), ...(direct ? { direct } : {}) },
  };
}
