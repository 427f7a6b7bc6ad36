import { restated, VdpaError } from '../../errors.js';
import { interfaceName } from '../../guest/interface-name.js';
import type { DeviceId } from '../../host/device-id.js';
import type { Claim, ClaimId, InstanceId, InterfaceSettings } from '../../tracker/claim.js';
import { name, shape } from '../../tracker/form.js';
import { interfaceSettings } from '../../tracker/store-form.js';
import type { Tracker } from '../../tracker/tracker.js';
import { claimedInterfaces } from '../claimed-interface.js';
import type { GuestPlace } from '../guest-place.js';
import type { Operating, OperationOptions } from './operating.js';

/** An interface that a guest has, as it is to come back. */
export interface PluggedInterface extends InterfaceSettings {
  readonly claim: ClaimId;
  readonly device: DeviceId;
}

export const pluggedInterface = shape<PluggedInterface>({
  claim: name,
  device: name,
  ...interfaceSettings,
});

/** Of an interface that has been in no guest. */
export const defaultSettings: InterfaceSettings = { queuePairs: 1, mtu: null };

/** All that an instance has been given for its guest, in the order of its claims, as it was plugged last. */
function ownInterfaces(tracker: Tracker, instance: InstanceId): PluggedInterface[] {
  const own = tracker
    .claims(instance)
    .filter(({ migration, status }) => migration === null && status === 'allocated');
  return own.flatMap((claim) => {
    const settings = new Map(claim.devices.map((one) => [one.deviceId, one.settings]));
    return claimedInterfaces(tracker, claim).map(({ deviceId: device }) => ({
      claim: claim.id,
      device,
      ...(settings.get(device) ?? defaultSettings),
    }));
  });
}

/**
 * What a guest has of an instance's own claims, in their order, also in part.
 *
 * @throws {VdpaError} those of `GuestDriver.interfaces`
 */
export async function pluggedInterfaces(
  tracker: Tracker,
  instance: InstanceId,
  place: GuestPlace,
  signal: AbortSignal | undefined,
): Promise<PluggedInterface[]> {
  const found = await interfacesFound(tracker, instance, place, signal);
  return found.map(({ plugged }) => plugged);
}

/** As `pluggedInterfaces`, without what is there only in part. */
export async function wholeInterfaces(
  tracker: Tracker,
  instance: InstanceId,
  place: GuestPlace,
  signal: AbortSignal | undefined,
): Promise<PluggedInterface[]> {
  const found = await interfacesFound(tracker, instance, place, signal);
  return found.flatMap(({ plugged, isWhole }) => (isWhole ? [plugged] : []));
}

interface FoundInterface {
  readonly plugged: PluggedInterface;
  readonly isWhole: boolean;
}

async function interfacesFound(
  tracker: Tracker,
  instance: InstanceId,
  { driver, guest }: GuestPlace,
  signal: AbortSignal | undefined,
): Promise<FoundInterface[]> {
  const all = await driver.interfaces(guest, { signal });
  const there = new Map(all.map((one) => [one.name, one]));
  return ownInterfaces(tracker, instance).flatMap((own): FoundInterface[] => {
    const found = there.get(interfaceName(own.claim, own.device));
    if (found === undefined) return [];
    // Of one that is there in part it is not known what the guest was told.
    if (found.state !== 'attached') return [{ plugged: own, isWhole: false }];
    const { queuePairs, mtu } = found;
    const plugged = { ...own, queuePairs: queuePairs ?? own.queuePairs, mtu };
    return [{ plugged, isWhole: true }];
  });
}

/** All that an instance has been given for its guest; what is there already as it is there. */
export function ownInterfacesAs(
  tracker: Tracker,
  instance: InstanceId,
  there: readonly PluggedInterface[],
): PluggedInterface[] {
  const known = new Map(there.map((one) => [one.device, one]));
  return ownInterfaces(tracker, instance).map((one) => known.get(one.device) ?? one);
}

/**
 * What the guest of an instance that has come here has.
 *
 * @throws {VdpaError} `CLAIM_NOT_FOUND` when the instance has nothing here, those of
 *   `GuestDriver.interfaces`
 */
export async function pluggedHere(
  { host: { tracker } }: Operating,
  instance: InstanceId,
  place: GuestPlace,
  signal: AbortSignal | undefined,
): Promise<PluggedInterface[]> {
  if (tracker.claims(instance).some(({ migration }) => migration === null)) {
    return await pluggedInterfaces(tracker, instance, place, signal);
  }
  throw new VdpaError('CLAIM_NOT_FOUND', `nothing was prepared here for instance ${instance}`, {
    retry: 'never',
  });
}

/**
 * Takes interfaces out of a guest, newest first; their devices stay claimed. What is not there is done,
 * and what has been given back meanwhile is nobody's to take.
 *
 * @throws {VdpaError} those of `VdpaHost.detach`; those before it are out
 */
export async function unplugAll(
  { host, network }: Operating,
  interfaces: readonly PluggedInterface[],
  place: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = host;
  const own = interfaces.filter(({ claim, device }) => tracker.record(device)?.claimId === claim);
  // Of a claim all together: until the network has let go of the last, the claim says where it is.
  for (const id of [...new Set(own.map(({ claim }) => claim))].toReversed()) {
    const devices = own.filter(({ claim }) => claim === id).map(({ device }) => device);
    await host.detach({ claim: id, devices }, place, {
      ...forEach(options, devices.length),
      network,
      operation: operationOf(tracker, id),
      release: false,
    });
  }
}

/** With the time of so many devices together. */
function forEach(options: OperationOptions, count: number): OperationOptions {
  const { timeoutMs } = options;
  return timeoutMs === undefined ? options : { ...options, timeoutMs: timeoutMs * count };
}

/** What is being done with the claim's instance: all that is done here is a part of it. */
function operationOf(tracker: Tracker, claim: ClaimId): string | undefined {
  const instance = tracker.claimOf(claim)?.instance;
  return instance && tracker.operationOf(instance)?.kind;
}

/**
 * Gives a claim back, once all that a guest may have of it is out of that, wherever that is.
 *
 * @throws {VdpaError} `GUEST_NOT_FOUND` when nobody knows the guest, those of `VdpaHost.detach` and
 *   `Tracker.release`
 */
export async function releaseClaim(
  operating: Operating,
  claim: Claim,
  options: OperationOptions,
): Promise<void> {
  await unplugClaim(operating, claim, options);
  const { tracker } = operating.host;
  const operation = operationOf(tracker, claim.id);
  await tracker.release({ claim: claim.id, fence: claim.fence, operation });
}

/**
 * Takes all of a claim out of whatever guest may have it; success at once where that has ended.
 *
 * @throws {VdpaError} `GUEST_NOT_FOUND` when nobody knows the guest, those of `VdpaHost.detach`
 */
async function unplugClaim(
  { host, network, place }: Operating,
  claim: Claim,
  options: OperationOptions,
): Promise<void> {
  const { id, fence, guest } = claim;
  if (guest === null) return;
  const where = place(guest);
  if (where === null) {
    throw new VdpaError(
      'GUEST_NOT_FOUND',
      `nobody knows guest ${guest}, which may have devices of claim ${id}: detach them, or release the claim by force when it has ended`,
      { retry: 'after-fix' },
    );
  }
  const { length } = claimedInterfaces(host.tracker, claim);
  if (length === 0) {
    await host.tracker.setGuest({ claim: id, fence }, null);
    return;
  }
  await host.detach({ claim: id }, where, {
    ...forEach(options, length),
    network,
    operation: operationOf(host.tracker, id),
    release: false,
  });
}

/**
 * Before a guest is given what it had: claims that say of another guest that it may have their devices,
 * such as the same one under another reference, are taken out of that.
 */
export async function unplugElsewhere(
  operating: Operating,
  interfaces: readonly PluggedInterface[],
  { reference }: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  for (const id of new Set(interfaces.map(({ claim }) => claim))) {
    const claim = tracker.claimOf(id);
    if (claim === null || claim.guest === reference) continue;
    await unplugClaim(operating, claim, options);
  }
}

/**
 * Gives a guest interfaces, all or none; their char devices are looked for anew. What is there is kept, and
 * what has been given back meanwhile is nobody's to plug.
 *
 * @returns those that it has now
 * @throws {VdpaError} those of `VdpaHost.attach`, with what is left
 */
export async function plugAll(
  operating: Operating,
  interfaces: readonly PluggedInterface[],
  place: GuestPlace,
  options: OperationOptions,
): Promise<PluggedInterface[]> {
  const { host, network } = operating;
  const { tracker } = host;
  const there = await place.driver.interfaces(place.guest, { signal: options.signal });
  const names = new Set(there.filter(({ state }) => state === 'attached').map((one) => one.name));
  const own = interfaces.filter(({ claim, device }) => tracker.record(device)?.claimId === claim);
  const begun: PluggedInterface[] = [];
  for (const one of own) {
    const { claim, device, queuePairs, mtu } = one;
    const selection = { claim, devices: [device] };
    try {
      const { interfaces: made } = await host.attach(selection, place, {
        ...options,
        network,
        operation: operationOf(tracker, claim),
        queuePairs,
        mtu,
      });
      // What it had before is not this call's to take out.
      if (made.some((each) => !names.has(each.name))) begun.push(one);
    } catch (error) {
      throw await takenBack(operating, begun, place, error);
    }
  }
  return own;
}

/** @returns what is to be thrown */
async function takenBack(
  operating: Operating,
  begun: readonly PluggedInterface[],
  place: GuestPlace,
  error: unknown,
): Promise<unknown> {
  try {
    await unplugAll(operating, begun, place, {});
    return error;
  } catch (failure) {
    return notUndone(error, failure);
  }
}

/** An error after which it could not be set right either. */
export function notUndone(error: unknown, failure: unknown): unknown {
  const told = [error, failure].find((each) => each instanceof VdpaError);
  if (told === undefined) return error;
  const words = (each: unknown): string => (each instanceof Error ? each.message : String(each));
  const leftovers = [error, failure].flatMap((each) =>
    each instanceof VdpaError ? each.leftovers : [],
  );
  const message = `${words(error)}; then it could not be undone: ${words(failure)}`;
  return restated(told, message, { outcome: 'partial', leftovers, cause: error });
}
