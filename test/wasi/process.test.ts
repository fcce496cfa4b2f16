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

function raised(signal: number): number {
  try {
    return -makeGuest({ shared: false }).call("proc_raise", signal);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

test("a signal ends the guest as a shell would say it, and never the host", () => {
  // HUP, KILL, TERM; XFSZ and SYS have other numbers on Linux.
  for (const [signal, code] of [
    [1, 129],
    [6, 134],
    [9, 137],
    [15, 143],
    [24, 153],
    [30, 159],
  ] as const) {
    assert.is(raised(signal), code);
  }
});

test("a signal that would end nobody does nothing", () => {
  // NONE, CHLD, CONT, URG, WINCH.
  for (const signal of [0, 16, 17, 22, 27]) assert.is(raised(signal), -WasiErrno.SUCCESS);
  for (const signal of [18, 19, 20, 21]) assert.is(raised(signal), -WasiErrno.ENOTSUP);
  for (const signal of [31, -1, 0x7fffffff]) assert.is(raised(signal), -WasiErrno.EINVAL);
});

test("nobody is there to give way to", () => {
  const { call } = makeGuest({ shared: false });
  assert.is(call("sched_yield"), WasiErrno.SUCCESS);
});

test.run();
