/** The entry of a device's thread: opens the disk's back end, says so, and serves until it is told to quit. */
import { parentPort, workerData } from "node:worker_threads";
import { assert, toPortable, WasmUringError } from "../errors";
import { loadSyscalls } from "../ffi";
import { eventFds } from "../ffi/event-fd";
import { scheduler } from "../ffi/scheduler";
import { DeviceControl, ServiceState } from "./control";
import type { DeviceThreadMessage, DeviceThreadStart } from "./device-messages";
import { QueueLoop } from "./queue-loop";
import { ServedDisk } from "./served-disk";

assert(parentPort !== null, "a device's worker was loaded outside a worker thread");
const port = parentPort;
const post = (message: DeviceThreadMessage) => port.postMessage(message);

function failureOf(what: string, error: unknown): WasmUringError {
  if (error instanceof WasmUringError) return error;
  return new WasmUringError("ERR_WORKER", {
    what: `${what}: serving its queue`,
    why: error instanceof Error ? error.message : String(error),
    likelyCause: "a defect of wasm-uring",
    whatToDo: "report it",
  });
}

function serve({ what, control: shared, disk, source, thread }: DeviceThreadStart): void {
  const control = new DeviceControl(shared);
  let served: ServedDisk | null = null;
  try {
    const { syscalls, reason } = loadSyscalls();
    assert(syscalls !== null, reason);
    served = new ServedDisk({ what, disk, source, control, syscalls });
    control.setState(ServiceState.SERVING);
    post({ type: "ready", remains: served.backend.remains });
    const calls = { events: eventFds(), scheduler: scheduler() };
    new QueueLoop({ disk: served, control, plan: thread, ...calls }).run();
  } catch (error) {
    post({ type: "failed", error: toPortable(failureOf(what, error)) });
  } finally {
    served?.close();
  }
}

serve(workerData);
