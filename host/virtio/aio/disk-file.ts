/**
 * One request of a virtual disk performed on the calling thread, by ordinary system calls: what a worker of `threads`
 * does, and what `native` does with requests that Linux AIO has no command for.
 */
import { Errno } from "../../abi";
import type { FileIo } from "../../ffi/file-io";
import { BlockOperation } from "./backend";
import { AllocateMode, cannotZero, isUnsupported, ZERO_CHUNK_BYTES, type ZeroBuffer } from "./zero";

export class DiskFile {
  readonly #io: FileIo;
  readonly #zeroes: ZeroBuffer;

  constructor(io: FileIo, zeroes: ZeroBuffer) {
    this.#io = io;
    this.#zeroes = zeroes;
  }

  /** Parameters and result as of `BlockBackend.prepare` and `Completions.results`. */
  perform(
    operation: BlockOperation,
    fd: number,
    offset: number,
    vectors: number,
    count: number,
    length: number,
    unmap: boolean,
  ): number {
    for (;;) {
      const result = this.#once(operation, fd, offset, vectors, count, length, unmap);
      if (result !== -Errno.EINTR) return result;
    }
  }

  #once(
    operation: BlockOperation,
    fd: number,
    offset: number,
    vectors: number,
    count: number,
    length: number,
    unmap: boolean,
  ): number {
    switch (operation) {
      case BlockOperation.READ:
        return this.#io.readv(fd, vectors, count, offset);
      case BlockOperation.WRITE:
        return this.#io.writev(fd, vectors, count, offset);
      case BlockOperation.FLUSH:
        return this.#io.sync(fd);
      case BlockOperation.DISCARD:
        return this.#discard(fd, offset, length);
      case BlockOperation.WRITE_ZEROES:
        return this.#zero(fd, offset, length, unmap);
    }
  }

  #discard(fd: number, offset: number, length: number): number {
    const result = this.#io.allocate(fd, AllocateMode.PUNCH_HOLE, offset, length);
    return isUnsupported(result) ? 0 : result;
  }

  #zero(fd: number, offset: number, length: number, unmap: boolean): number {
    if (unmap) {
      const result = this.#io.allocate(fd, AllocateMode.PUNCH_HOLE, offset, length);
      if (!cannotZero(result)) return result;
    }
    const result = this.#io.allocate(fd, AllocateMode.ZERO_RANGE, offset, length);
    if (!cannotZero(result)) return result;
    for (let done = 0; done < length; ) {
      const chunk = Math.min(length - done, ZERO_CHUNK_BYTES);
      const written = this.#io.write(fd, this.#zeroes.address, chunk, offset + done);
      if (written === 0) return -Errno.EIO;
      if (written < 0 && written !== -Errno.EINTR) return written;
      done += Math.max(written, 0);
    }
    return 0;
  }
}
