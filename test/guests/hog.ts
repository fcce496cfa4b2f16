/** Keeps its ring busy: reads of as many bytes as its argument says from "zero", until the grant is taken away. */
import { cqeResult, Errno, openGrant, prepReadFixed, programArguments, Ring } from "../../assembly";

export function _start(): void {
  const bytes = <u32>I32.parseInt(programArguments()[0]);
  const ring = Ring.create(bytes);
  const slot = openGrant("zero").slot;
  const buffer = ring.arena.alloc(bytes);
  let result = 0;
  while (result != -(<i32>Errno.EBADF)) {
    for (let index = 0; index < 4; index++) prepReadFixed(ring.getSqe(), slot, buffer, bytes, 0, 1);
    ring.submitAndWait(4);
    while (ring.cqReady() > 0) {
      result = cqeResult(ring.peekCqe());
      ring.advance(1);
    }
  }
}
