/** The ring itself is the guest's to spoil: whoever consumes it must believe none of its words. */
import { Errno, guestAddress, Op, SetupRequest, Sqe, SqeFlag } from "../../../assembly";
import { SQ_ENTRIES } from "./raw-ring";
import { nameOf, Report } from "./report";

const HEADER_BYTES: usize = 64;

/**
 * An ordinary read of one page, after what was done to the ring: it is served, or only the guest
 * itself is hurt.
 */
function judgeRead(report: Report, attempt: string, gain: string): void {
  const ring = report.ring;
  const sqe = ring.sqe();
  store<u8>(sqe, <u8>Op.READ_FIXED);
  store<u8>(sqe, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  store<u64>(sqe, guestAddress(ring.arena), Sqe.ADDR);
  store<u32>(sqe, <u32>ring.page, Sqe.LEN);
  report.served(attempt, gain, ring.run());
}

/** Masks, sizes, flags and the indices that are not ours. */
function scribbleHeader(report: Report, pattern: u8): void {
  const ring = report.ring;
  const start = ring.base + ring.page;
  const tail = ring.word(SetupRequest.SQ_TAIL);
  const head = ring.word(SetupRequest.CQ_HEAD);
  for (let at = start; at < start + HEADER_BYTES; at++) {
    if (at - tail < 4 || at - head < 4) continue;
    store<u8>(at, pattern);
  }
}

/**
 * Sends the tail far beyond the SQ: the consumer may take every stale SQE again, and each is judged
 * again.
 */
function jumpTail(report: Report): void {
  const ring = report.ring;
  for (let index: u32 = 0; index < SQ_ENTRIES; index++) {
    const sqe = ring.sqe(index);
    store<u8>(sqe, <u8>Op.MADVISE);
    store<u8>(sqe, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  }
  ring.publish(1000);
  ring.enter(1000, 0);
  ring.settleTail();
  let answers = 0;
  let denied = 0;
  // Answers beyond the CQ's size wait in the host or the kernel until there is room.
  for (let quiet = 0; quiet < 2; ) {
    if (!ring.hasAnswer()) {
      ring.enter(0, 1);
      quiet = ring.hasAnswer() ? 0 : quiet + 1;
      continue;
    }
    answers++;
    if (ring.answer() == -(<i32>Errno.EACCES)) denied++;
  }
  const good = answers >= <i32>SQ_ENTRIES && denied == answers;
  const answer = good
    ? "EACCES, each one"
    : denied.toString() + " of " + answers.toString() + " EACCES";
  report.judge("SQ tail 1000 ahead, SQEs denied", "requests that nobody judged", answer, good);
}

/**
 * Claims to have read answers that do not exist: they wait elsewhere until the head is put right.
 */
function lieAboutHead(report: Report): void {
  const ring = report.ring;
  const head = ring.word(SetupRequest.CQ_HEAD);
  const truth = atomic.load<u32>(head);
  atomic.store<u32>(head, truth + 5000);
  const sqe = ring.sqe();
  store<u8>(sqe, <u8>Op.MADVISE);
  store<u8>(sqe, SqeFlag.FIXED_FILE, Sqe.FLAGS);
  ring.publish(1);
  ring.enter(1, 0);
  ring.settleTail();
  atomic.store<u32>(head, truth);
  const result = ring.answer();
  const good = result == -(<i32>Errno.EACCES);
  report.judge(
    "CQ head in the future",
    "answers written beside the CQ",
    nameOf(result) + ", once it is put right",
    good,
  );
}

export function tryScribbles(report: Report): void {
  const ring = report.ring;
  scribbleHeader(report, 0xff);
  judgeRead(report, "ring header filled with 0xff", "masks and sizes of the guest's choice");
  scribbleHeader(report, 0);
  judgeRead(report, "ring header filled with 0", "masks and sizes of the guest's choice");
  const cqes = ring.word(SetupRequest.CQES);
  memory.fill(cqes, 0xff, ring.base + 2 * ring.page - cqes);
  judgeRead(report, "CQEs filled with 0xff", "answers that the host believes");
  jumpTail(report);
  lieAboutHead(report);
  memory.grow(1);
  judgeRead(report, "memory grown under the ring", "the kernel writing to where memory was");
}
