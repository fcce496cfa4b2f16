/**
 * The virtqueue served by a vhost-user-blk daemon: nothing but set-up passes through this process. The daemon is not
 * trusted. It can write what it likes into the window, which is the guest's own memory; here every answer is checked,
 * every wait is bounded, and nothing that it holds can block this thread.
 *
 * When it goes away the device needs a reset: the guest's requests in flight fail, and a driver that resets the device
 * goes on with the daemon that was restarted meanwhile. It is not resumed behind the guest's back, although the
 * protocol could (INFLIGHT_SHMFD): a daemon that was killed may have lost writes that it had answered but nobody had
 * flushed, as a disk does when the power goes, and a guest that is not told would take them for written.
 */
import { Errno, VringUsed } from "../../abi";
import { errnoName } from "../../errors";
import type { GuestMemory } from "../../memory/guest-memory";
import type { QueueService, QueueSetup, WindowRange } from "../../virtio/service";
import type { DeviceControl } from "../control";
import { deadlineOf, type ServiceContext, SLICE_US } from "../service-context";
import { whatChanged } from "./description";
import { Descriptors } from "./descriptors";
import {
  connectFailure,
  type DaemonFailure,
  DROPPED_KICK,
  daemonError,
  violationFailure,
} from "./failure";
import { LinkInterrupted, LinkLost } from "./link";
import type { VhostUserPlan } from "./plan";
import { Session, type SessionCalls, type SessionWindow } from "./session";

const RETRY_US = 20_000;
const POLL_US = 1000;
/** How long a daemon may take over requests in flight when the queue stops. */
const FINISH_TIMEOUT_MS = 10_000;
/** The same when the guest is at its end and nobody waits for what they do. */
const LAST_TIMEOUT_MS = 1000;
/** Errors of connecting that a restart of the daemon mends. */
const PASSING = [Errno.ENOENT, Errno.ECONNREFUSED, Errno.EAGAIN];

export interface VhostUserServiceOptions {
  plan: VhostUserPlan;
  control: DeviceControl;
  context: ServiceContext;
  memory: () => GuestMemory;
  calls: SessionCalls;
  /** Told once for each daemon that is lost or refused, in a sentence. */
  onFailure: (reason: string) => void;
}

export class VhostUserService implements QueueService {
  readonly selfRunning = true;
  readonly #options: VhostUserServiceOptions;
  #window: SessionWindow | null = null;
  #session: Session | null = null;
  #queue: QueueSetup | null = null;
  #failure = 0;

  constructor(options: VhostUserServiceOptions) {
    this.#options = options;
  }

  get failure(): number {
    this.#look();
    return this.#failure;
  }

  setWindow(range: WindowRange): number {
    const { context, control } = this.#options;
    if (this.#window !== null) return -Errno.EBUSY;
    const window = context.shareWindow(range);
    if (typeof window === "number") return window;
    control.publishWindow(window);
    this.#window = window;
    return 0;
  }

  start(queue: QueueSetup): number {
    const window = this.#window;
    if (window === null) return -Errno.EINVAL;
    this.#failure = 0;
    try {
      const session = this.#connect();
      session.start(queue, window, this.#patience());
    } catch (error) {
      return this.#lose(error);
    }
    this.#queue = queue;
    return 0;
  }

  stop(): number {
    const queue = this.#queue;
    if (queue === null) return 0;
    this.#queue = null;
    let index = -1;
    try {
      if (this.#session !== null) index = this.#drain(this.#session, queue);
    } catch (error) {
      this.#lose(error);
    }
    this.#closeSession();
    if (index >= 0) return index;
    // The daemon is lost. What it took will not complete, or will when nobody expects it.
    const used = this.#ringIndex(queue.usedOffset);
    return used === this.#ringIndex(queue.availOffset) ? used : -Errno.EIO;
  }

  kick(): number {
    if (this.#failure !== 0) return this.#failure;
    const session = this.#session;
    if (session === null) return -Errno.EINVAL;
    this.#options.control.countKick();
    if (session.kick()) return 0;
    this.#look();
    if (this.#failure === 0) this.#lose(new LinkLost(violationFailure(DROPPED_KICK)));
    return this.#failure;
  }

  wait(timeoutUs: number): number {
    const { control, context } = this.#options;
    control.countWait();
    const deadline = timeoutUs < 0 ? Infinity : deadlineOf(timeoutUs);
    for (;;) {
      const session = this.#session;
      this.#look();
      // What was completed before the end is told first.
      if (session?.takeCall() === true) {
        control.countInterrupt();
        return 1;
      }
      if (this.#failure !== 0) return this.#failure;
      if (session === null) return -Errno.EINVAL;
      if (context.stop.stopped()) return -Errno.EINTR;
      const leftUs = Math.ceil((deadline - performance.now()) * 1000);
      if (leftUs <= 0) return -Errno.ETIME;
      session.waitEvent(Math.min(leftUs, SLICE_US));
    }
  }

  /** The window is unmapped by the embedder's thread. */
  close(): void {
    this.stop();
    this.#closeSession();
    this.#window = null;
  }

  #patience() {
    const { plan, context } = this.#options;
    return { timeoutMs: plan.timeoutMs, stopped: () => context.stop.stopped() };
  }

  /** A connection to the daemon that was described before the guest began, or to its successor. */
  #connect(): Session {
    const { plan, context, calls } = this.#options;
    const deadline = performance.now() + plan.reconnectMs;
    for (;;) {
      try {
        return this.#connectOnce();
      } catch (error) {
        const passing = error instanceof LinkLost && error.passing;
        if (!passing || performance.now() >= deadline) throw error;
        this.#closeSession();
      }
      if (context.stop.stopped()) throw new LinkInterrupted();
      calls.eventFds.waitReadable(-1, -1, -1, RETRY_US);
    }
  }

  #connectOnce(): Session {
    const { plan, calls } = this.#options;
    const { socketPath } = plan;
    const fd = calls.sockets.connect(socketPath);
    if (fd < 0) {
      const failure = connectFailure(socketPath, errnoName(-fd));
      throw new LinkLost({ ...failure, errno: -fd }, PASSING.includes(-fd));
    }
    const session = new Session(fd, new Descriptors(plan.descriptors), calls);
    this.#session = session;
    const changed = whatChanged(plan.description, session.introduce(this.#patience()));
    if (changed === null) return session;
    throw new LinkLost({
      why: `it is not the one that was there before: ${changed}`,
      whatToDo: "start it with the same disk and the same options",
    });
  }

  /**
   * Lets the daemon complete everything that is available and only then stops it: libvhost-user breaks off when it is
   * stopped before, because it closes the call that the requests in flight still need. Returns where it stopped; what
   * was taken before is complete, so that the guest may reuse the buffers.
   */
  #drain(session: Session, queue: QueueSetup): number {
    const { plan, context } = this.#options;
    const stopped = () => context.stop.stopped();
    const began = performance.now();
    // A guest that is to end stops its queue all the same, in less time.
    const isLate = () => {
      return performance.now() - began >= (stopped() ? LAST_TIMEOUT_MS : FINISH_TIMEOUT_MS);
    };
    session.kick();
    this.#awaitUsed(session, queue, this.#ringIndex(queue.availOffset), isLate);
    const timeoutMs = stopped() ? Math.min(plan.timeoutMs, LAST_TIMEOUT_MS) : plan.timeoutMs;
    const index = session.stop({ timeoutMs, stopped: () => false });
    if (!this.#awaitUsed(session, queue, index, isLate)) {
      throw new LinkLost({ why: "it does not finish the requests that it took" });
    }
    return index;
  }

  /** Whether the used index reached `index` in time. */
  #awaitUsed(
    session: Session,
    { usedOffset }: QueueSetup,
    index: number,
    isLate: () => boolean,
  ): boolean {
    while (this.#ringIndex(usedOffset) !== index) {
      if (isLate()) return false;
      session.look();
      this.#options.calls.eventFds.waitReadable(-1, -1, -1, POLL_US);
    }
    return true;
  }

  /** The index of the avail or of the used ring: it stands at the same place in both. */
  #ringIndex(ringOffset: number): number {
    return this.#options.memory().view.getUint16(ringOffset + VringUsed.IDX, true);
  }

  #look(): void {
    if (this.#session === null || this.#failure !== 0) return;
    try {
      this.#session.look();
    } catch (error) {
      this.#lose(error);
    }
  }

  /** Ends the session for a reason; the errno for the guest. */
  #lose(error: unknown): number {
    this.#closeSession();
    if (error instanceof LinkInterrupted) return -Errno.EINTR;
    if (!(error instanceof LinkLost)) throw error;
    this.#failure = -Errno.EIO;
    this.#report(error.failure);
    return this.#failure;
  }

  #report(failure: DaemonFailure): void {
    this.#options.onFailure(daemonError(this.#options.plan.socketPath, failure).message);
  }

  #closeSession(): void {
    this.#session?.close();
    this.#session = null;
  }
}
