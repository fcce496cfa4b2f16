// asc: --runtime minimal
/** `plain` as it is built for other programs: --runtime minimal. */
export { _start } from "./plain";
