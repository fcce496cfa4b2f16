/** How many bytes a descriptor that is ready would give, for the event that says so. */
import type { NativeBuffer } from "../ffi/native-buffer";
import type { DescriptorContext } from "./context";
import { type Descriptor, Kind, POSITION_OF_KERNEL } from "./descriptor";
import type { Status } from "./status";

export class Readiness {
  readonly #context: DescriptorContext;
  readonly #status: Status;
  readonly #count: NativeBuffer;

  constructor(context: DescriptorContext, status: Status) {
    this.#context = context;
    this.#status = status;
    this.#count = context.native.buffer(8);
  }

  /** 0 at the end; 1 where the number is not known (a listening socket has a connection). */
  readable(descriptor: Descriptor): number {
    const { files } = this.#context.native;
    if (descriptor.kind === Kind.FILE) {
      if (files.status(descriptor.hostFd, this.#status.address) < 0) return 1;
      const { position } = descriptor;
      const from = position === POSITION_OF_KERNEL ? files.seek(descriptor.hostFd, 0, 1) : position;
      return Math.max(this.#status.sizeBytes - from, 0);
    }
    const result = files.available(descriptor.hostFd, this.#count.address);
    return result < 0 ? 1 : this.#count.view.getInt32(0, true);
  }
}
