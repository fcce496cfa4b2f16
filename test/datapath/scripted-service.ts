/**
 * Who serves the queue in tests of the driver: performs requests on an array, in whatever order a test says, and
 * publishes each by itself, so that it is seen how many interrupts the driver asks for. It can lie.
 */
import {
  Errno,
  VirtioBlkHeader,
  VirtioBlkRange,
  VirtioBlkStatus,
  VirtioBlkType,
} from "../../assembly/abi/index";
import type { QueueService, QueueSetup, WindowRange } from "../../host/virtio/service";
import { DeviceQueue } from "../../host/virtio/virtqueue";
import { SECTOR } from "./disk-model";

export interface Behaviour {
  /** Which of `count` requests in hand completes next. Default: the oldest. */
  pick?: (count: number) => number;
  /** Whether a kick alone completes what it brought. Default false: `wait` does. */
  eager?: boolean;
  /** What `find` says. Default false. */
  selfRunning?: boolean;
  /** Heads to give back instead of the true ones: a device that lies. */
  headOf?: (head: number) => number;
  /** The status to answer with instead of the true one. */
  statusOf?: (type: number, status: number) => number;
}

interface Taken {
  head: number;
  offsets: number[];
  lengths: number[];
  readableCount: number;
}

export class ScriptedService implements QueueService {
  readonly selfRunning: boolean;
  failure = 0;
  kicks = 0;
  waits = 0;
  interrupts = 0;
  completed = 0;
  /** The guest's. */
  memory: () => ArrayBuffer = () => new ArrayBuffer(0);
  readonly #disk: Uint8Array;
  readonly #behaviour: Behaviour;
  readonly #taken: Taken[] = [];
  #window: WindowRange = { offset: 0, length: 0 };
  #queue: DeviceQueue | null = null;
  #interrupt = false;

  constructor(disk: Uint8Array, behaviour: Behaviour) {
    this.#disk = disk;
    this.#behaviour = behaviour;
    this.selfRunning = behaviour.selfRunning ?? false;
  }

  setWindow(window: WindowRange): number {
    this.#window = window;
    return 0;
  }

  start(setup: QueueSetup): number {
    // The whole memory stands for the window: what lies outside of the declared one is found in `#take`.
    const window = { buffer: this.memory(), offset: 0, deviceAddress: 0 };
    this.#queue = new DeviceQueue(window, setup);
    this.#queue.wantKicks();
    return 0;
  }

  stop(): number {
    return this.#queue?.availIndex ?? 0;
  }

  kick(): number {
    this.kicks++;
    this.#take();
    while (this.#behaviour.eager && this.#taken.length > 0) this.#completeOne();
    return this.failure;
  }

  wait(timeoutUs: number): number {
    this.waits++;
    this.#take();
    while (!this.#interrupt && this.#taken.length > 0) this.#completeOne();
    if (!this.#interrupt) {
      if (timeoutUs < 0) throw new Error("the driver waits for an interrupt that will not come");
      return -Errno.ETIME;
    }
    this.#interrupt = false;
    return 1;
  }

  close(): void {}

  #take(): void {
    const queue = this.#queue;
    if (queue === null) return;
    do {
      for (let head = queue.next(); head >= 0; head = queue.next()) this.#hold(queue, head);
    } while (queue.wantKicks());
    if (queue.fault !== 0) throw new Error(`the driver broke the queue: ${queue.fault}`);
  }

  #hold(queue: DeviceQueue, head: number): void {
    const { chain } = queue;
    const offsets = [...chain.offsets.subarray(0, chain.count)];
    const lengths = [...chain.lengths.subarray(0, chain.count)];
    const { offset, length } = this.#window;
    const outside = offsets.some(
      (start, index) => start < offset || start + (lengths[index] ?? 0) > offset + length,
    );
    if (outside) throw new Error("a buffer outside the declared window");
    this.#taken.push({ head, offsets, lengths, readableCount: chain.readableCount });
  }

  #completeOne(): void {
    const { pick = () => 0, headOf = (head: number) => head } = this.#behaviour;
    const [request] = this.#taken.splice(pick(this.#taken.length), 1);
    if (request === undefined || this.#queue === null) return;
    const written = this.#perform(request);
    this.completed++;
    this.#queue.push(headOf(request.head), written);
    if (!this.#queue.publish()) return;
    this.interrupts++;
    this.#interrupt = true;
  }

  /** Returns the bytes written into the guest's memory. */
  #perform({ offsets, lengths, readableCount }: Taken): number {
    const { statusOf = (_: number, status: number) => status } = this.#behaviour;
    const view = new DataView(this.memory());
    const memory = new Uint8Array(this.memory());
    const [header = 0, data = 0] = offsets;
    if (lengths[0] !== VirtioBlkHeader.SIZE || lengths.at(-1) !== 1) throw new Error("bad framing");
    const type = view.getUint32(header + VirtioBlkHeader.TYPE, true);
    const at = Number(view.getBigUint64(header + VirtioBlkHeader.SECTOR, true)) * SECTOR;
    const length = offsets.length === 3 ? (lengths[1] ?? 0) : 0;
    const status = this.#do(type, memory, view, data, at, length, readableCount);
    memory[offsets.at(-1) ?? 0] = statusOf(type, status);
    return type === VirtioBlkType.IN ? length + 1 : 1;
  }

  #do(
    type: number,
    memory: Uint8Array,
    view: DataView,
    data: number,
    at: number,
    length: number,
    readableCount: number,
  ): number {
    const disk = this.#disk;
    if (type === VirtioBlkType.FLUSH) {
      return length === 0 ? VirtioBlkStatus.OK : VirtioBlkStatus.UNSUPP;
    }
    if (type === VirtioBlkType.IN) {
      if (readableCount !== 1 || at + length > disk.length) return VirtioBlkStatus.IOERR;
      memory.set(disk.subarray(at, at + length), data);
      return VirtioBlkStatus.OK;
    }
    if (readableCount !== 2) return VirtioBlkStatus.IOERR;
    if (type === VirtioBlkType.OUT) {
      if (at + length > disk.length) return VirtioBlkStatus.IOERR;
      disk.set(memory.subarray(data, data + length), at);
      return VirtioBlkStatus.OK;
    }
    const start = Number(view.getBigUint64(data + VirtioBlkRange.SECTOR, true)) * SECTOR;
    const bytes = view.getUint32(data + VirtioBlkRange.NUM_SECTORS, true) * SECTOR;
    if (start + bytes > disk.length) return VirtioBlkStatus.IOERR;
    // A discard leaves something that nobody expects.
    disk.fill(type === VirtioBlkType.DISCARD ? 0xdd : 0, start, start + bytes);
    return VirtioBlkStatus.OK;
  }
}
