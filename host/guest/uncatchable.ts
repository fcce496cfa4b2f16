/**
 * What must end a guest although it may catch exceptions: those of an import pass through the guest's frames, whose
 * `catch_all` would swallow them, and the guest would go on after a failure that left its thread with foreign
 * credentials or its memory apart from what the kernel has pinned. A trap alone is not to be caught in wasm, also when
 * an import lets it pass; so it carries the reason.
 */

/** (module (func (export "t") unreachable)) */
const TRAPPING = new Uint8Array([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 0x74, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b],
]);

const reasons = new WeakMap<object, unknown>();
let trap: (() => unknown) | undefined;

function trapFunction(): () => unknown {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(TRAPPING));
  const { t } = instance.exports;
  return typeof t === "function" ? () => t() : () => undefined;
}

function throwUncatchable(reason: unknown): never {
  trap ??= trapFunction();
  try {
    trap();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) reasons.set(error, reason);
    throw error;
  }
  throw reason;
}

/** The function, with whatever it throws made a trap. For control calls, not for those of every request. */
export function uncatchable(
  call: (...values: number[]) => number,
): (...values: number[]) => number {
  return (...values) => {
    try {
      return call(...values);
    } catch (error) {
      return throwUncatchable(error);
    }
  };
}

/** What a caught exception was before `uncatchable` made it a trap; others are themselves. */
export function reasonOf(error: unknown): unknown {
  const carried = typeof error === "object" && error !== null && reasons.has(error);
  return carried ? reasons.get(error) : error;
}
