/** The few WASI preview1 imports that the SDK's own conveniences use. */

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_get")
export declare function argsGet(argv: usize, buffer: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_sizes_get")
export declare function argsSizesGet(count: usize, bufferBytes: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
export declare function fdRead(fd: i32, iovecs: usize, count: i32, read: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
export declare function fdWrite(fd: i32, iovecs: usize, count: i32, written: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "clock_time_get")
export declare function clockTimeGet(clock: i32, precision: u64, time: usize): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "sched_yield")
export declare function schedYield(): i32;

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
export declare function procExit(code: i32): void;
