/**
 * A guest without code that has a folder of this test's own by WASI: one memory and the functions
 * bound to it, called with what a guest would pass. Paths and buffers are laid down at fixed places
 * of its memory.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSyscalls } from "../../host/ffi";
import { GuestMemory } from "../../host/memory/guest-memory";
import {
  type FileRequests,
  nativeCalls,
  type OpenedFiles,
  openFileGrants,
  openWasi,
} from "../../host/wasi";
import { WasiErrno } from "../../host/wasi/errno";
import type { WasiFunctions } from "../../host/wasi/parameter";
import { captureOutput, ignoreInput } from "../../host/wasi/stream";

/** Where things lie in the guest's memory. */
export const At = {
  RESULT: 16,
  FLAGS: 24,
  VECTORS: 64,
  PATH: 1024,
  OTHER_PATH: 8192,
  STAT: 16384,
  DATA: 65536,
} as const;

export const Rights = { READ: 2n, WRITE: 64n, BOTH: 66n } as const;
export const OFlag = { CREATE: 1, DIRECTORY: 2, EXCLUSIVE: 4, TRUNCATE: 8 } as const;
export const PREOPEN = 3;

const cleanups: (() => void)[] = [];
process.on("exit", () => {
  for (const cleanUp of cleanups) cleanUp();
});

export const hasFiles = loadSyscalls().syscalls !== null;

export interface FolderOptions {
  shared?: boolean;
  pages?: number;
  readOnly?: boolean;
  requests?: Partial<FileRequests>;
  unwind?: () => never;
}

/** Everything a test does with its guest; `folder` is what the guest knows as "/". */
export class FolderGuest {
  readonly folder: string;
  readonly guest: GuestMemory;
  readonly functions: WasiFunctions;
  readonly opened: OpenedFiles;
  stopped = false;

  constructor({
    shared = false,
    pages = 4,
    readOnly = false,
    requests = {},
    unwind,
  }: FolderOptions) {
    // What is beside it is this test's own, too, so that it can be looked at.
    this.folder = join(temporaryFolder(), "guest");
    mkdirSync(this.folder);
    this.guest = new GuestMemory(new WebAssembly.Memory({ initial: pages, maximum: 4096, shared }));
    const native = nativeCalls();
    const preopens = { "/": { path: this.folder, readOnly } };
    this.opened = openFileGrants({ preopens, sockets: [], ...requests }, native);
    const { functions } = openWasi({
      memory: () => this.guest,
      args: [],
      env: {},
      stdio: {
        stdin: ignoreInput(),
        stdout: captureOutput(1, () => undefined, 1 << 20),
        stderr: captureOutput(2, () => undefined, 1 << 20),
      },
      native,
      files: this.opened.grants,
      stopped: () => this.stopped,
      exit: (code) => {
        throw new Error(`exit ${code}`);
      },
      ...(unwind === undefined ? {} : { unwind }),
    });
    this.functions = functions;
    cleanups.push(() => this.opened.close());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  call(name: string, ...parameters: (number | bigint)[]): WasiErrno {
    const found = this.functions[name];
    if (found === undefined) throw new Error(`no function ${name}`);
    return found(...parameters);
  }

  /** Lays a string down; its place and length, as two parameters. */
  put(text: string | Uint8Array, at: number = At.PATH): [number, number] {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.guest.bytes.set(bytes, at);
    return [at, bytes.length];
  }

  get result(): number {
    return this.guest.view.getUint32(At.RESULT, true);
  }

  get result64(): bigint {
    return this.guest.view.getBigUint64(At.RESULT, true);
  }

  /** path_open; a descriptor, or a negated WASI errno. */
  open(path: string | Uint8Array, options: OpenOptions = {}): number {
    const { from = PREOPEN, follow = true, flags = 0, rights = Rights.READ, fdFlags = 0 } = options;
    const place = this.put(path);
    const lookup = follow ? 1 : 0;
    const last = [flags, rights, 0n, fdFlags, At.RESULT] as const;
    const errno = this.call("path_open", from, lookup, ...place, ...last);
    return errno === WasiErrno.SUCCESS ? this.result : -errno;
  }

  /** One vector of text for writing. */
  vector(text: string): [number, number] {
    const [at, length] = this.put(text, At.DATA);
    return this.vectors([[at, length]]);
  }

  /** Lays vectors down; their place and number. */
  vectors(list: readonly (readonly [number, number])[]): [number, number] {
    list.forEach(([at, length], index) => {
      this.guest.view.setUint32(At.VECTORS + index * 8, at, true);
      this.guest.view.setUint32(At.VECTORS + index * 8 + 4, length, true);
    });
    return [At.VECTORS, list.length];
  }

  text(length: number, at: number = At.DATA): string {
    return Buffer.from(this.guest.bytes.slice(at, at + length)).toString("utf8");
  }

  /** fd_read of at most so many bytes; the text, or the errno's name. */
  read(fd: number, length: number): string {
    const errno = this.call("fd_read", fd, ...this.vectors([[At.DATA, length]]), At.RESULT);
    return errno === WasiErrno.SUCCESS ? this.text(this.result) : `E:${WasiErrno[errno]}`;
  }

  write(fd: number, text: string): WasiErrno {
    return this.call("fd_write", fd, ...this.vector(text), At.RESULT);
  }
}

export interface OpenOptions {
  from?: number;
  follow?: boolean;
  flags?: number;
  rights?: bigint;
  fdFlags?: number;
}

/** A folder that is gone when the tests are. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wasm-uring-wasi-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function folderGuest(options: FolderOptions = {}): FolderGuest {
  return new FolderGuest(options);
}
