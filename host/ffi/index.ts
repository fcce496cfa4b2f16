/** The system calls of the host: the table, its Linux implementation, and what there is instead elsewhere. */
export { linuxSyscalls, retryInterrupted } from "./linux";
export { loadSyscalls, type SyscallsLoad } from "./load";
export type { Syscalls } from "./syscalls";
