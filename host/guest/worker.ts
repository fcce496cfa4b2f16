/** The entry of a guest's worker thread. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../errors";
import { loadWasmer, WASMER_PACKAGE } from "../wasi";
import type { WorkerStart } from "./protocol";
import { Vcpu } from "./vcpu";

assert(parentPort !== null, "the guest's worker was loaded outside a worker thread");
const port = parentPort;
const start: WorkerStart = workerData;
const vcpu = new Vcpu(start, (message) => port.postMessage(message));
if (start.program.stdioProvider !== WASMER_PACKAGE) vcpu.run();
else loadWasmer().then((provider) => vcpu.run(provider));
