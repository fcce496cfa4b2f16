/**
 * The systems that the figure compares: each is `wasm-uring bench` with some words, so that a point
 * of the figure is a command that anybody can type.
 */

export const CACHE_NAMES = ["page", "direct"] as const;
/** `page` goes through the page cache, `direct` is O_DIRECT. */
export type CacheName = (typeof CACHE_NAMES)[number];

export const FIGURE_RW_NAMES = ["randread", "randwrite"] as const;
export type FigureRw = (typeof FIGURE_RW_NAMES)[number];

export interface System {
  name: string;
  label: string;
  /** What `wasm-uring bench` is told beside the file and the load. */
  words: readonly string[];
  /** It waits for each operation: measured at depth 1, whatever depths were asked for. */
  oneAtATime?: boolean;
  /** Served by a qemu-storage-daemon that the figure starts. */
  needsDaemon?: boolean;
  /** The one way of caching that means anything for it; both where not said. */
  cache?: CacheName;
}

const AIO_NAMES = ["io_uring", "native", "threads"] as const;

function virtioSystems(): System[] {
  return AIO_NAMES.flatMap((aio) => [
    {
      name: `virtio-blk-${aio}`,
      label: `virtio-blk, ${aio}`,
      words: ["--path", "virtio-blk", "--aio", aio],
    },
    {
      name: `virtio-blk-${aio}-iothread`,
      label: `virtio-blk, ${aio}, I/O thread`,
      words: ["--path", "virtio-blk", "--aio", aio, "--iothread"],
    },
  ]);
}

/** By name: where the kernel takes no rings of guests, another engine must not stand under this label. */
const PASSTHROUGH = ["--path", "passthrough", "--engine", "mapped"];

export const SYSTEMS: readonly System[] = [
  { name: "passthrough", label: "passthrough, enter", words: PASSTHROUGH },
  {
    name: "passthrough-sqpoll",
    label: "passthrough, SQPOLL",
    words: [...PASSTHROUGH, "--sqpoll"],
  },
  {
    name: "passthrough-iopoll",
    label: "passthrough, IOPOLL",
    words: [...PASSTHROUGH, "--iopoll"],
    cache: "direct",
  },
  { name: "native", label: "native C, enter", words: ["--path", "native"] },
  { name: "native-sqpoll", label: "native C, SQPOLL", words: ["--path", "native", "--sqpoll"] },
  {
    name: "native-iopoll",
    label: "native C, IOPOLL",
    words: ["--path", "native", "--iopoll"],
    cache: "direct",
  },
  ...virtioSystems(),
  { name: "vhost-blk", label: "vhost-blk", words: ["--path", "vhost-blk"] },
  {
    name: "vhost-user-blk",
    label: "vhost-user-blk, qemu",
    words: ["--path", "vhost-user-blk"],
    needsDaemon: true,
  },
  { name: "vdpa-sim", label: "vdpa-sim, RAM disk", words: ["--path", "vdpa-sim"], cache: "page" },
  { name: "fs-promises", label: "fs promises", words: ["--path", "fs-promises"] },
  {
    name: "fs-sync",
    label: "fs.readSync / writeSync",
    words: ["--path", "fs-sync"],
    oneAtATime: true,
  },
  { name: "node-wasi", label: "node:wasi", words: ["--path", "node-wasi"], oneAtATime: true },
];

/** What `--quick` writes with: the talk's systems and the two ends, without the variations. */
export const QUICK_WRITERS: readonly string[] = [
  "passthrough",
  "native",
  "virtio-blk-io_uring",
  "virtio-blk-io_uring-iothread",
  "vhost-blk",
  "vhost-user-blk",
  "fs-sync",
];

export function labelOf(name: string): string {
  return SYSTEMS.find((system) => system.name === name)?.label ?? name;
}

export function cacheLabel(cache: CacheName): string {
  return cache === "direct" ? "O_DIRECT" : "page cache";
}

export function rwLabel(rw: FigureRw): string {
  return rw === "randread" ? "random reads" : "random writes";
}
