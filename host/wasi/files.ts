/**
 * Everything of WASI that works on descriptors, put together for one guest: the table as it is at
 * the start (standard streams, then preopened directories, then sockets), and the families over it.
 */
import { absentCalls, baseReader, type DescriptorContext, type NativeCalls } from "./context";
import { Descriptor, Kind } from "./descriptor";
import { DESCRIPTORS_MAX_DEFAULT, DescriptorTable, OpenFiles } from "./descriptor-table";
import { dataFunctions } from "./fd-data";
import { directoryFunctions } from "./fd-directory";
import { seekFunctions } from "./fd-seek";
import { statusFunctions } from "./fd-status";
import { storageFunctions } from "./fd-storage";
import { tableFunctions } from "./fd-table";
import { GuestPath } from "./guest-path";
import { Messages } from "./messages";
import type { WasiFunctions } from "./parameter";
import { changeFunctions } from "./path-change";
import { openFunctions } from "./path-open";
import { pathStatusFunctions } from "./path-status";
import { pollFunctions } from "./poll";
import { Readiness } from "./readiness";
import { Resolver } from "./resolve";
import { socketFunctions } from "./sockets";
import { Status } from "./status";
import { FileType, type Stdio, type Stream } from "./stream";
import { Times } from "./times";
import { Transfers } from "./transfer";
import { Vectors } from "./vectors";
import { Waiter } from "./waiter";

/** A directory that the guest has from the start; open, and closed by who opened it. */
export interface Preopen {
  /** As the guest names it. */
  guestPath: string;
  hostFd: number;
  readOnly: boolean;
}

/** A socket that the guest has from the start; open, and closed by who opened it. */
export interface GrantedSocket {
  hostFd: number;
  isDatagram: boolean;
}

/** What a guest has beside its standard streams. Numbers and shared memory: it crosses threads. */
export interface FileGrants {
  preopens: readonly Preopen[];
  sockets: readonly GrantedSocket[];
  /** The most descriptors that it may have. */
  openFilesMax: number;
  /** Where what it opens is noted. */
  openFiles: SharedArrayBuffer | null;
}

export const NO_FILES: FileGrants = {
  preopens: [],
  sockets: [],
  openFilesMax: DESCRIPTORS_MAX_DEFAULT,
  openFiles: null,
};

type Shared = Pick<DescriptorContext, "memory" | "stopped" | "interrupted">;

export interface DescriptorOptions extends Shared {
  stdio: Stdio;
  native: NativeCalls | null;
  grants: FileGrants;
}

function streamDescriptor(stream: Stream): Descriptor {
  return new Descriptor({
    kind: Kind.STREAM,
    fileType: stream.fileType,
    hostFd: stream.hostFd ?? -1,
    readable: stream.read !== null,
    writable: stream.write !== null,
    stream,
  });
}

function preopenDescriptor({ guestPath, hostFd, readOnly }: Preopen): Descriptor {
  return new Descriptor({
    kind: Kind.DIRECTORY,
    fileType: FileType.DIRECTORY,
    hostFd,
    readable: true,
    writable: false,
    readOnly,
    preopen: new TextEncoder().encode(guestPath),
  });
}

function socketDescriptor({ hostFd, isDatagram }: GrantedSocket): Descriptor {
  const fileType = isDatagram ? FileType.SOCKET_DATAGRAM : FileType.SOCKET_STREAM;
  return new Descriptor({ kind: Kind.SOCKET, fileType, hostFd, readable: true, writable: true });
}

function firstTable(stdio: Stdio, grants: FileGrants, native: NativeCalls): DescriptorTable {
  const limit = grants.openFilesMax;
  const openFiles = new OpenFiles(grants.openFiles ?? limit, native.files.close);
  const table = new DescriptorTable(limit, openFiles);
  for (const stream of [stdio.stdin, stdio.stdout, stdio.stderr]) {
    table.insert(streamDescriptor(stream));
  }
  for (const preopen of grants.preopens) table.insert(preopenDescriptor(preopen));
  for (const socket of grants.sockets) table.insert(socketDescriptor(socket));
  return table;
}

/** fd_*, path_*, sock_* and poll_oneoff. */
export interface Descriptors {
  functions: WasiFunctions;
  /** Closes what the guest left open; what was granted stays. */
  close: () => void;
}

export function createDescriptors(options: DescriptorOptions): Descriptors {
  const native = options.native ?? absentCalls;
  const table = firstTable(options.stdio, options.grants, native);
  const { memory, stopped, interrupted } = options;
  const base = baseReader(native);
  const context: DescriptorContext = { memory, table, native, base, stopped, interrupted };

  const vectors = new Vectors(context);
  const waiter = new Waiter(context);
  const messages = new Messages(context);
  const transfers = new Transfers({ context, vectors, waiter, messages });
  const resolver = new Resolver(context);
  const status = new Status(native);
  const times = new Times(native);
  const path = new GuestPath(native);
  const other = new GuestPath(native);

  /** Looked up when a directory's ".." is first listed. */
  let roots: ReadonlySet<string> | null = null;
  const rootsOf = (): ReadonlySet<string> => {
    roots ??= identitiesOf(options.grants.preopens, native);
    return roots;
  };

  const functions: WasiFunctions = {
    ...tableFunctions(context),
    ...dataFunctions({ context, vectors, transfers }),
    ...seekFunctions(context),
    ...statusFunctions({ context, status, times }),
    ...storageFunctions(context),
    ...directoryFunctions({ context, status, roots: rootsOf }),
    ...openFunctions({ context, resolver, path, status }),
    ...pathStatusFunctions({ context, resolver, path, status, times }),
    ...changeFunctions({ context, resolver, path, other, status }),
    ...socketFunctions({ context, vectors, waiter, messages }),
    ...pollFunctions({ context, waiter, readiness: new Readiness(context, status) }),
  };
  const { stdin, stdout, stderr } = options.stdio;
  return {
    functions,
    close: () => {
      table.openFiles.closeAll();
      for (const stream of [stdin, stdout, stderr]) stream.close?.();
    },
  };
}

function identitiesOf(preopens: readonly Preopen[], native: NativeCalls): Set<string> {
  const status = new Status(native);
  const found = new Set<string>();
  for (const { hostFd } of preopens) {
    if (native.files.status(hostFd, status.address) >= 0) found.add(status.identity);
  }
  return found;
}
