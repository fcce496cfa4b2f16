/**
 * The table of attempts: one line each with what would be gained and the answer that came back,
 * judged at once. After every attempt the canary pages are looked at; a refusal that changed memory
 * is an escape.
 */
import { Errno, print } from "../../../assembly";
import { NO_ANSWER, RawRing } from "./raw-ring";

const ATTEMPT_WIDTH = 46;
const GAIN_WIDTH = 48;

/** "EACCES" for -13, "4096 bytes" for 4096. */
export function nameOf(result: i32): string {
  if (result == NO_ANSWER) return "no answer";
  if (result >= 0) return result.toString() + " bytes";
  return result >= -(<i32>Errno.EHWPOISON) ? Errno[-result] : "errno " + (-result).toString();
}

export class Report {
  private refused: i32 = 0;
  /** Attempts that were served and only touched what is the guest's own. */
  private harmless: i32 = 0;
  private escaped: i32 = 0;
  private controls: i32 = 0;
  private failedControls: i32 = 0;
  /** How often the canary pages were compared. */
  private checks: i32 = 0;

  constructor(readonly ring: RawRing) {
    this.line("attempt", "would gain", "answer");
  }

  /** An attempt that must come back with one of these errno values. */
  refusal(attempt: string, gain: string, result: i32, expected: Errno, or: Errno = expected): void {
    const refused = result == -(<i32>expected) || result == -(<i32>or);
    this.judge(attempt, gain, nameOf(result), refused && this.ring.arenaIsUntouched());
  }

  /** An attempt that came to nothing if `refused`; the caller judged its answers. */
  judge(attempt: string, gain: string, answer: string, refused: bool): void {
    const good = this.row(attempt, gain, answer, refused, "ESCAPED");
    if (good) this.refused++;
    else this.escaped++;
  }

  /** An ordinary request after the ring was spoilt: it must be served all the same. */
  served(attempt: string, gain: string, result: i32): void {
    const good = this.row(
      attempt,
      gain,
      nameOf(result) + ", served as before",
      result >= 0,
      "ESCAPED",
    );
    if (good) this.harmless++;
    else this.escaped++;
  }

  /** An ordinary request: a ring that refuses everything would prove nothing. */
  control(what: string, result: i32): void {
    const good = this.row(what, "nothing: it is allowed", nameOf(result), result >= 0, "FAILED");
    if (good) this.controls++;
    else this.failedControls++;
  }

  /** What is no escape and yet to be known. */
  note(text: string): void {
    print("note: " + text);
  }

  /** @returns the exit code */
  close(): i32 {
    const attempts = this.refused + this.harmless + this.escaped;
    print(
      attempts.toString() +
        " attempts: " +
        this.refused.toString() +
        " refused, " +
        this.harmless.toString() +
        " harmless, " +
        this.escaped.toString() +
        " escaped; " +
        this.controls.toString() +
        " control reads served, " +
        this.failedControls.toString() +
        " failed; canary pages compared " +
        this.checks.toString() +
        " times",
    );
    return this.escaped + this.failedControls == 0 ? 0 : 1;
  }

  /** Prints a line. @returns whether all is well, memory outside the arena included */
  private row(
    attempt: string,
    gain: string,
    answer: string,
    expected: bool,
    verdict: string,
  ): bool {
    this.checks++;
    const intact = this.ring.canariesAreIntact();
    if (!intact) this.ring.paintCanaries();
    const good = expected && intact;
    this.line(
      attempt,
      gain,
      answer + (intact ? "" : ", canary changed") + (good ? "" : "  " + verdict),
    );
    return good;
  }

  private line(attempt: string, gain: string, answer: string): void {
    print(attempt.padEnd(ATTEMPT_WIDTH) + "  " + gain.padEnd(GAIN_WIDTH) + "  " + answer);
  }
}
