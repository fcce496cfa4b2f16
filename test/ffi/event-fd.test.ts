/** eventfds between threads: a counter is told as it is, however large, and nothing is told twice. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadSyscalls } from "../../host/ffi";
import { eventFds, Readable } from "../../host/ffi/event-fd";

const eventFd = suite("ffi/event-fd");
const { syscalls, reason } = loadSyscalls();
if (syscalls === null) console.log(`skipped: eventfds need Linux: ${reason}`);

const EFD_NONBLOCK = 0o4000;

if (syscalls !== null) {
  eventFd("signals that nobody took for a long time are no error", () => {
    const { take, signal, waitReadable } = eventFds();
    for (const count of [1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const fd = syscalls.eventfd(count, EFD_NONBLOCK);
      assert.is(waitReadable(-1, fd, -1, 0), Readable.SECOND);
      assert.is(take(fd), count);
      assert.is(take(fd), 0);
      assert.is(waitReadable(-1, fd, -1, 0), 0);
      syscalls.close(fd);
    }
    const wrapping = syscalls.eventfd(0xffffffff, EFD_NONBLOCK);
    signal(wrapping);
    assert.ok(take(wrapping) > 0, "2^32, whose lower half is zero");
    syscalls.close(wrapping);
  });

  eventFd("what is no eventfd is an errno", () => {
    assert.ok(eventFds().take(-1) < 0);
    assert.ok(eventFds().signal(-1) < 0);
  });
}

eventFd.run();
