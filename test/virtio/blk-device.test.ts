/**
 * The device's state machine and life-cycle, with a service that only records: what the driver may do in which order,
 * what it may not, and what a failing service does to it.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioFeature, VirtioInterrupt, VirtioStatus } from "../../assembly/abi/index";
import { makeDevice, PLACE, VERSION_1, WINDOW } from "./fake-service";

const test = suite("blk-device");

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED } = VirtioStatus;
const NEGOTIATED = ACKNOWLEDGE | DRIVER | FEATURES_OK;
const RUNNING = NEGOTIATED | DRIVER_OK;

/** A device as a good driver leaves it; the calls that it took are forgotten. */
function runningDevice() {
  const { device, service } = makeDevice();
  assert.is(device.setStatus(ACKNOWLEDGE), 0);
  assert.is(device.setStatus(ACKNOWLEDGE | DRIVER), 0);
  assert.is(device.setDriverFeatures(device.getDeviceFeatures()), 0);
  assert.is(device.setStatus(NEGOTIATED), 0);
  assert.is(device.getStatus(), NEGOTIATED);
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), 0);
  assert.is(device.queue.setSize(64), 0);
  assert.is(device.queue.setAddresses(PLACE), 0);
  assert.is(device.setQueueReady(true), 0);
  assert.equal(service.take(), [`setWindow ${WINDOW.offset} ${WINDOW.length}`]);
  assert.is(device.setStatus(RUNNING), 0);
  assert.equal(service.take(), ["start"]);
  return { device, service };
}

test("DRIVER_OK starts the service with what was negotiated", () => {
  const { device, service } = runningDevice();
  assert.is(device.getStatus(), RUNNING);
  assert.equal(service.starts, [
    {
      size: 64,
      descOffset: PLACE.desc,
      availOffset: PLACE.avail,
      usedOffset: PLACE.used,
      availIndex: 0,
      features: device.getDeviceFeatures(),
    },
  ]);
});

test("features are a subset of the offered ones, VERSION_1 among them", () => {
  const unacceptable = [0n, 1n << BigInt(VirtioFeature.EVENT_IDX), VERSION_1 | (1n << 63n)];
  for (const features of unacceptable) {
    const { device } = makeDevice();
    device.setStatus(ACKNOWLEDGE | DRIVER);
    assert.is(device.setDriverFeatures(features), 0);
    assert.is(device.setStatus(NEGOTIATED), 0);
    assert.is(device.getStatus(), ACKNOWLEDGE | DRIVER, "FEATURES_OK stays clear");
    assert.is(device.setStatus(ACKNOWLEDGE | DRIVER | DRIVER_OK), -Errno.EINVAL);
    // The driver may try again with fewer.
    assert.is(device.setDriverFeatures(VERSION_1), 0);
    assert.is(device.setStatus(NEGOTIATED), 0);
    assert.is(device.getStatus(), NEGOTIATED);
    assert.is(device.setDriverFeatures(VERSION_1), -Errno.EBUSY, "fixed now");
  }
});

test("status bits are added in order and never taken away", () => {
  const { device, service } = makeDevice();
  assert.is(device.setStatus(DRIVER_OK), -Errno.EINVAL);
  assert.is(device.setStatus(ACKNOWLEDGE | DRIVER), 0);
  assert.is(device.setStatus(ACKNOWLEDGE), -Errno.EINVAL);
  assert.is(device.setStatus(ACKNOWLEDGE | DRIVER | NEEDS_RESET), 0);
  assert.is(device.getStatus(), ACKNOWLEDGE | DRIVER, "NEEDS_RESET is the device's");
  assert.is(device.setStatus(0xffffff00 | ACKNOWLEDGE | DRIVER), 0);
  assert.is(device.getStatus(), ACKNOWLEDGE | DRIVER, "unknown bits stay clear");
  assert.equal(service.take(), []);
});

test("a queue is made ready inside a window, once, and may be told after DRIVER_OK", () => {
  const { device, service } = makeDevice();
  device.setStatus(ACKNOWLEDGE | DRIVER);
  device.setDriverFeatures(VERSION_1);
  assert.is(device.setStatus(RUNNING), 0);
  assert.equal(service.take(), [], "there is no queue to serve");
  assert.is(device.setQueueReady(true), -Errno.EINVAL, "no window");
  for (const [offset, length] of [
    [WINDOW.offset + 1, 4096],
    [WINDOW.offset, 4095],
    [WINDOW.offset, 0],
  ] as const) {
    assert.is(device.setWindow(offset, length), -Errno.EINVAL);
  }
  service.windowResult = -Errno.EFAULT;
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), -Errno.EFAULT);
  service.windowResult = 0;
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), 0, "refused once, told again");
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), -Errno.EBUSY);
  for (const size of [0, 3, 2048, 65, 0xffff_ffff]) {
    assert.is(device.queue.setSize(size), -Errno.EINVAL);
  }
  device.queue.setSize(64);
  for (const wrong of [
    { ...PLACE, desc: PLACE.desc + 1 },
    { ...PLACE, avail: 0 },
    { ...PLACE, used: WINDOW.offset + WINDOW.length - 4 },
    { ...PLACE, used: 2 ** 40 },
  ]) {
    device.queue.setAddresses(wrong);
    assert.is(device.setQueueReady(true), -Errno.EFAULT);
    assert.not(device.queue.ready);
  }
  device.queue.setAddresses(PLACE);
  service.take();
  assert.is(device.setQueueReady(true), 0);
  assert.equal(service.take(), ["start"]);
  assert.is(device.queue.setSize(32), -Errno.EBUSY);
  assert.is(device.queue.setAddresses(PLACE), -Errno.EBUSY);
  assert.is(device.setQueueReady(true), 0, "twice is once");
  assert.equal(service.take(), []);
});

test("an unready queue is stopped, and goes on where it was", () => {
  const { device, service } = runningDevice();
  service.stopIndex = 777;
  assert.is(device.getQueueState(), -Errno.EBUSY);
  assert.is(device.setQueueReady(false), 0);
  assert.equal(service.take(), ["stop"]);
  assert.is(device.getQueueState(), 777);
  assert.is(device.setQueueReady(true), 0);
  assert.is(service.starts.at(-1)?.availIndex, 777);
});

test("reset stops, forgets all but the window, and the driver can begin again", () => {
  const { device, service } = runningDevice();
  service.stopIndex = 5;
  assert.is(device.setStatus(0), 0);
  assert.equal(service.take(), ["stop"]);
  assert.is(device.getStatus(), 0);
  assert.is(device.getDriverFeatures(), 0n);
  assert.is(device.getQueueState(), 0);
  assert.is(device.queue.size, device.queue.sizeMax);
  assert.not(device.queue.ready);
  assert.is(device.kickQueue(), -Errno.EINVAL);
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), -Errno.EBUSY, "the window stays");
  device.setStatus(ACKNOWLEDGE | DRIVER);
  device.setDriverFeatures(VERSION_1);
  device.queue.setSize(32);
  device.queue.setAddresses(PLACE);
  assert.is(device.setStatus(NEGOTIATED), 0);
  assert.is(device.setQueueReady(true), 0);
  assert.is(device.setStatus(RUNNING), 0);
  assert.is(service.starts.at(-1)?.availIndex, 0);
  assert.is(service.starts.at(-1)?.size, 32);
});

test("suspend and resume, with the queue's state got and set between", () => {
  const { device, service } = runningDevice();
  service.stopIndex = 41;
  assert.is(device.suspend(), 0);
  assert.is(device.suspend(), 0);
  assert.equal(service.take(), ["stop"]);
  assert.is(device.getStatus(), RUNNING, "the driver does not notice");
  assert.is(device.getQueueState(), 41);
  assert.is(device.waitInterrupt(0), VirtioInterrupt.VRING, "for what completed meanwhile");
  assert.is(device.waitInterrupt(0), -Errno.EAGAIN);
  for (const wrong of [-1, 65536, 1.5, Number.NaN]) {
    assert.is(device.setQueueState(wrong), -Errno.EINVAL);
  }
  assert.is(device.setQueueState(42), 0);
  assert.is(device.resume(), 0);
  assert.is(device.resume(), 0);
  assert.equal(service.take(), ["start"]);
  assert.is(service.starts.at(-1)?.availIndex, 42);
  assert.is(device.setQueueState(1), -Errno.EBUSY);
});

test("a kick while suspended is kept for the resumption", () => {
  const { device, service } = runningDevice();
  device.suspend();
  assert.is(device.kickQueue(), 0);
  assert.is(device.kickQueue(), 0);
  assert.equal(service.take(), ["stop"]);
  device.resume();
  assert.equal(service.take(), ["start", "kick"]);
});

test("a device that does not run cannot be suspended; a reset ends a suspension", () => {
  const { device } = makeDevice();
  assert.is(device.suspend(), 0);
  assert.is(device.kickQueue(), -Errno.EINVAL);
  const { device: other, service } = runningDevice();
  other.suspend();
  other.reset();
  assert.is(other.resume(), 0);
  assert.equal(service.take(), ["stop"]);
});

test("interrupts: waited for and acknowledged, or read and acknowledged", () => {
  const { device, service } = runningDevice();
  assert.is(device.waitInterrupt(1000), -Errno.ETIME);
  service.waitResult = -Errno.EINTR;
  assert.is(device.waitInterrupt(1000), -Errno.EINTR);
  assert.is(device.getStatus(), RUNNING);
  service.waitResult = 1;
  assert.is(device.waitInterrupt(-1), VirtioInterrupt.VRING);
  assert.is(device.getInterruptStatus(), VirtioInterrupt.VRING);
  service.waitResult = -Errno.ETIME;
  assert.is(device.getInterruptStatus(), VirtioInterrupt.VRING, "until acknowledged");
  device.acknowledgeInterrupt(VirtioInterrupt.VRING);
  assert.is(device.getInterruptStatus(), 0);
});

test("a service that fails: NEEDS_RESET, one interrupt, and no more service", () => {
  for (const how of ["kick", "wait", "status", "interrupt"] as const) {
    const { device, service } = runningDevice();
    if (how === "kick") {
      service.kickResult = -Errno.EPROTO;
      assert.is(device.kickQueue(), -Errno.EPROTO);
    } else if (how === "status") service.failure = -Errno.EIO;
    else service.waitResult = -Errno.ENODEV;
    if (how === "wait") assert.is(device.waitInterrupt(100), VirtioInterrupt.CONFIG);
    if (how === "interrupt") assert.is(device.getInterruptStatus(), VirtioInterrupt.CONFIG);
    assert.is(device.getStatus(), RUNNING | NEEDS_RESET, how);
    if (how !== "wait") assert.is(device.waitInterrupt(100), VirtioInterrupt.CONFIG);
    assert.is(device.waitInterrupt(100), -Errno.EINVAL);
    assert.is(device.kickQueue(), -Errno.EINVAL);
    assert.is(service.take().filter((call) => call === "stop").length, 1);
    assert.is(device.setQueueReady(false), 0);
    assert.is(device.setQueueReady(true), 0);
    assert.is(device.resume(), 0);
    assert.not(service.take().includes("start"), "only a reset helps");
    device.reset();
    assert.is(device.getStatus(), 0);
  }
});

test("a service that cannot start: the error, and NEEDS_RESET", () => {
  const { device, service } = runningDevice();
  device.suspend();
  service.startResult = -Errno.ENODEV;
  assert.is(device.resume(), -Errno.ENODEV);
  assert.is(device.getStatus(), RUNNING | NEEDS_RESET);
});

test("a service that stops without completing what it took: only a reset helps", () => {
  for (const how of ["suspend", "unready"] as const) {
    const { device, service } = runningDevice();
    service.stopIndex = -Errno.EIO;
    const result = how === "suspend" ? device.suspend() : device.setQueueReady(false);
    assert.is(result, -Errno.EIO);
    assert.is(device.getStatus(), RUNNING | NEEDS_RESET);
    assert.is(device.waitInterrupt(0), VirtioInterrupt.CONFIG);
    assert.is(device.getQueueState(), 0, "where it began");
    device.resume();
    device.setQueueReady(true);
    assert.equal(service.take(), ["stop"]);
    assert.is(device.reset(), 0);
    assert.is(device.getStatus(), 0);
  }
});

test("a driver that gives up", () => {
  const { device, service } = runningDevice();
  assert.is(device.setStatus(RUNNING | FAILED), 0);
  assert.equal(service.take(), ["stop"]);
  assert.is(device.kickQueue(), -Errno.EINVAL);
  assert.is(device.setStatus(0), 0);
  assert.is(device.getStatus(), 0);
});

test("close stops, closes once, and nothing starts afterwards", () => {
  const { device, service } = runningDevice();
  device.close();
  device.close();
  assert.equal(service.take(), ["stop", "close"]);
  device.setStatus(ACKNOWLEDGE | DRIVER);
  device.setDriverFeatures(VERSION_1);
  device.queue.setSize(64);
  device.queue.setAddresses(PLACE);
  device.setQueueReady(true);
  device.setStatus(RUNNING);
  assert.is(device.setWindow(WINDOW.offset, WINDOW.length), -Errno.ENODEV);
  assert.equal(service.take(), []);
});

test.run();
