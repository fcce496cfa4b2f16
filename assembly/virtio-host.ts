/**
 * The imports of module `virtio`: find a device, declare its window, read and write its registers, wait for its
 * interrupt. See `abi/virtio-mmio.ts`.
 */

// @ts-ignore: decorator
@external("virtio", "find")
export declare function virtioFind(name: usize, nameLength: u32, info: usize): i32;

// @ts-ignore: decorator
@external("virtio", "window")
export declare function virtioWindow(device: i32, offset: usize, length: usize): i32;

// @ts-ignore: decorator
@external("virtio", "read")
export declare function virtioRead(device: i32, register: u32): u32;

// @ts-ignore: decorator
@external("virtio", "write")
export declare function virtioWrite(device: i32, register: u32, value: u32): i32;

// @ts-ignore: decorator
@external("virtio", "wait")
export declare function virtioWait(device: i32, timeoutUs: i32): i32;
