/** Prints what assembly/ring-size.ts says of every ring size, for comparison with host/ring/layout.ts. */
import { print } from "../../assembly";
import { ringBytes, sqesBytes } from "../../assembly/ring-size";

export function _start(): void {
  for (let sq: u32 = 1; sq <= 32768; sq <<= 1) {
    for (let cq: u32 = sq; cq <= 65536; cq <<= 1) {
      print(sq.toString() + " " + cq.toString() + " " + ringBytes(sq, cq).toString() + " " + sqesBytes(sq).toString());
    }
  }
}
