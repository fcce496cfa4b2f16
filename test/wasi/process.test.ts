/** proc_exit and its neighbours. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasiErrno } from "../../host/wasi/errno";
import { Exit, makeGuest } from "./guest";

const test = suite("wasi/process");

function exitCode(parameter: number | bigint): number {
  try {
    makeGuest({ shared: false }).call("proc_exit", parameter);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
  throw new Error("proc_exit returned");
}

test("leaves with the code, unsigned", () => {
  assert.is(exitCode(0), 0);
  assert.is(exitCode(7), 7);
  assert.is(exitCode(-1), 0xffffffff);
  assert.is(exitCode(5n), 5);
});

test("nobody is signalled", () => {
  const { call } = makeGuest({ shared: false });
  assert.is(call("proc_raise", 9), WasiErrno.ENOSYS);
  assert.is(call("sched_yield"), WasiErrno.SUCCESS);
});

test.run();
