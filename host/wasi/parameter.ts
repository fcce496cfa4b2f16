/**
 * What a guest passes to an import. V8 converts by the *guest's* declaration of the import, so a
 * hostile module that declares an i64 (or an externref) where WASI says i32 hands over a BigInt (or
 * null): it must become some number here, never a TypeError of the host.
 */
export type Parameter = number | bigint;

/** The low 32 bits, unsigned. i32 parameters arrive signed. */
export function unsigned(parameter: Parameter): number {
  return typeof parameter === "bigint" ? Number(BigInt.asUintN(32, parameter)) : parameter >>> 0;
}

/** What a preview1 function looks like to V8: a WASI errno. proc_exit does not return. */
export type WasiFunction = (...parameters: Parameter[]) => number;
export type WasiFunctions = Record<string, WasiFunction>;
