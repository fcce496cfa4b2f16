/**
 * A daemon that is killed, restarted, replaced, or ended by what a guest does to its queue: what is in flight fails with
 * a reason, and a driver that resets the device goes on where that is right.
 */
import { writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Errno, VirtioBlkStatus, VirtioBlkType, VirtioStatus } from "../../../host/abi";
import { placesOf, SECTORS, serveRaw } from "./place";
import { makeRig, rigOf } from "./rig";

const restart = suite("datapath/vhost-user-blk/restart");
const withPlace = placesOf(restart);

const { IN } = VirtioBlkType;

withPlace(
  "killed: what is in flight fails, and after a reset the restarted one serves",
  async (place) => {
    const first = await serveRaw(place);
    const rig = await makeRig({ socket: place.socket, reconnectMs: 5000 });
    const { driver, plan, device, failures, close } = rig;
    driver.open();
    assert.is(driver.start(plan.description.features), 0);
    assert.is(driver.request(IN, 0, 512), VirtioBlkStatus.OK);
    await first.kill();
    driver.submit(0, IN, 0, 512);
    const kicked = driver.kick();
    assert.ok(kicked === -Errno.EIO, `kick: ${kicked}`);
    assert.throws(() => driver.complete(1, 2000), /wait/);
    assert.ok((device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0);
    assert.is(failures.length, 1);
    assert.match(failures[0] ?? "", /it closed the connection/);

    const began = performance.now();
    const restarting = new Promise((resolve) => setTimeout(resolve, 300)).then(() =>
      serveRaw(place),
    );
    await restarting;
    assert.is(driver.start(plan.description.features), 0);
    assert.is(driver.request(IN, 0, 512), VirtioBlkStatus.OK);
    assert.ok(performance.now() - began < 5000);
    close();
  },
);

withPlace("killed and gone: the reset fails at once, unless told to wait", async (place) => {
  const first = await serveRaw(place);
  const { driver, plan, device, failures, close } = await makeRig({ socket: place.socket });
  driver.open();
  assert.is(driver.start(plan.description.features), 0);
  await first.kill();
  while ((device.getStatus() & VirtioStatus.NEEDS_RESET) === 0);
  assert.is(driver.start(plan.description.features), -Errno.EIO);
  assert.match(failures.at(-1) ?? "", /nobody listens/);
  close();

  const patient = rigOf({ ...plan, reconnectMs: 300 });
  patient.driver.open();
  const began = performance.now();
  assert.is(patient.driver.start(plan.description.features), -Errno.EIO);
  assert.ok(performance.now() - began >= 300);
  patient.close();
});

withPlace("another disk behind the same socket is not taken for the old one", async (place) => {
  const first = await serveRaw(place);
  const { driver, plan, failures, close } = await makeRig({ socket: place.socket });
  driver.open();
  await first.kill();
  writeFileSync(place.raw, Buffer.alloc(512 * SECTORS * 2));
  await serveRaw(place);
  assert.is(driver.start(plan.description.features), -Errno.EIO);
  assert.match(failures[0] ?? "", /not the one that was there before: its disk has \d+ bytes now/);
  close();
});

withPlace(
  "a guest that breaks the queue loses its device, and the daemon serves the next",
  async (place) => {
    await serveRaw(place);
    const { driver, plan, device, memory, failures, close } = await makeRig({
      socket: place.socket,
    });
    driver.open();
    assert.is(driver.start(plan.description.features), 0);
    driver.submit(0, IN, 0, 512);
    // The header's descriptor names itself as the next.
    memory.view.setUint16(2 * 4096 + 14, 0, true);
    driver.kick();
    assert.throws(() => driver.complete(1, 3000), /wait/);
    assert.ok((device.getStatus() & VirtioStatus.NEEDS_RESET) !== 0);
    assert.is(failures.length, 1);
    assert.is(driver.start(plan.description.features), 0);
    assert.is(driver.request(IN, 0, 512), VirtioBlkStatus.OK);
    close();
  },
);

restart.run();
