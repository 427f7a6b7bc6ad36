import type { DeviceId } from '../host/device-id.js';
import type { Claim, ClaimId, InstanceId } from './claim.js';
import type { DeviceRecord } from './device-record.js';
import type { Operation } from './operation.js';
import type { StoreChange, Versioned, Write } from './store.js';

/** One document before and after a decision. */
export interface Replacement<Id, T> {
  readonly id: Id;
  /** Null: there was none. */
  readonly before: Versioned<T> | null;
  /** Null: there is none any more. */
  readonly after: Versioned<T> | null;
}

/** All that one call changes: applied, stored and undone as a whole. */
export interface Decision {
  readonly devices: readonly Replacement<DeviceId, DeviceRecord>[];
  readonly claims: readonly Replacement<ClaimId, Claim>[];
  /** Default: none. */
  readonly operations?: readonly Replacement<InstanceId, Operation>[];
}

export function isEmpty({ devices, claims, operations = [] }: Decision): boolean {
  return devices.length === 0 && claims.length === 0 && operations.length === 0;
}

/** The decision as the store is told it. */
export function storeChange({ devices, claims, operations = [] }: Decision): StoreChange {
  return {
    devices: devices.map(write),
    claims: claims.map(write),
    operations: operations.map(write),
  };
}

function write<Id, T>({ id, before, after }: Replacement<Id, T>): Write<Id, T> {
  return { id, from: before?.version ?? null, to: after?.value ?? null };
}
