// asc: --use abort=
/** A reactor for the tests of the class WASI: it is initialised once, and its exports are called afterwards. */
import { print } from "../../../assembly";

let calls: i32 = -100;

export function _initialize(): void {
  calls = 0;
}

/** How often it was called; prints that too. */
export function greet(): i32 {
  calls++;
  print("call " + calls.toString());
  return calls;
}
