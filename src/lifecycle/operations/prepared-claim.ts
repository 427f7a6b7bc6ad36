import { isDeepStrictEqual } from 'node:util';
import { VdpaError } from '../../errors.js';
import { saysGuestGone } from '../../guest/losses.js';
import type { DeviceRequest } from '../../policy/device-request.js';
import type { Claim, ClaimId, InstanceId, MigrationId } from '../../tracker/claim.js';
import { assertRequests } from '../../tracker/own-requests.js';
import { claimedInterfaces } from '../claimed-interface.js';
import type { GuestPlace } from '../guest-place.js';
import type { JournalEntry } from './journal-entry.js';
import { interfacesOf, type OfferedInterface, type PreparedPort } from './migration-offer.js';
import type { Operating, OperationOptions } from './operating.js';
import {
  defaultSettings,
  notUndone,
  type PluggedInterface,
  plugAll,
  unplugAll,
  unplugElsewhere,
} from './plugged-interface.js';
import type { ResumedState } from './resumed-operation.js';

/** What an instance is to have here: all that it gets is one claim. */
export interface WantedClaim {
  readonly instance: InstanceId;
  readonly claim: ClaimId;
  /** The migration that it comes by; null: it is the instance's own at once. */
  readonly migration: MigrationId | null;
  readonly requests: readonly DeviceRequest[];
  readonly numaCells: readonly number[] | null;
  /** Null: each vDPA device, with one queue pair, and no MTU told to the guest. */
  readonly interfaces: readonly OfferedInterface[] | null;
}

/**
 * Before anything is kept or taken.
 *
 * @throws {TypeError} for requests that are none, and interfaces that they have no device for
 * @throws {VdpaError} `CLAIM_CONFLICT`
 */
export function assertClaimable({ host: { tracker } }: Operating, wanted: WantedClaim): void {
  assertRequests(wanted.requests);
  const counts = new Map(wanted.requests.map(({ requestId, count }) => [requestId, count]));
  for (const { requestId, index } of wanted.interfaces ?? []) {
    if (index < (counts.get(requestId) ?? 0)) continue;
    throw new TypeError(`interfaces: request ${requestId} asks for no device ${index}`);
  }
  const there = tracker.claimOf(wanted.claim);
  if (there === null) return;
  throw new VdpaError(
    'CLAIM_CONFLICT',
    `claim ${there.id} exists already, for instance ${there.instance}`,
    { retry: 'never' },
  );
}

/**
 * What was taken before, when it is asked for again.
 *
 * @throws {VdpaError} `CLAIM_CONFLICT` when it is asked for otherwise
 */
export async function takenBefore(
  { host: { tracker } }: Operating,
  { interfaces, claim: id, ...devices }: WantedClaim,
  before: readonly OfferedInterface[],
  signal: AbortSignal | undefined,
): Promise<Claim> {
  if (interfaces !== null && !isDeepStrictEqual(interfaces, before)) {
    throw new VdpaError('CLAIM_CONFLICT', `claim ${id} was made for other interfaces`, {
      retry: 'never',
    });
  }
  return await tracker.claim({ id, ...devices, signal });
}

/**
 * Takes devices for all requests, or none: then the operation is at its step `prepared`, or is taken back.
 *
 * @param takeBack ends the operation, or makes it what it was before
 *
 * @throws {VdpaError} `CLAIM_UNSATISFIABLE`, `CLAIM_CONFLICT`, `DEVICE_NOT_SPECIFIED`, those of a store's
 *   `commit`
 */
export async function takeDevices<
  Step extends string,
  Detail extends { readonly interfaces: readonly OfferedInterface[] },
>(
  operating: Operating,
  entry: JournalEntry<Step | 'prepared', Detail>,
  { interfaces, claim: id, ...wanted }: WantedClaim,
  signal: AbortSignal | undefined,
  takeBack: () => Promise<void>,
): Promise<Claim> {
  const { tracker } = operating.host;
  try {
    const claim = await tracker.claim({ id, ...wanted, signal });
    const all = interfaces ?? interfacesByDefault(operating, claim);
    await entry.advance('prepared', { interfaces: all } as Partial<Detail>);
    return claim;
  } catch (error) {
    try {
      const there = tracker.claimOf(id);
      if (there === null || isOf(there, wanted.instance)) {
        await tracker.release({ claim: id, operation: entry.kind });
      }
      await takeBack();
    } catch (failure) {
      throw notUndone(error, failure);
    }
    throw error;
  }
}

/** A claim that is another's under the same id is not this instance's to give back. */
export const isOf = (claim: Claim, instance: InstanceId): boolean => claim.instance === instance;

/** @throws {VdpaError} `CLAIM_NOT_FOUND` when it has been released meanwhile */
export function takenClaim({ host: { tracker } }: Operating, id: ClaimId): Claim {
  const claim = tracker.claimOf(id);
  if (claim !== null) return claim;
  throw new VdpaError(
    'CLAIM_NOT_FOUND',
    `there is no claim ${id}: it has been released meanwhile; abort what it was made for`,
    { retry: 'never' },
  );
}

/** What a guest is to have of a claim. */
interface TakenInterfaces {
  readonly claim: ClaimId;
  readonly interfaces: readonly OfferedInterface[];
}

/**
 * Gives a guest what was taken for it, all or nothing, wherever it was before; then it is allocated.
 *
 * @returns what it has
 * @throws {VdpaError} `CLAIM_NOT_FOUND`, those of `VdpaHost.attach`
 */
export async function plugTaken(
  operating: Operating,
  taken: TakenInterfaces,
  place: GuestPlace,
  options: OperationOptions,
): Promise<PluggedInterface[]> {
  const { id, fence } = takenClaim(operating, taken.claim);
  const wanted = takenInterfaces(operating, taken);
  await unplugElsewhere(operating, wanted, place, options);
  const own = await plugAll(operating, wanted, place, options);
  await operating.host.tracker.allocate({ claim: id, fence });
  return own;
}

/**
 * Goes on with a plug in which a process was killed.
 *
 * @param plug as it was begun, to its end
 * @param back once the guest turns out to have ended, and the network has let go: whether it comes again is
 *   for the agent to say
 */
export async function resumePlug(
  operating: Operating,
  taken: TakenInterfaces,
  place: GuestPlace,
  options: OperationOptions,
  plug: () => Promise<unknown>,
  back: () => Promise<void>,
): Promise<ResumedState> {
  try {
    await plug();
    return 'finished';
  } catch (error) {
    if (!saysGuestGone(error)) throw error;
    await unplugTaken(operating, taken, place, options);
    await back();
    return 'undone';
  }
}

/** Takes it out again, also of a guest that has ended. @throws {VdpaError} those of `VdpaHost.detach` */
async function unplugTaken(
  operating: Operating,
  taken: TakenInterfaces,
  place: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  await unplugAll(operating, takenInterfaces(operating, taken), place, options);
}

function takenInterfaces(
  operating: Operating,
  { claim, interfaces }: TakenInterfaces,
): PluggedInterface[] {
  return interfacesOf(takenClaim(operating, claim), interfaces);
}

/** What is to be written to the bindings of the claim's ports to this host. */
export function preparedPorts(
  { host, hostName }: Operating,
  claim: Claim,
  active: PreparedPort['active'],
): PreparedPort[] {
  const ports = new Map(claim.requests.map(({ requestId, portId }) => [requestId, portId]));
  return claim.devices.flatMap(({ deviceId, requestId }) => {
    const port = ports.get(requestId) ?? null;
    return port === null
      ? []
      : [{ port, host: hostName, profile: host.bindingProfile(deviceId), active }];
  });
}

function interfacesByDefault({ host: { tracker } }: Operating, claim: Claim): OfferedInterface[] {
  const plugged = new Set(claimedInterfaces(tracker, claim).map(({ deviceId }) => deviceId));
  const seen = new Map<string, number>();
  return claim.devices.flatMap(({ deviceId, requestId }) => {
    const index = seen.get(requestId) ?? 0;
    seen.set(requestId, index + 1);
    return plugged.has(deviceId) ? [{ requestId, index, ...defaultSettings }] : [];
  });
}
