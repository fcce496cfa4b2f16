/** A queue service that only records what the device asks of it and answers what the test says. */
import { Errno, VirtioFeature } from "../../assembly/abi/index";
import { describeDisk } from "../../host/virtio/blk-config";
import { BlkDevice } from "../../host/virtio/blk-device";
import type { QueueService, QueueSetup, WindowRange } from "../../host/virtio/service";
import { DISK } from "./blk-driver";

export class FakeService implements QueueService {
  selfRunning = false;
  failure = 0;
  readonly calls: string[] = [];
  readonly starts: QueueSetup[] = [];
  /** What the next calls answer. */
  windowResult = 0;
  startResult = 0;
  stopIndex = 0;
  kickResult = 0;
  waitResult: number = -Errno.ETIME;

  setWindow({ offset, length }: WindowRange): number {
    this.calls.push(`setWindow ${offset} ${length}`);
    return this.windowResult;
  }

  start(queue: QueueSetup): number {
    this.calls.push("start");
    this.starts.push(queue);
    return this.startResult;
  }

  stop(): number {
    this.calls.push("stop");
    return this.stopIndex;
  }

  kick(): number {
    this.calls.push("kick");
    return this.kickResult;
  }

  wait(timeoutUs: number): number {
    this.calls.push(`wait ${timeoutUs}`);
    return this.waitResult;
  }

  close(): void {
    this.calls.push("close");
  }

  /** The calls since the last time. */
  take(): string[] {
    return this.calls.splice(0);
  }
}

export const PAGE_BYTES = 4096;

export function makeDevice(): { device: BlkDevice; service: FakeService } {
  const service = new FakeService();
  const description = describeDisk(DISK);
  return { device: new BlkDevice({ description, service, pageBytes: PAGE_BYTES }), service };
}

export const VERSION_1 = 1n << BigInt(VirtioFeature.VERSION_1);

/** A queue of 64 at the beginning of a window of 1 MiB at 64 KiB. */
export const WINDOW = { offset: 0x10000, length: 0x100000 };
export const PLACE = { desc: 0x10000, avail: 0x10400, used: 0x10800 };
