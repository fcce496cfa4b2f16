/**
 * Every import of a guest that belongs to wasm-uring, and nothing else: the `uring` module. See
 * `abi/request.ts` for what each call takes and gives; results below zero are negated Linux errno values.
 */

// @ts-ignore: decorator
@external("uring", "query")
export declare function uringQuery(limits: usize): i32;

// @ts-ignore: decorator
@external("uring", "grant")
export declare function uringGrant(name: usize, nameLength: u32, info: usize): i32;

// @ts-ignore: decorator
@external("uring", "setup")
export declare function uringSetup(request: usize): i32;

// @ts-ignore: decorator
@external("uring", "enter")
export declare function uringEnter(toSubmit: u32, minComplete: u32, flags: u32, timeoutUs: i32): i32;

// @ts-ignore: decorator
@external("uring", "arena")
export declare function uringArena(offset: usize, length: u32, index: u32): i32;

// @ts-ignore: decorator
@external("uring", "personality")
export declare function uringPersonality(name: usize, nameLength: u32): i32;
