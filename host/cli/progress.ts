/**
 * A sign of life for long work: a spinner on a terminal, nothing on a pipe. On stderr, so that
 * stdout stays data.
 */
import yoctoSpinner from "yocto-spinner";

export interface Progress {
  update(text: string): void;
  stop(): void;
}

export function startProgress(text: string): Progress {
  if (process.stderr.isTTY !== true) return { update: () => undefined, stop: () => undefined };
  const spinner = yoctoSpinner({ text, stream: process.stderr }).start();
  return {
    update: (next) => {
      spinner.text = next;
    },
    stop: () => void spinner.stop(),
  };
}
