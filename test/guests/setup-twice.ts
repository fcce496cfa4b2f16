/** Asks for a second ring, then for one of `arena MIB` mebibytes; prints the errno of each. */
import { print, programArguments, Ring } from "../../assembly";

export function _start(): void {
  const words = programArguments();
  if (words.length > 1 && words[0] == "arena") {
    const wide = new Ring();
    print(wide.setup(U32.parseInt(words[1]) << 20).toString());
    return;
  }
  const first = new Ring();
  print(first.setup(4096).toString());
  const second = new Ring();
  print(second.setup(4096).toString());
}
