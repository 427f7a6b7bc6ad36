import { restated, VdpaError } from '../errors.js';
import type { GuestCallOptions } from '../guest/guest-driver.js';
import { saysGuestGone } from '../guest/losses.js';
import { type NetworkBackend, noNetworkBackend } from '../guest/network-backend.js';
import type { Claim } from '../tracker/claim.js';
import { assertInNoOtherGuest } from '../tracker/claim-in-guest.js';
import type { AttachingHost } from './attach-claim.js';
import {
  type ClaimedInterface,
  claimedInterfaces,
  networkContext,
  type SelectedInterfaces,
} from './claimed-interface.js';
import type { GuestPlace } from './guest-place.js';
import { networkCall } from './network-call.js';

export interface DetachOptions {
  /** As it was attached with. */
  readonly network?: NetworkBackend | undefined;
  /** Whether the devices are given back once the guest has let go of all. Default true. */
  readonly release?: boolean | undefined;
  /** Ends the waiting: what the guest has let go of by then stays out. */
  readonly signal?: AbortSignal | undefined;
  /** For all of the claim's devices together. Default: two minutes for each. */
  readonly timeoutMs?: number | undefined;
  /**
   * The operation of the instance that this is a part of, by its kind, such as `suspend`: another, or any
   * that is under way, is not disturbed. Default: none.
   */
  readonly operation?: string | undefined;
  /** Told what is being done, for people. */
  readonly onStep?: ((what: string) => void) | undefined;
}

const msForEach = 120_000;

/**
 * Takes vDPA devices of a claim out of its guest, and then gives them back. The guest comes first, then
 * the network, the record last: while a guest does not let go, the claim stays. It may be repeated, and
 * goes on where it was.
 */
export async function detachClaim(
  host: AttachingHost,
  { claim, interfaces }: SelectedInterfaces,
  place: GuestPlace,
  options: DetachOptions,
): Promise<void> {
  const { driver, guest, reference } = place;
  const { tracker } = host;
  const { network = noNetworkBackend, release = true, signal, onStep = () => {} } = options;
  assertInNoOtherGuest(claim, reference);
  const own = [...interfaces].reverse();
  const deadline = performance.now() + (options.timeoutMs ?? msForEach * own.length);
  const inventory = await host.inventory({ signal });
  const left = own.map(({ deviceId }) => deviceId);
  for (const one of own) {
    try {
      onStep(`take ${one.deviceId} out of ${reference}`);
      await driver.detach(guest, one.name, { signal, deadline });
      const { port } = one;
      if (port !== null) {
        onStep(`unplug port ${port} from the network`);
        const context = networkContext(inventory, one, null);
        await networkCall(() => network.unplug(port, context, { signal }));
      }
    } catch (error) {
      throw staying(error, claim, left.length < own.length, left);
    }
    left.shift();
  }
  const selection = { claim: claim.id, fence: claim.fence };
  const gone = new Set(own.map(({ deviceId }) => deviceId));
  const others = claimedInterfaces(tracker, claim).filter(({ deviceId }) => !gone.has(deviceId));
  if (!(await mayHave(place, others, { signal, deadline }))) {
    await tracker.setGuest(selection, null);
  }
  // Of a claim that another port keeps in the guest, these have left it.
  if (release) await tracker.release({ ...selection, devices: [...gone], force: true });
}

/** Of one that has ended the others' ports are in the network still: that is for their own detach to see to. */
async function mayHave(
  { driver, guest }: GuestPlace,
  others: readonly ClaimedInterface[],
  options: GuestCallOptions,
): Promise<boolean> {
  if (others.length === 0) return false;
  try {
    const there = await driver.interfaces(guest, options);
    return there.some(({ name }) => others.some((other) => other.name === name));
  } catch (error) {
    if (saysGuestGone(error)) return true;
    throw error;
  }
}

/** What is still in the guest, for whoever goes on. */
function staying(error: unknown, { id }: Claim, some: boolean, left: readonly string[]): unknown {
  if (!(error instanceof VdpaError)) return error;
  return restated(error, `claim ${id} stays: ${error.message}`, {
    outcome: some ? 'partial' : error.outcome,
    leftovers: [...error.leftovers, ...left],
  });
}
