import { isDeepStrictEqual } from 'node:util';
import { eachInTurns, indexed, type Pausing } from '../turns.js';
import type { HostEvent } from './host-event.js';
import type { Inventory } from './inventory.js';
import type { VdpaDevice } from './vdpa-device.js';

/** One thing in two states; null where it is not. */
export interface Change<T> {
  readonly before: T | null;
  readonly after: T | null;
}

/**
 * What differs between two states of a list.
 *
 * @param keyOf what makes a thing the same thing
 * @param isNew whether a thing that is in both went away in between all the same
 */
export function* changesOf<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (thing: T) => string,
  isNew: (thing: T) => boolean = () => false,
): Pausing<Change<T>[]> {
  const left = yield* indexed(before, keyOf);
  const changes: Change<T>[] = [];
  yield* eachInTurns(after, (thing) => {
    const key = keyOf(thing);
    const old = left.get(key) ?? null;
    left.delete(key);
    if (old !== null && isNew(thing)) {
      changes.push({ before: old, after: null }, { before: null, after: thing });
    } else if (old === null || !isDeepStrictEqual(old, thing)) {
      changes.push({ before: old, after: thing });
    }
  });
  for (const gone of left.values()) changes.push({ before: gone, after: null });
  return changes;
}

/** Whether a guest could be given the device as far as the host's software goes. */
export function isReady(device: VdpaDevice): boolean {
  return (
    device.driver === 'vhost_vdpa' &&
    device.managementDevice !== null &&
    device.charDevice?.nodeExists === true
  );
}

/** A device's change as events: it is unready before it goes, and ready after it came. */
export function deviceEvents({ before, after }: Change<VdpaDevice>): HostEvent[] {
  const wasReady = before !== null && isReady(before);
  const events: HostEvent[] = [];
  if (after === null) {
    if (before === null) return [];
    if (wasReady) events.push({ type: 'unready', device: before });
    events.push({ type: 'removed', device: before });
    return events;
  }
  if (before === null) events.push({ type: 'added', device: after });
  else events.push({ type: 'changed', device: after, before, changes: differing(before, after) });
  if (isReady(after) !== wasReady) {
    events.push({ type: wasReady ? 'unready' : 'ready', device: after });
  }
  return events;
}

/**
 * All that differs between two inventories, in an order in which each event finds what it builds on:
 * devices go before their VF does, and come after it.
 *
 * @param recreated names of devices that went away in between, although there is one now
 */
export function* inventoryEvents(
  before: Inventory,
  after: Inventory,
  recreated: ReadonlySet<string>,
): Pausing<HostEvent[]> {
  const events: HostEvent[] = [];
  const devices = yield* changesOf(
    before.devices,
    after.devices,
    ({ name }) => name,
    ({ name }) => recreated.has(name),
  );
  for (const change of devices) if (change.after === null) events.push(...deviceEvents(change));

  const address = (thing: { readonly address: string }): string => thing.address;
  const managementDevices = yield* changesOf(
    before.managementDevices,
    after.managementDevices,
    ({ handle }) => handle,
  );
  for (const { before: old, after: now } of managementDevices) {
    if (now === null) events.push({ type: 'managementDevice', managementDevice: now, before: old });
  }
  const vfs = yield* changesOf(before.vfs, after.vfs, address);
  for (const { before: old, after: now } of vfs) {
    if (now === null && old !== null) events.push({ type: 'vfRemoved', vf: old });
  }
  for (const { before: old, after: now } of yield* changesOf(before.pfs, after.pfs, address)) {
    if (now === null) {
      if (old !== null) events.push({ type: 'pfRemoved', pf: old });
    } else if (old === null) {
      events.push({ type: 'pfAdded', pf: now });
    } else {
      events.push({ type: 'pfChanged', pf: now, before: old, changes: differing(old, now) });
    }
  }
  for (const { before: old, after: now } of vfs) {
    if (now === null) continue;
    if (old === null) events.push({ type: 'vfAdded', vf: now });
    else events.push({ type: 'vfChanged', vf: now, before: old, changes: differing(old, now) });
  }
  for (const { before: old, after: now } of yield* changesOf(
    before.others,
    after.others,
    address,
  )) {
    events.push({ type: 'otherFunction', function: now, before: old });
  }
  for (const { before: old, after: now } of managementDevices) {
    if (now !== null) events.push({ type: 'managementDevice', managementDevice: now, before: old });
  }
  for (const change of devices) if (change.after !== null) events.push(...deviceEvents(change));
  return events;
}

function differing<T extends object>(before: T, after: T): (keyof T & string)[] {
  const names = Object.keys(after) as (keyof T & string)[];
  return names.filter((name) => !isDeepStrictEqual(before[name], after[name]));
}
