/** Why this kernel, container or user gives no ring; tests that need one skip with it. */
import { errnoName } from "../../host/errors";
import { linuxSyscalls } from "../../host/ffi";

/** undefined when io_uring_setup works. */
export function refusal(): string | undefined {
  const syscalls = linuxSyscalls();
  const fd = syscalls.ioUringSetup(1, new Uint8Array(120));
  if (fd < 0) return errnoName(-fd);
  syscalls.close(fd);
  return undefined;
}
