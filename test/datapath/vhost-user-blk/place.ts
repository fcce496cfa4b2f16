/** A folder with an empty raw disk and a socket, and the daemons of one test, which are killed afterwards. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, type Running, sayAbsent, startDaemon, whyNoDaemon } from "./storage-daemon";

export const SECTORS = 8192;

export interface Place {
  folder: string;
  raw: string;
  socket: string;
  running: Running[];
}

type Register = (name: string, body: () => Promise<void>) => void;

/** Registers tests that need a daemon; where there is none it says so and registers nothing. */
export function placesOf(register: Register) {
  const absent = whyNoDaemon();
  // A file without any test counts as one that failed.
  if (absent !== "") register(sayAbsent(absent), async () => {});
  return (name: string, body: (place: Place) => Promise<void>): void => {
    if (absent !== "") return;
    register(name, async () => {
      const folder = makeFolder();
      const running: Running[] = [];
      const place = { folder, raw: join(folder, "raw"), socket: join(folder, "s"), running };
      writeFileSync(place.raw, Buffer.alloc(SECTORS * 512));
      try {
        await body(place);
      } finally {
        for (const { kill } of running) await kill();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  };
}

export async function serveRaw(place: Place, writable = true): Promise<Running> {
  const { raw, socket, running } = place;
  const started = await startDaemon({ blockdev: `driver=file,filename=${raw}`, socket, writable });
  running.push(started);
  return started;
}
