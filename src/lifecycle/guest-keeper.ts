import type { GuestEvent } from '../guest/guest-event.js';
import type { Logger } from '../logger.js';
import type { HostGuests } from './host-guests.js';
import type { RecoveredClaim } from './recover-claims.js';

/** Before guests that could not be asked are asked again; then twice as long, up to the longest. */
const firstAgainMs = 5_000;
const longestAgainMs = 60_000;

/** One look at a guest's claims, or at all, which goes on until it is known what is there. */
interface Look {
  ended: Promise<void>;
  /** Whether something has happened since it began. */
  isLate: boolean;
  /** Ends the waiting before it asks again. */
  wake: () => void;
}

/**
 * Keeps claims and guests together: at the start, and when a guest has let go of something or has ended.
 * It goes on beside the work of whoever asks: a guest may not answer for long.
 */
export class GuestKeeper {
  readonly #guests: Pick<HostGuests, 'claimsIn' | 'recover'>;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** By the guest's reference, or null for all. */
  readonly #looks = new Map<string | null, Look>();

  constructor(guests: Pick<HostGuests, 'claimsIn' | 'recover'>, logger: Logger) {
    this.#guests = guests;
    this.#logger = logger;
  }

  /** After the process before this one was killed: also what it had begun is finished, or undone. */
  start(): void {
    this.#look(null, true);
  }

  /** @param guest null: any */
  take(guest: string | null, type: GuestEvent['type']): void {
    if (type !== 'unplug-refused') this.#look(guest, false);
  }

  /** Ends the looking. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    const looks = [...this.#looks.values()];
    for (const { wake } of looks) wake();
    await Promise.all(looks.map(({ ended }) => ended));
  }

  #look(guest: string | null, begun: boolean): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#looks.get(guest);
    if (now === undefined) {
      const look: Look = { ended: Promise.resolve(), isLate: false, wake: () => {} };
      this.#looks.set(guest, look);
      look.ended = this.#lookNow(guest, begun, look);
    } else {
      now.isLate = true;
      now.wake();
    }
  }

  async #lookNow(guest: string | null, begun: boolean, look: Look): Promise<void> {
    // What comes at the same moment is looked at together.
    await Promise.resolve();
    try {
      await this.#recover(guest, begun, look);
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#logger.error({ err: error }, 'the guests could not be asked');
      }
    } finally {
      this.#looks.delete(guest);
      if (look.isLate) this.#look(guest, false);
    }
  }

  /** Until all of it is known. */
  async #recover(guest: string | null, begun: boolean, look: Look): Promise<void> {
    const { signal } = this.#closing;
    look.isLate = false;
    let claims = this.#guests.claimsIn(guest, begun);
    let isAgain = false;
    let waitMs = firstAgainMs;
    while (claims.length > 0) {
      const recovered = await this.#guests.recover({ claims, signal });
      for (const one of recovered) this.#tell(one, isAgain);
      claims = recovered.flatMap(({ claim, error }) => (error === null ? [] : [claim]));
      if (claims.length > 0 && !look.isLate) await this.#wait(waitMs, look);
      isAgain = !look.isLate;
      waitMs = isAgain ? Math.min(waitMs * 2, longestAgainMs) : firstAgainMs;
      if (!look.isLate) continue;
      look.isLate = false;
      claims = [...new Set([...claims, ...this.#guests.claimsIn(guest, false)])];
    }
  }

  async #wait(waitMs: number, look: Look): Promise<void> {
    this.#closing.signal.throwIfAborted();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((done) => {
      timer = setTimeout(done, waitMs).unref();
      look.wake = done;
    });
    clearTimeout(timer);
    this.#closing.signal.throwIfAborted();
  }

  #tell({ claim, guest, state, error }: RecoveredClaim, again: boolean): void {
    const found = { claim, guest, state, ...(error !== null && { err: error }) };
    if (error === null && state !== 'unknown') {
      this.#logger.info(found, 'claim and guest: together');
    } else if (!again) {
      this.#logger.warn(found, 'claim and guest: it could not be found out');
    }
  }
}
