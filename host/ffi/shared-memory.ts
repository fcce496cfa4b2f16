/**
 * Anonymous files as memory (memfd_create(2)), which a guest and whoever serves its device share. Sealed at their
 * size, so that nobody who has the descriptor can shrink the file and make an access to the mapping a SIGBUS.
 */
import { loadLibc } from "./libc";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW. */
const SEALS = 1 | 2 | 4;

export interface SharedMemoryCalls {
  /** memfd_create(2) and ftruncate(2). A descriptor or a negated errno. */
  create(name: string, lengthBytes: number): number;
  /** F_ADD_SEALS: the file keeps its size for ever. 0 or a negated errno. */
  seal(fd: number): number;
  close(fd: number): number;
}

function makeSharedMemoryCalls(): SharedMemoryCalls {
  const { number, mixed, checked } = loadLibc();
  const memfdCreate = mixed("int memfd_create(const char *name, uint32_t flags)");
  const ftruncate = number("int ftruncate(int fd, int64_t length)");
  const fcntl = number("int fcntl(int fd, int command, int argument)");
  const close = number("int close(int fd)");
  return {
    create: (name, lengthBytes) => {
      const fd = checked(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
      if (fd < 0) return fd;
      const result = checked(ftruncate(fd, lengthBytes));
      if (result >= 0) return fd;
      close(fd);
      return result;
    },
    seal: (fd) => checked(fcntl(fd, F_ADD_SEALS, SEALS)),
    close: (fd) => checked(close(fd)),
  };
}

let table: SharedMemoryCalls | undefined;

/** The table of this thread. Throws what koffi throws when libc cannot be loaded. */
export function sharedMemoryCalls(): SharedMemoryCalls {
  table ??= makeSharedMemoryCalls();
  return table;
}
