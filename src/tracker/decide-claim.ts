import { isDeepStrictEqual } from 'node:util';
import { VdpaError } from '../errors.js';
import type { HostCell } from '../host/host-cells.js';
import type { GivenInterface } from './arguments.js';
import { type Assigned, assign, type Offer } from './assignment.js';
import type { Claim } from './claim.js';
import type { Decision } from './decision.js';
import { Draft } from './draft.js';
import { explainRefusal } from './explain-refusal.js';
import type { Ledger } from './ledger.js';
import { allocateDevice, claimDevice } from './transitions.js';

/** What a claim is made of, beside what it gets. */
export type ClaimWish = Omit<Claim, 'fence' | 'status' | 'guest' | 'devices'>;

/**
 * Finds devices for all requests.
 *
 * @throws {VdpaError} `CLAIM_UNSATISFIABLE`
 */
export function chooseDevices(
  ledger: Ledger,
  { requests, numaCells }: Pick<ClaimWish, 'requests' | 'numaCells'>,
  host: readonly HostCell[] | null,
): Assigned[] {
  const offer: Offer = { devices: ledger, numa: { guest: numaCells, host } };
  const assigned = assign(requests, offer);
  if (assigned !== null) return assigned;
  throw new VdpaError('CLAIM_UNSATISFIABLE', explainRefusal(requests, offer, ledger), {
    retry: 'later',
  });
}

/**
 * Takes devices for all requests, or none.
 *
 * @throws {VdpaError} `CLAIM_UNSATISFIABLE`
 */
export function decideClaim(
  ledger: Ledger,
  wish: ClaimWish,
  host: readonly HostCell[] | null,
): Decision {
  const assigned = chooseDevices(ledger, wish, host);
  const draft = new Draft(ledger);
  for (const { request, record } of assigned) {
    const current = draft.device(record.device.id) ?? record;
    const holder = { claimId: wish.id, instance: wish.instance, requestId: request.requestId };
    draft.apply(claimDevice(draft.family(current), holder));
  }
  const { id, instance, migration, requests, numaCells } = wish;
  draft.setClaim(id, {
    id,
    fence: ledger.nextFence(),
    instance,
    migration,
    status: 'claimed',
    requests,
    numaCells,
    guest: null,
    devices: assigned.map(({ request, record }) => ({
      deviceId: record.device.id,
      requestId: request.requestId,
    })),
  });
  return draft.decision();
}

/** The instance has the claim's devices now. Nothing changes when it had them already. */
export function decideAllocate(ledger: Ledger, claims: readonly Claim[]): Decision {
  const draft = new Draft(ledger);
  for (const claim of claims) {
    if (claim.status === 'allocated') continue;
    for (const { deviceId, requestId } of claim.devices) {
      const record = draft.device(deviceId);
      if (record === null) continue;
      const holder = { claimId: claim.id, instance: claim.instance, requestId };
      draft.apply(allocateDevice(draft.family(record), holder));
    }
    draft.setClaim(claim.id, { ...claim, status: 'allocated' });
  }
  return draft.decision();
}

/** The guest may have the claim's devices from now on, as they are given; or has none of them any more. */
export function decideGuest(
  ledger: Ledger,
  claim: Claim,
  guest: string | null,
  interfaces: readonly GivenInterface[],
): Decision {
  const draft = new Draft(ledger);
  const given = new Map(interfaces.map(({ deviceId, settings }) => [deviceId, settings]));
  const devices = claim.devices.map((device) => {
    const settings = given.get(device.deviceId);
    if (settings === undefined) return device;
    const { settings: _, ...plain } = device;
    return settings === null ? plain : { ...plain, settings };
  });
  const then: Claim = { ...claim, guest, devices };
  if (!isDeepStrictEqual(then, claim)) draft.setClaim(claim.id, then);
  return draft.decision();
}

/** What was made for a migration is the instance's own from now on. */
export function decideAdopt(ledger: Ledger, claim: Claim): Decision {
  const draft = new Draft(ledger);
  if (claim.migration !== null) draft.setClaim(claim.id, { ...claim, migration: null });
  return draft.decision();
}
