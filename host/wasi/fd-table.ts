/** The family that works on the table itself: fd_close, fd_renumber and the preopens' names. */
import type { DescriptorContext } from "./context";
import { WasiErrno } from "./errno";
import { unsigned, type WasiFunctions } from "./parameter";

/** `prestat`: tag u8 at 0 (0 is a directory), the name's length u32 at 4. */
const enum Prestat {
  TAG = 0,
  NAME_LENGTH = 4,
  SIZE = 8,
}

export function tableFunctions({ table, memory }: DescriptorContext): WasiFunctions {
  return {
    fd_close: (fd = 0) => (table.close(fd) ? WasiErrno.SUCCESS : WasiErrno.EBADF),
    fd_renumber: (from = 0, to = 0) =>
      table.renumber(from, to) ? WasiErrno.SUCCESS : WasiErrno.EBADF,
    // EBADF is how a guest's start code finds the end of the list.
    fd_prestat_get: (fd = 0, result = 0) => {
      const name = table.get(fd)?.preopen ?? null;
      if (name === null) return WasiErrno.EBADF;
      const guest = memory();
      const at = unsigned(result);
      if (!guest.contains(at, Prestat.SIZE)) return WasiErrno.EFAULT;
      guest.view.setUint32(at + Prestat.TAG, 0, true);
      guest.view.setUint32(at + Prestat.NAME_LENGTH, name.length, true);
      return WasiErrno.SUCCESS;
    },
    fd_prestat_dir_name: (fd = 0, buffer = 0, length = 0) => {
      const name = table.get(fd)?.preopen ?? null;
      if (name === null) return WasiErrno.EBADF;
      if (unsigned(length) < name.length) return WasiErrno.ENAMETOOLONG;
      const guest = memory();
      const at = unsigned(buffer);
      if (!guest.contains(at, name.length)) return WasiErrno.EFAULT;
      guest.bytes.set(name, at);
      return WasiErrno.SUCCESS;
    },
  };
}
