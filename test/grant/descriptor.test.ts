/**
 * Grants of descriptors that the embedder opened: access, kinds, and that the embedder keeps its
 * own.
 */
import * as fs from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { GrantAccess, GrantKind } from "../../host/abi";
import { openGrants } from "../../host/grant/open";
import { fileOf, onLinuxOf, refusal } from "./workplace";

const descriptors = suite("grant/descriptor");

const READ_WRITE = GrantAccess.READ | GrantAccess.WRITE;

const onLinux = onLinuxOf(descriptors);

onLinux("descriptors: access is how it was opened, no more and no less", (table) => {
  const path = fileOf("descriptor", "12345");
  const opened = { read: "r", "read-write": "r+" } as const;
  for (const [access, mode] of Object.entries(opened)) {
    const fd = fs.openSync(path, mode);
    const grants = openGrants({ a: { fd } }, table);
    const [slot] = grants.slots;
    assert.is(slot?.access, access === "read" ? GrantAccess.READ : READ_WRITE);
    assert.is(slot?.sizeBytes, 5);
    assert.is.not(slot?.fd, fd);
    grants.close();
    if (access === "read") {
      assert.match(refusal({ a: { fd, access: "write" } }), /open for "read" only/);
      assert.match(refusal({ a: { fd, access: "read-write" } }), /open for "read" only/);
    } else {
      assert.match(
        refusal({ a: { fd, access: "read" } }),
        /holds a guest to how a descriptor was opened/,
      );
    }
    fs.closeSync(fd);
  }
  const append = fs.openSync(path, "a");
  assert.match(refusal({ a: { fd: append } }), /O_APPEND, which does not bind a guest/);
  fs.closeSync(append);
  assert.match(refusal({ a: { fd: 999_999 } }), /no such descriptor is open \(EBADF\)/);
  assert.match(refusal({ a: { fd: 0 } }, null), /needs Linux and koffi/);
});

onLinux("pipes, sockets and harmless devices", async (table) => {
  const ends = table.pipe2(0);
  if (typeof ends === "number") throw new Error(`pipe2: ${ends}`);
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const client = await new Promise<Socket>((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1", () => resolve(socket));
  });
  const handle: unknown = Reflect.get(client, "_handle");
  const socketFd: unknown =
    typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : -1;
  const grants = openGrants(
    {
      reader: { fd: ends[0] },
      writer: { fd: ends[1], access: "write" },
      peer: { fd: Number(socketFd) },
      null: { path: "/dev/null", access: "read-write" },
      zero: { path: "/dev/zero" },
      random: { path: "/dev/urandom" },
    },
    table,
  );
  assert.equal(
    grants.slots.map(({ name, kind, access }) => [name, kind, access]),
    [
      ["reader", GrantKind.PIPE, GrantAccess.READ],
      ["writer", GrantKind.PIPE, GrantAccess.WRITE],
      ["peer", GrantKind.SOCKET, READ_WRITE],
      ["null", GrantKind.CHARACTER_DEVICE, READ_WRITE],
      ["zero", GrantKind.CHARACTER_DEVICE, GrantAccess.READ],
      ["random", GrantKind.CHARACTER_DEVICE, GrantAccess.READ],
    ],
  );
  grants.close();
  client.destroy();
  server.close();
  for (const end of ends) table.close(end);
});

descriptors.run();
