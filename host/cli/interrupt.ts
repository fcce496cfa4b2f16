/**
 * Ctrl-C and SIGTERM while a guest runs: the first ends the guest in order (its ring must be torn
 * down before the process goes), the second the process.
 */
import { ExitCode } from "./exit-code";

export interface Interrupt {
  signal: AbortSignal;
  received(): "SIGINT" | "SIGTERM" | null;
  dispose(): void;
}

export function abortOnSignal(): Interrupt {
  const controller = new AbortController();
  let received: "SIGINT" | "SIGTERM" | null = null;
  function onSignal(name: "SIGINT" | "SIGTERM"): void {
    if (received !== null) {
      process.exit(name === "SIGINT" ? ExitCode.INTERRUPTED : ExitCode.TERMINATED);
    }
    received = name;
    controller.abort(name === "SIGINT" ? "interrupted (SIGINT)" : "terminated (SIGTERM)");
  }
  const onInterrupt = () => onSignal("SIGINT");
  const onTerminate = () => onSignal("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return {
    signal: controller.signal,
    received: () => received,
    dispose: () => {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
}
