/** The words that a device's parties share: commands one after another, also when nobody waits for the first any more. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Command, DeviceControl } from "../../host/datapath/control";

const control = suite("datapath/control");

function bothSides() {
  const guest = new DeviceControl();
  return { guest, thread: new DeviceControl(guest.shared) };
}

const QUEUE = {
  size: 1024,
  descOffset: 0xffff_f000,
  availOffset: 0x8000_0000,
  usedOffset: 4096,
  availIndex: 0xffff,
  features: (1n << 63n) | (1n << 32n) | (1n << 31n) | 1n,
};

control("a command and its parameters arrive as they were given", () => {
  const { guest, thread } = bothSides();
  assert.is(thread.pendingCommand(), 0);
  const number = guest.give(Command.START, QUEUE);
  assert.is(thread.pendingCommand(), Command.START);
  assert.equal(thread.queue(), QUEUE);
  assert.not(guest.awaitDone(number, 0));
  thread.done(-5);
  assert.ok(guest.awaitDone(number, 0));
  assert.is(guest.result, -5);
  assert.is(thread.pendingCommand(), 0);
});

control("a command that is given while another is obeyed is not done with it", () => {
  const { guest, thread } = bothSides();
  guest.give(Command.STOP);
  assert.is(thread.pendingCommand(), Command.STOP);
  // The guest's thread gave up waiting, and the driver starts the device anew.
  const second = guest.give(Command.START, QUEUE);
  thread.done(77);
  assert.not(guest.awaitDone(second, 0));
  assert.is(thread.pendingCommand(), Command.START);
  thread.done(0);
  assert.ok(guest.awaitDone(second, 0));
  assert.is(guest.result, 0);
});

control("a back end and a window are each taken once", () => {
  const { guest, thread } = bothSides();
  assert.not(guest.claimBackend());
  thread.publishBackend();
  assert.ok(guest.claimBackend());
  assert.not(thread.claimBackend());
  const window = { offset: 0xffff_0000, length: 0x10000, memfd: 0, deviceAddress: 2 ** 47 - 4096 };
  assert.is(thread.window(), null);
  guest.publishWindow(window);
  assert.equal(thread.window(), window);
  assert.equal(thread.takeWindow(), window);
  assert.is(guest.takeWindow(), null);
  thread.publishVectors({ address: 2 ** 46, length: 2016 });
  assert.equal(guest.takeVectors(), { address: 2 ** 46, length: 2016 });
  assert.is(guest.takeVectors(), null);
});

control.run();
