import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestEvent } from '../guest/guest-event.js';
import type { Logger } from '../logger.js';
import type { ClaimId } from '../tracker/claim.js';
import type { HostGuests } from './host-guests.js';
import type { RecoveredClaim } from './recover-claims.js';

/** Before guests that could not be asked are asked again; then twice as long, up to the longest. */
const firstAgainMs = 5_000;
const longestAgainMs = 60_000;

/**
 * Keeps claims and guests together: at the start, and when a guest has let go of something or has ended.
 * It goes on beside the work of whoever asks: a guest may not answer for long.
 */
export class GuestKeeper {
  readonly #guests: Pick<HostGuests, 'claimsIn' | 'recover'>;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** By the guest's reference, or null for all; and whether to look once more after this. */
  readonly #looking = new Map<string | null, { readonly ended: Promise<void>; again: boolean }>();

  constructor(guests: Pick<HostGuests, 'claimsIn' | 'recover'>, logger: Logger) {
    this.#guests = guests;
    this.#logger = logger;
  }

  /** After the process before this one was killed. */
  start(): void {
    this.#look(null);
  }

  /** @param guest null: any */
  take(guest: string | null, type: GuestEvent['type']): void {
    if (type !== 'unplug-refused') this.#look(guest);
  }

  /** Ends the looking. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#looking.values()].map(({ ended }) => ended));
  }

  #look(guest: string | null): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#looking.get(guest);
    if (now === undefined) {
      this.#looking.set(guest, { ended: this.#lookNow(guest), again: false });
    } else now.again = true;
  }

  async #lookNow(guest: string | null): Promise<void> {
    // Whoever asks meanwhile is served by the next look: what it is about may come after this one.
    await Promise.resolve();
    try {
      await this.#recover(guest);
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#logger.error({ err: error }, 'the guests could not be asked');
      }
    }
    const again = this.#looking.get(guest)?.again;
    this.#looking.delete(guest);
    if (again === true) this.#look(guest);
  }

  /** Until all of it is known. */
  async #recover(guest: string | null): Promise<void> {
    const { signal } = this.#closing;
    let claims: readonly ClaimId[] = this.#guests.claimsIn(guest);
    for (let waitMs = firstAgainMs; claims.length > 0; waitMs *= 2) {
      const recovered = await this.#guests.recover({ claims, signal });
      for (const one of recovered) this.#tell(one, waitMs > firstAgainMs);
      claims = recovered.flatMap(({ claim, error }) => (error === null ? [] : [claim]));
      if (claims.length === 0) return;
      await sleep(Math.min(waitMs, longestAgainMs), undefined, { signal, ref: false });
    }
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
