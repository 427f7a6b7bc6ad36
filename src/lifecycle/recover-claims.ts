import { VdpaError } from '../errors.js';
import { type NetworkBackend, noNetworkBackend } from '../guest/network-backend.js';
import type { Claim, ClaimId } from '../tracker/claim.js';
import type { AttachingHost } from './attach-claim.js';
import { claimedInterfaces } from './claimed-interface.js';
import { detachClaim } from './detach-claim.js';
import { type GuestPlace, interfacesIn } from './guest-place.js';

export interface RecoverOptions {
  /** Where a reference leads; null: nobody knows it any more, and the claim stays as it is. */
  readonly place: (reference: string) => GuestPlace | null;
  readonly network?: NetworkBackend | undefined;
  /** Only these. Default: all. */
  readonly claims?: readonly ClaimId[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was found of a claim that says of a guest that it may have its devices. */
export interface RecoveredClaim {
  readonly claim: ClaimId;
  readonly guest: string;
  /**
   * - `in-guest`: all is there, as the record says
   * - `finished`: all was there, and the record did not say so
   * - `undone`: an attach that had not come to its end; nothing of it is left in the guest
   * - `left`: the guest had none of it: it has ended, or a detach had not come to its end
   * - `unknown`: it could not be found out; the claim stays as it is
   */
  readonly state: 'in-guest' | 'finished' | 'undone' | 'left' | 'unknown';
  /** Why it is not known. */
  readonly error: VdpaError | null;
}

/**
 * Brings a claim and its guest together again after this process was killed: what was begun is finished
 * when all of it is there, or else undone. Claims themselves stay: whose they are is for `reconcile`.
 *
 * @returns null when by now it is in no guest
 */
export async function recoverClaim(
  host: AttachingHost,
  claim: Claim,
  options: RecoverOptions,
): Promise<RecoveredClaim | null> {
  const { id, guest } = claim;
  if (guest === null) return null;
  options.signal?.throwIfAborted();
  try {
    const place = options.place(guest);
    const state = place === null ? 'unknown' : await recover(host, claim, place, options);
    return { claim: id, guest, state, error: null };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof VdpaError)) throw error;
    return { claim: id, guest, state: 'unknown', error };
  }
}

async function recover(
  host: AttachingHost,
  claim: Claim,
  place: GuestPlace,
  { network = noNetworkBackend, signal }: RecoverOptions,
): Promise<RecoveredClaim['state']> {
  const { tracker } = host;
  const wanted = claimedInterfaces(tracker, claim);
  const there = await interfacesIn(place, { signal });
  const own = there.filter(({ name }) => wanted.some((one) => one.name === name));
  const whole = wanted.filter(({ name }) =>
    own.some((one) => one.name === name && one.state === 'attached'),
  );
  if (whole.length === wanted.length) {
    if (claim.status === 'allocated') return 'in-guest';
    await tracker.allocate({ claim: claim.id, fence: claim.fence });
    return 'finished';
  }
  // What a guest works with is not taken out of its hands: only what is there in part goes.
  const rest = claim.status === 'allocated' ? wanted.filter((one) => !whole.includes(one)) : wanted;
  await detachClaim(host, { claim, interfaces: rest }, place, { network, release: false, signal });
  return claim.status === 'allocated' ? 'left' : 'undone';
}
