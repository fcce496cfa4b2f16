/**
 * Directories and sockets that an embedder grants by WASI: checked and opened on its own thread
 * before anything of the guest runs. What cannot be granted as asked is refused in one sentence.
 */
import { Errno } from "../abi";
import { errnoName, WasmUringError } from "../errors";
import type { NativeCalls } from "./context";
import { DESCRIPTORS_MAX_DEFAULT, OpenFiles } from "./descriptor-table";
import type { FileGrants, GrantedSocket, Preopen } from "./files";
import { Open } from "./resolve";

/** A directory of the host: its path, or its path and that nothing in it may be changed. */
export type PreopenRequest = string | { path: string; readOnly?: boolean };

export interface FileRequests {
  /** By the guest's path. */
  preopens: Readonly<Record<string, PreopenRequest>>;
  /** Open sockets of the embedder's, which keeps its own. */
  sockets: readonly number[];
  openFilesMax?: number | undefined;
}

/** What was opened, and how it is closed again. */
export interface OpenedFiles {
  grants: FileGrants;
  /** Closes what the guest left open and all that was granted. Idempotent; when the guest is gone. */
  close: () => void;
}

const STANDARD_STREAMS = 3;
/** Beyond it the table itself would be what a guest costs. */
const OPEN_FILES_MAX = 1 << 20;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const AT_CURRENT_DIRECTORY = -100;

function refusal(what: string, why: string, whatToDo: string): WasmUringError {
  return new WasmUringError("ERR_BAD_OPTION", { what, why, whatToDo });
}

/** One spelling for each path: no "." components, no doubled or trailing slashes. */
function components(guestPath: string): string[] {
  const parts = guestPath.split("/").filter((part) => part !== "" && part !== ".");
  return guestPath.startsWith("/") ? ["/", ...parts] : [".", ...parts];
}

function contains(outer: readonly string[], inner: readonly string[]): boolean {
  return outer.every((part, index) => inner[index] === part);
}

function checkGuestPath(guestPath: string): void {
  const what = `preopen ${JSON.stringify(guestPath)}`;
  if (guestPath === "" || guestPath.includes("\0")) {
    throw refusal(what, "a guest path is not empty and holds no zero byte", "name it, as /data");
  }
  if (guestPath.split("/").includes("..")) {
    throw refusal(
      what,
      'a guest path does not lead up by ".."',
      "name it as the guest will, as /data",
    );
  }
}

/** A path that lies in two directories would be one file or another, by the guest's library. */
function checkApart(guestPaths: readonly string[]): void {
  guestPaths.forEach((one, index) => {
    for (const other of guestPaths.slice(index + 1)) {
      const [first, second] = [components(one), components(other)];
      if (!contains(first, second) && !contains(second, first)) continue;
      throw refusal(
        `preopens ${JSON.stringify(one)} and ${JSON.stringify(other)}`,
        "their guest paths overlap, so one name would stand for two files",
        "give each directory a guest path of its own, outside the others",
      );
    }
  });
}

/** @throws WasmUringError when this kernel, or its seccomp filter, has no openat2. */
function checkOpenat2({ files, paths, buffer }: NativeCalls): void {
  const here = buffer(8);
  here.bytes.set([0x2e, 0]);
  const fd = paths.beneath(AT_CURRENT_DIRECTORY, here.address, Open.O_PATH | Open.O_CLOEXEC, 0);
  if (fd >= 0) {
    files.close(fd);
    return;
  }
  if (fd !== -Errno.ENOSYS && fd !== -Errno.EPERM) return;
  throw new WasmUringError("ERR_SYSCALL", {
    what: "preopening a directory",
    why: `openat2 is not available (${errnoName(-fd)}), and nothing else keeps a guest in it`,
    likelyCause: "a kernel before 5.6, or a seccomp filter that does not know openat2",
    whatToDo: "use Linux 5.6 or later, or allow openat2 in the container's seccomp profile",
    syscall: "openat2",
    errno: -fd,
  });
}

function openPreopen(guestPath: string, request: PreopenRequest, native: NativeCalls): Preopen {
  const { path, readOnly = false } = typeof request === "string" ? { path: request } : request;
  const what = `preopen ${JSON.stringify(guestPath)} of ${JSON.stringify(path)}`;
  if (path === "" || path.includes("\0")) {
    throw refusal(what, "a host path is not empty and holds no zero byte", "name a directory");
  }
  const flags = Open.O_DIRECTORY | Open.O_CLOEXEC;
  let hostFd = native.paths.openGranted(path, flags);
  // A directory that may be entered and not listed.
  if (hostFd === -Errno.EACCES) hostFd = native.paths.openGranted(path, flags | Open.O_PATH);
  if (hostFd >= 0) return { guestPath, hostFd, readOnly };
  const why: Record<number, string> = {
    [-Errno.ENOENT]: "the directory does not exist",
    [-Errno.ENOTDIR]: "it is not a directory",
    [-Errno.EACCES]: "the directory may not be entered",
  };
  const reason = why[hostFd] ?? `it cannot be opened (${errnoName(-hostFd)})`;
  throw refusal(what, reason, "name a directory of the host that this process can open");
}

function takeSocket(fd: number, native: NativeCalls): GrantedSocket {
  const what = `socket ${fd}`;
  const whatToDo = "pass the descriptor of an open stream or datagram socket";
  const type = Number.isInteger(fd) && fd >= 0 ? native.sockets.type(fd) : -Errno.EBADF;
  if (type < 0) throw refusal(what, `is not an open socket (${errnoName(-type)})`, whatToDo);
  if (type !== SOCK_STREAM && type !== SOCK_DGRAM) {
    throw refusal(what, "is neither a stream nor a datagram socket", whatToDo);
  }
  const hostFd = native.files.duplicate(fd);
  if (hostFd < 0) throw refusal(what, `cannot be duplicated (${errnoName(-hostFd)})`, whatToDo);
  // A thread that is stuck in accept could not be ended.
  native.sockets.setNonBlocking(hostFd);
  return { hostFd, isDatagram: type === SOCK_DGRAM };
}

function limitOf({ preopens, sockets, openFilesMax }: FileRequests): number {
  const limit = openFilesMax ?? DESCRIPTORS_MAX_DEFAULT;
  const least = STANDARD_STREAMS + Object.keys(preopens).length + sockets.length;
  if (Number.isInteger(limit) && limit >= least && limit <= OPEN_FILES_MAX) return limit;
  throw refusal(
    `openFilesMax ${limit}`,
    `is not a whole number from ${least} (what the guest has from the start) to ${OPEN_FILES_MAX}`,
    `leave it out for ${DESCRIPTORS_MAX_DEFAULT}`,
  );
}

/**
 * All or nothing.
 *
 * @throws WasmUringError ERR_BAD_OPTION, or ERR_SYSCALL without openat2
 */
export function openFileGrants(requests: FileRequests, native: NativeCalls | null): OpenedFiles {
  const openFilesMax = limitOf(requests);
  const guestPaths = Object.keys(requests.preopens);
  guestPaths.forEach(checkGuestPath);
  checkApart(guestPaths);
  if (native === null) {
    const [first] = [...guestPaths.map((path) => `preopen "${path}"`), ...requests.sockets];
    if (first !== undefined) {
      throw refusal(`${first}`, "needs Linux, and koffi for its system calls", "leave it out");
    }
    const grants = { preopens: [], sockets: [], openFilesMax, openFiles: null };
    return { grants, close: () => undefined };
  }
  if (guestPaths.length > 0) checkOpenat2(native);
  return openAll(requests, native, openFilesMax);
}

function openAll(requests: FileRequests, native: NativeCalls, openFilesMax: number): OpenedFiles {
  const openFiles = new OpenFiles(openFilesMax, native.files.close);
  const opened: number[] = [];
  const close = () => {
    openFiles.closeAll();
    for (const fd of opened.splice(0)) native.files.close(fd);
  };
  try {
    const preopens = Object.entries(requests.preopens).map(([guestPath, request]) => {
      const preopen = openPreopen(guestPath, request, native);
      opened.push(preopen.hostFd);
      return preopen;
    });
    const sockets = requests.sockets.map((fd) => {
      const socket = takeSocket(fd, native);
      opened.push(socket.hostFd);
      return socket;
    });
    return { grants: { preopens, sockets, openFilesMax, openFiles: openFiles.shared }, close };
  } catch (error) {
    close();
    throw error;
  }
}
