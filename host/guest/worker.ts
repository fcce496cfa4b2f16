/** The entry of a guest's worker thread. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../errors";
import { Vcpu } from "./vcpu";

assert(parentPort !== null, "the guest's worker was loaded outside a worker thread");
const port = parentPort;
new Vcpu(workerData, (message) => port.postMessage(message)).run();
