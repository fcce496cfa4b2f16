/** sock_* on granted sockets: accept, receive, send, shut down; what is no socket is told so. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WasmUringError } from "../../host/errors";
import { nativeCalls, openFileGrants } from "../../host/wasi";
import { WasiErrno } from "../../host/wasi/errno";
import { At, type FolderGuest, folderGuest, hasFiles, PREOPEN } from "./folder";

const test = suite("wasi/sockets");
const E = WasiErrno;
const NONBLOCK = 4;
const LISTENING = PREOPEN + 1;

/** Node's own descriptor of a server or connection. */
function descriptorOf(of: Server | Socket): number {
  const handle: unknown = Reflect.get(of, "_handle");
  assert.ok(typeof handle === "object" && handle !== null);
  return Number(Reflect.get(handle, "fd"));
}

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { server, port: address.port };
}

/** A guest that listens, and a client that is connected to it; Node's own server does not look. */
async function connected(): Promise<{
  g: FolderGuest;
  fd: number;
  client: Socket;
  end: () => void;
}> {
  const { server, port } = await listening();
  const g = folderGuest({ requests: { sockets: [descriptorOf(server)] } });
  // Closed here, its duplicate listens on: Node cannot accept what is the guest's.
  server.close();
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  assert.is(g.call("sock_accept", LISTENING, 0, At.RESULT), E.SUCCESS);
  const end = () => {
    client.destroy();
    g.opened.close();
  };
  return { g, fd: g.result, client, end };
}

function receive(g: FolderGuest, fd: number, length: number, flags = 0): string {
  const vectors = g.vectors([[At.DATA, length]]);
  const errno = g.call("sock_recv", fd, ...vectors, flags, At.RESULT, At.FLAGS);
  return errno === E.SUCCESS ? g.text(g.result) : `E:${E[errno]}`;
}

test("a connection is accepted, spoken on, and shut down", async () => {
  const { g, fd, client, end } = await connected();
  client.write("from outside");
  assert.is(receive(g, fd, 4, 1), "from");
  assert.is(receive(g, fd, 100), "from outside");
  assert.is(g.guest.view.getUint16(At.FLAGS, true), 0);
  assert.is(g.call("sock_send", fd, ...g.vector("from within"), 0, At.RESULT), E.SUCCESS);
  assert.is(g.result, 11);
  const [chunk] = await once(client, "data");
  assert.is(String(chunk), "from within");
  assert.is(g.write(fd, "by fd_write"), E.SUCCESS);
  assert.is(String((await once(client, "data"))[0]), "by fd_write");
  client.write("by fd_read");
  assert.is(g.read(fd, 100), "by fd_read");
  client.resume();
  const closed = once(client, "close");
  assert.is(g.call("sock_shutdown", fd, 2), E.SUCCESS);
  await closed;
  assert.is(g.call("sock_send", fd, ...g.vector("late"), 0, At.RESULT), E.EPIPE);
  assert.is(receive(g, fd, 100), "");
  end();
});

test("all of it is waited for when asked", async () => {
  const { g, fd, client, end } = await connected();
  client.write("abc");
  setTimeout(() => client.write("def"), 0);
  const flush = new Promise((done) => setTimeout(done, 50));
  await flush;
  assert.is(receive(g, fd, 6, 2), "abcdef");
  end();
});

test("who asked not to wait is told EAGAIN, and who is to end EINTR", async () => {
  const { g, fd, end } = await connected();
  assert.is(g.call("fd_fdstat_set_flags", fd, NONBLOCK), E.SUCCESS);
  assert.is(receive(g, fd, 10), "E:EAGAIN");
  assert.is(g.call("fd_fdstat_set_flags", LISTENING, NONBLOCK), E.SUCCESS);
  assert.is(g.call("sock_accept", LISTENING, NONBLOCK, At.RESULT), E.EAGAIN);
  for (const one of [fd, LISTENING]) g.call("fd_fdstat_set_flags", one, 0);
  g.stopped = true;
  assert.is(receive(g, fd, 10), "E:EINTR");
  assert.is(g.call("sock_accept", LISTENING, 0, At.RESULT), E.EINTR);
  end();
});

test("it says that it is a socket", async () => {
  const { g, fd, end } = await connected();
  for (const one of [fd, LISTENING]) {
    assert.is(g.call("fd_fdstat_get", one, At.STAT), E.SUCCESS);
    assert.is(g.guest.view.getUint8(At.STAT), 6);
    assert.is(g.call("fd_prestat_get", one, At.RESULT), E.EBADF);
    assert.is(g.call("fd_seek", one, 0n, 0, At.RESULT), E.ESPIPE);
  }
  end();
});

test("what is no socket, and flags that are none", async () => {
  const { g, fd, end } = await connected();
  const vectors = g.vectors([[At.DATA, 1]]);
  for (const [other, errno] of [
    [1, E.ENOTSOCK],
    [PREOPEN, E.ENOTSOCK],
    [99, E.EBADF],
  ] as const) {
    assert.is(g.call("sock_accept", other, 0, At.RESULT), errno);
    assert.is(g.call("sock_recv", other, ...vectors, 0, At.RESULT, At.FLAGS), errno);
    assert.is(g.call("sock_send", other, ...vectors, 0, At.RESULT), errno);
    assert.is(g.call("sock_shutdown", other, 1), errno);
  }
  for (const how of [0, 4, -1]) assert.is(g.call("sock_shutdown", fd, how), E.EINVAL);
  assert.is(g.call("sock_accept", LISTENING, 1, At.RESULT), E.EINVAL);
  assert.is(g.call("sock_recv", fd, ...vectors, 4, At.RESULT, At.FLAGS), E.EINVAL);
  assert.is(g.call("sock_send", fd, ...vectors, 1, At.RESULT), E.EINVAL);
  const far = g.guest.lengthBytes;
  assert.is(g.call("sock_recv", fd, ...vectors, 0, At.RESULT, far - 1), E.EFAULT);
  assert.is(g.call("sock_recv", fd, ...vectors, 0, far - 3, At.FLAGS), E.EFAULT);
  assert.is(g.call("sock_send", fd, far - 4, 1, 0, At.RESULT), E.EFAULT);
  assert.is(g.call("sock_accept", LISTENING, 0, far - 3), E.EFAULT);
  end();
});

test("a descriptor that is no socket is refused to the embedder", () => {
  for (const fd of [-1, 1.5, 9999, 0]) {
    try {
      openFileGrants({ preopens: {}, sockets: [fd] }, nativeCalls()).close();
      // Descriptor 0 may be a socket where tests run.
      assert.is(fd, 0);
    } catch (error) {
      if (!(error instanceof WasmUringError)) throw error;
      assert.match(error.message, `socket ${fd}`);
    }
  }
});

test("after the stop signal no connection is accepted", async () => {
  const { g, client, end } = await connected();
  const { remotePort: port = 0 } = client;
  const second = connect(port, "127.0.0.1");
  await once(second, "connect");
  g.stopped = true;
  assert.is(g.call("sock_accept", LISTENING, 0, At.RESULT), E.EINTR);
  g.stopped = false;
  assert.is(g.call("sock_accept", LISTENING, NONBLOCK, At.RESULT), E.SUCCESS);
  second.destroy();
  end();
});

if (hasFiles) test.run();
else console.log("wasi/sockets skipped: no system calls on this platform");
