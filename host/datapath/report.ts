/** What an embedder is told of a device afterwards: by which path it was served, by whom, and how much. */
import type { AioName } from "../virtio/aio";
import type { DataPathName } from "./options";

export interface DeviceReport {
  name: string;
  path: DataPathName;
  /** What moved the bytes; null on passthrough, where the guest's ring did, and where a daemon did. */
  aio: AioName | "ram" | null;
  /** Who served the requests. */
  servedBy: "ring" | "guest thread" | "device thread" | "daemon";
  capacityBytes: number;
  /** Requests answered, and of those how many with an error; null where they do not pass through the host. */
  requests: number | null;
  errors: number | null;
  /** The guest's kicks and the device's interrupts; 0 on passthrough, which has neither. */
  kicks: number;
  interrupts: number;
  /** Why the device stopped serving before its guest ended, in a sentence; null when it did not. */
  failure: string | null;
}
