export { linuxSyscalls, retryInterrupted } from "./linux";
export { loadSyscalls, type SyscallsLoad } from "./load";
export type { Syscalls } from "./syscalls";
