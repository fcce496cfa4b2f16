/** Which charts a figure has: the talk's two first, each as a chart of reads and one of writes. */
import type { FigureReport, Series, SeriesPoint } from "../report";
import type { Spread } from "../spread";
import { CACHE_NAMES, type CacheName, FIGURE_RW_NAMES, type FigureRw } from "../systems";

export interface Quantity {
  /** On the axis. */
  unit: string;
  of(point: SeriesPoint): Spread;
  isLogarithmic: boolean;
}

function thousandth({ median, min, max }: Spread): Spread {
  return { median: median / 1000, min: min / 1000, max: max / 1000 };
}

const KIOPS: Quantity = {
  unit: "kIOPS",
  of: ({ iops }) => thousandth(iops),
  isLogarithmic: false,
};
const CPU: Quantity = {
  unit: "CPU µs per I/O",
  of: ({ cpuUsPerIo }) => cpuUsPerIo,
  isLogarithmic: true,
};
const P99: Quantity = { unit: "p99 latency, µs", of: ({ p99Us }) => p99Us, isLogarithmic: true };

interface Subject {
  name: string;
  title: string;
  quantity: Quantity;
  systems: readonly string[];
}

const TALK = [
  "native",
  "passthrough",
  "passthrough-sqpoll",
  "passthrough-iopoll",
  "virtio-blk-io_uring-iothread",
  "virtio-blk-io_uring",
];
const VHOST = ["passthrough", "passthrough-sqpoll", "vhost-blk", "vhost-user-blk", "vdpa-sim"];
const COST = [
  ...["native", "passthrough", "passthrough-sqpoll"],
  ...["virtio-blk-io_uring-iothread", "virtio-blk-io_uring", "vhost-blk", "vhost-user-blk"],
];

const SUBJECTS: readonly Subject[] = [
  {
    name: "virtqueues",
    title: "Passthrough against virtqueues and bare metal",
    quantity: KIOPS,
    systems: TALK,
  },
  { name: "vhost", title: "Passthrough against vhost", quantity: KIOPS, systems: VHOST },
  {
    name: "cpu",
    title: "CPU time of one operation, serving threads included",
    quantity: CPU,
    systems: COST,
  },
  { name: "p99", title: "99th percentile of latency", quantity: P99, systems: COST },
  {
    name: "back-ends",
    title: "virtio-blk by back end",
    quantity: KIOPS,
    systems: [
      "passthrough",
      ...["io_uring", "native", "threads"].flatMap((aio) => [
        `virtio-blk-${aio}`,
        `virtio-blk-${aio}-iothread`,
      ]),
    ],
  },
  {
    name: "polling",
    title: "Who submits: enter, SQPOLL, IOPOLL",
    quantity: KIOPS,
    systems: [
      ...["native", "native-sqpoll", "native-iopoll"],
      ...["passthrough", "passthrough-sqpoll", "passthrough-iopoll"],
    ],
  },
  {
    name: "instead",
    title: "Passthrough against what Node has",
    quantity: KIOPS,
    systems: ["passthrough", "fs-promises", "fs-sync", "node-wasi"],
  },
];

export interface Panel {
  cache: CacheName;
  series: readonly Series[];
}

export interface Chart {
  /** Of the file, without its ending. */
  name: string;
  title: string;
  rw: FigureRw;
  quantity: Quantity;
  /** Beside each other, one for each way of caching that was measured. */
  panels: readonly Panel[];
}

function panelsOf({ series }: FigureReport, rw: FigureRw, systems: readonly string[]): Panel[] {
  return CACHE_NAMES.flatMap((cache) => {
    const own = systems.flatMap((system) =>
      series.filter((one) => one.system === system && one.rw === rw && one.cache === cache),
    );
    return own.length > 0 ? [{ cache, series: own }] : [];
  });
}

/** Those charts for which something was measured. */
export function chartsOf(report: FigureReport): Chart[] {
  return FIGURE_RW_NAMES.flatMap((rw) =>
    SUBJECTS.flatMap(({ name, title, quantity, systems }) => {
      const panels = panelsOf(report, rw, systems);
      const file = `${rw === "randread" ? "read" : "write"}-${name}`;
      return panels.length > 0 ? [{ name: file, title, rw, quantity, panels }] : [];
    }),
  );
}
