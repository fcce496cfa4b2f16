/**
 * The guest's vectors (`iovec`, `ciovec`) as the kernel takes them: each is read once, checked, and
 * laid down as a struct iovec with the native address, so that data moves between the file and the
 * guest's memory without a copy. Nothing is allocated for a call.
 */
import type { NativeBuffer } from "../ffi/native-buffer";
import type { GuestMemory } from "../memory/guest-memory";
import type { DescriptorContext } from "./context";
import { WasiErrno } from "./errno";
import { getNumber64, setNumber64 } from "./number64";
import { type Parameter, unsigned } from "./parameter";

/** IOV_MAX of Linux. */
export const VECTORS_MAX = 1024;
const VECTOR_BYTES = 8;
const NATIVE_VECTOR_BYTES = 16;
/** The most that one call transfers, so that the sum always fits its u32. */
export const TRANSFER_MAX_BYTES = 0x7fffffff;

export class Vectors {
  /** How many there are. */
  count = 0;
  /** The native address and the length of the first. */
  address = 0;
  length = 0;
  /** Of all together, after the cut at TRANSFER_MAX_BYTES. */
  totalBytes = 0;
  /** The native address of the array of struct iovec; a single vector is there after `tabulate`. */
  readonly table: number;
  readonly #base: (guest: GuestMemory) => number;
  readonly #table: NativeBuffer;

  constructor({ base, native }: DescriptorContext) {
    this.#base = base;
    this.#table = native.buffer(VECTORS_MAX * NATIVE_VECTOR_BYTES);
    this.table = this.#table.address;
  }

  /** Lays a single vector down too, for the calls that take nothing but arrays. */
  tabulate(): void {
    setNumber64(this.#table.view, 0, this.address);
    setNumber64(this.#table.view, 8, this.length);
  }

  /** Makes this one vector, of a part of another's. */
  setPart(address: number, length: number): void {
    this.count = 1;
    this.address = address;
    this.length = length;
    this.totalBytes = length;
    this.tabulate();
  }

  addressAt(index: number): number {
    return index === 0 ? this.address : getNumber64(this.#table.view, index * NATIVE_VECTOR_BYTES);
  }

  lengthAt(index: number): number {
    if (index === 0) return this.length;
    return this.#table.view.getUint32(index * NATIVE_VECTOR_BYTES + 8, true);
  }

  /** Nothing is read or written when one of them, or the place for the result, is bad. */
  load(guest: GuestMemory, vectors: Parameter, count: Parameter, resultAt: number): WasiErrno {
    const vectorCount = unsigned(count);
    const vectorsAt = unsigned(vectors);
    if (vectorCount > VECTORS_MAX) return WasiErrno.EINVAL;
    if (!guest.contains(vectorsAt, vectorCount * VECTOR_BYTES)) return WasiErrno.EFAULT;
    if (!guest.contains(resultAt, 4)) return WasiErrno.EFAULT;
    this.count = vectorCount;
    this.totalBytes = 0;
    this.length = 0;
    if (vectorCount === 1) {
      const { view } = guest;
      const at = view.getUint32(vectorsAt, true);
      const length = view.getUint32(vectorsAt + 4, true);
      if (!guest.contains(at, length)) return WasiErrno.EFAULT;
      this.address = this.#base(guest) + at;
      this.length = length <= TRANSFER_MAX_BYTES ? length : TRANSFER_MAX_BYTES;
      this.totalBytes = this.length;
      return WasiErrno.SUCCESS;
    }
    return this.#loadTable(guest, vectorsAt, vectorCount);
  }

  #loadTable(guest: GuestMemory, vectorsAt: number, vectorCount: number): WasiErrno {
    const base = this.#base(guest);
    const { view } = guest;
    const table = this.#table.view;
    for (let index = 0; index < vectorCount; index++) {
      const at = view.getUint32(vectorsAt + index * VECTOR_BYTES, true);
      const wanted = view.getUint32(vectorsAt + index * VECTOR_BYTES + 4, true);
      if (!guest.contains(at, wanted)) return WasiErrno.EFAULT;
      const length = Math.min(wanted, TRANSFER_MAX_BYTES - this.totalBytes);
      setNumber64(table, index * NATIVE_VECTOR_BYTES, base + at);
      setNumber64(table, index * NATIVE_VECTOR_BYTES + 8, length);
      if (index === 0) {
        this.address = base + at;
        this.length = length;
      }
      this.totalBytes += length;
    }
    return WasiErrno.SUCCESS;
  }
}
