/**
 * virtio-blk as QEMU does it without an I/O thread: the guest's own thread serves the queue, inside the guest's calls.
 * A kick takes and starts what is available, and gives back what is complete already; `wait` blocks on the back end.
 */
import { Errno } from "../abi";
import { QueueFault } from "../virtio/queue-fault";
import type { QueueService, QueueSetup, WindowRange } from "../virtio/service";
import type { DeviceControl } from "./control";
import type { ServedDisk } from "./served-disk";
import { deadlineOf, type ServiceContext, SLICE_US } from "./service-context";

export class InlineService implements QueueService {
  readonly selfRunning = false;
  readonly #disk: ServedDisk;
  readonly #control: DeviceControl;
  readonly #context: ServiceContext;
  #failure = 0;

  /** @param disk opened on this thread; closed with this service */
  constructor(disk: ServedDisk, control: DeviceControl, context: ServiceContext) {
    this.#disk = disk;
    this.#control = control;
    this.#context = context;
  }

  get failure(): number {
    return this.#failure;
  }

  setWindow(window: WindowRange): number {
    const shared = this.#context.shareWindow(window);
    if (typeof shared === "number") return shared;
    this.#control.publishWindow(shared);
    return 0;
  }

  start(queue: QueueSetup): number {
    const result = this.#disk.start(queue);
    if (result < 0) return result;
    this.#failure = 0;
    this.#disk.server?.wantKicks();
    return 0;
  }

  stop(): number {
    const result = this.#disk.stop(() => this.#context.stop.stopped());
    if (result < 0) this.#failure ||= result;
    return result;
  }

  kick(): number {
    this.#control.countKick();
    this.#serve();
    return this.#failure;
  }

  wait(timeoutUs: number): number {
    const { server, backend } = this.#disk;
    if (server === null) return this.#failure || -Errno.EINVAL;
    this.#control.countWait();
    const end = timeoutUs > 0 ? deadlineOf(timeoutUs) : 0;
    for (;;) {
      this.#serve();
      if (server.takeInterrupt()) {
        this.#control.countInterrupt();
        return 1;
      }
      if (this.#failure !== 0) return this.#failure;
      if (this.#context.stop.stopped()) return -Errno.EINTR;
      if (timeoutUs < 0) {
        backend.wait(SLICE_US);
        continue;
      }
      const leftUs = timeoutUs === 0 ? 0 : (end - performance.now()) * 1000;
      if (leftUs <= 0) return -Errno.ETIME;
      backend.wait(Math.min(leftUs, SLICE_US));
    }
  }

  close(): void {
    this.#disk.close();
  }

  /** Takes and starts what is available, gives back what is complete. */
  #serve(): void {
    const { server } = this.#disk;
    if (server === null) return;
    server.serveAvail();
    const answered = server.reapCompletions();
    if (answered > 0) this.#disk.count(answered);
    // Nobody looks at the queue between the guest's calls.
    server.wantKicks();
    if (server.fault === QueueFault.NONE || this.#failure !== 0) return;
    this.#control.setFault(server.fault);
    this.#failure = -Errno.EPROTO;
  }
}
