/**
 * The whole io_uring ABI and the contract between guest and host. Portable: the AssemblyScript
 * compiler and the host's bundler read the same files, so there is nothing here but enums and
 * numbers, and every member of an enum fits an i32.
 */
export * from "./cqe";
export * from "./enter";
export * from "./errno";
export * from "./op";
export * from "./operand";
export * from "./opflag";
export * from "./register";
export * from "./request";
export * from "./setup";
export * from "./sqe";
export * from "./virtio-blk";
export * from "./virtio-mmio";
export * from "./virtqueue";
