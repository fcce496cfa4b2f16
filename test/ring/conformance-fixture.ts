/**
 * Where the conformance cases run: a ring over files, both ends of a pipe and an eventfd.
 */
import { Errno, GrantAccess, GrantKind } from "../../host/abi";
import { linuxSyscalls } from "../../host/ffi";
import {
  type Answer,
  EVENT,
  FILE_BYTES,
  PIPE_READ,
  PIPE_WRITE,
  RO,
  RW,
  WO,
} from "./conformance-tables";
import { Files, GuestDriver, type SqeFields, type StartEngine } from "./guest-driver";

/** uvu's registration function: `suite("...")`. */
export type Register = (name: string, run: () => void) => void;

export const answerOf = (result: number): Answer => {
  const name = result < 0 ? Errno[-result] : undefined;
  return name === undefined ? result : (name as keyof typeof Errno);
};

export interface Fixture {
  driver: GuestDriver;
  files: Files;
  pipeRead: number;
  pipeWrite: number;
}

export function withFixture(
  start: StartEngine,
  run: (fixture: Fixture) => void,
  shared = false,
): void {
  const files = new Files();
  let driver: GuestDriver | undefined;
  try {
    const pipe = files.pipe(PIPE_READ, PIPE_WRITE);
    const eventFd = linuxSyscalls().eventfd(0, 0);
    const slots = [
      files.file(RW, "x".repeat(FILE_BYTES), "r+"),
      files.file(RO, "y".repeat(FILE_BYTES), "r"),
      files.file(WO, "", "a"),
      ...pipe,
      files.slot(EVENT, eventFd, GrantKind.EVENTFD, GrantAccess.READ | GrantAccess.WRITE),
    ];
    driver = new GuestDriver(start, { slots, shared });
    run({ driver, files, pipeRead: pipe[0].fd, pipeWrite: pipe[1].fd });
  } finally {
    driver?.close();
    files.dispose();
  }
}

/** Results in the order of arrival, as "user_data:answer". */
export function play(
  driver: GuestDriver,
  sqes: readonly SqeFields[],
  expected = sqes.length,
): string[] {
  return driver.run(sqes, expected).map((line) => {
    const [userData, result] = line.split(":");
    return `${userData}:${answerOf(Number(result))}`;
  });
}
