/** The `mapped` engine, that is the kernel itself, in the suite that the other engines must pass. */
import { suite } from "uvu";
import { startMapped } from "../../host/ring/mapped/start";
import { conformance } from "./conformance";
import { refusal } from "./refusal";

const test = suite("ring/mapped");
const refused = refusal();
if (refused !== undefined) {
  console.log(`ring/mapped skipped: io_uring_setup answers ${refused}`);
} else {
  conformance(test, (context) => {
    const started = startMapped(context, "NO_MMAP");
    if (typeof started === "number") throw new Error(`NO_MMAP was refused: errno ${started}`);
    return started.engine;
  });
}

test.run();
