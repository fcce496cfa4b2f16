// asc: --importMemory --sharedMemory --initialMemory 4 --maximumMemory 64
/** `plain` as it is built for other programs: --importMemory --sharedMemory --initialMemory 4 --maximumMemory 64. */
export { _start } from "./plain";
