import type { DeviceId } from '../host/device-id.js';
import type { ClaimId, InstanceId } from './claim.js';
import type { StoreChange, Write } from './store.js';

/** A write as it is stored: the document is its JSON text, or null when it goes. */
export interface EncodedWrite {
  readonly id: string;
  readonly from: number | null;
  readonly body: string | null;
}

export interface EncodedClaimWrite extends EncodedWrite {
  readonly fence: number;
  /** Whom the claim holds from now on. */
  readonly devices: readonly string[];
}

/** A change in the form in which it crosses to another thread: few objects, and text. */
export interface EncodedChange {
  readonly devices: readonly EncodedWrite[];
  readonly claims: readonly EncodedClaimWrite[];
  readonly operations: readonly EncodedWrite[];
}

export function encodeChange({ devices, claims, operations = [] }: StoreChange): EncodedChange {
  return {
    devices: devices.map(encodeWrite),
    claims: claims.map(({ id, from, to }) => ({
      id,
      from,
      body: to && JSON.stringify(to),
      fence: to?.fence ?? 0,
      devices: to?.devices.map(({ deviceId }) => deviceId) ?? [],
    })),
    operations: operations.map(encodeWrite),
  };
}

function encodeWrite({ id, from, to }: Write<string, unknown>): EncodedWrite {
  return { id, from, body: to === null ? null : JSON.stringify(to) };
}

/**
 * What a change is asked of: the stored documents as they are before it.
 */
export interface StoredVersions {
  /** Null when there is no such document. */
  device(id: string): number | null;
  claim(id: string): number | null;
  operation(instance: string): number | null;
  /** The claim that holds a device. */
  holder(deviceId: string): string | null;
}

/**
 * The first document for which a change cannot be made: it has another version than the change
 * builds on, or a claim is to hold a device that another one holds.
 */
export function conflictOf(
  { devices, claims, operations }: EncodedChange,
  stored: StoredVersions,
): DeviceId | ClaimId | InstanceId | null {
  const stale =
    devices.find(({ id, from }) => stored.device(id) !== from) ??
    claims.find(({ id, from }) => stored.claim(id) !== from) ??
    operations.find(({ id, from }) => stored.operation(id) !== from);
  if (stale !== undefined) return stale.id as DeviceId | ClaimId | InstanceId;
  const written = new Set(claims.map(({ id }) => id));
  const held = new Set<string>();
  for (const claim of claims) {
    for (const device of claim.devices) {
      const holder = stored.holder(device);
      const stays = holder !== null && !written.has(holder);
      if (stays || held.has(device)) return device as DeviceId;
      held.add(device);
    }
  }
  return null;
}

/** @throws {TypeError} when a change writes one document twice: which of the two is meant? */
export function assertOneWriteEach(change: StoreChange): void {
  for (const writes of [change.devices, change.claims, change.operations ?? []]) {
    if (writes.length > 1 && new Set(writes.map(({ id }) => id)).size < writes.length) {
      throw new TypeError('one change writes the same document twice');
    }
  }
}
