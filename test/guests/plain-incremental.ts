// asc: --runtime incremental
/** `plain` as it is built for other programs: --runtime incremental. */
export { _start } from "./plain";
