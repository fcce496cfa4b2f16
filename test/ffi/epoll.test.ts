/**
 * What the vhost-user service relies on: an eventfd that is watched edge-triggered tells each signal once without being
 * read, even a blocking one, and the epoll descriptor itself can be waited on.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno } from "../../host/abi";
import { loadSyscalls } from "../../host/ffi";
import { epollCalls } from "../../host/ffi/epoll";
import { eventFds, Readable } from "../../host/ffi/event-fd";

const epoll = suite("ffi/epoll");
const { syscalls, reason } = loadSyscalls();
if (syscalls === null) console.log(`skipped: epoll needs Linux: ${reason}`);

if (syscalls !== null) {
  epoll("each signal of a blocking eventfd is one event", () => {
    const calls = epollCalls();
    const { signal, waitReadable } = eventFds();
    const watched = calls.create();
    const first = syscalls.eventfd(0, 0);
    const second = syscalls.eventfd(0, 0);
    try {
      assert.is(calls.add(watched, first, 1, true), 0);
      assert.is(calls.add(watched, second, 2, true), 0);
      assert.is(calls.take(watched), 0);
      for (let round = 0; round < 3; round++) {
        signal(first);
        assert.is(waitReadable(watched, -1, -1, 1_000_000), Readable.FIRST);
        assert.is(calls.take(watched), 1);
        assert.is(calls.take(watched), 0);
        assert.is(waitReadable(watched, -1, -1, 1000), 0);
      }
      signal(first);
      signal(first);
      signal(second);
      assert.is(calls.take(watched), 3);
      assert.is(calls.take(watched), 0);
    } finally {
      for (const fd of [first, second, watched]) syscalls.close(fd);
    }
  });

  epoll("what is level-triggered stays, and a closed descriptor is an errno", () => {
    const calls = epollCalls();
    const watched = calls.create();
    const fd = syscalls.eventfd(1, 0);
    assert.is(calls.add(watched, fd, 4, false), 0);
    assert.is(calls.take(watched), 4);
    assert.is(calls.take(watched), 4);
    assert.is(calls.add(watched, fd, 4, false), -Errno.EEXIST);
    syscalls.close(fd);
    syscalls.close(watched);
    assert.is(calls.take(watched), -Errno.EBADF);
  });
}

epoll.run();
