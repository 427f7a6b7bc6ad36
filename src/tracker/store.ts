import type { DeviceId } from '../host/device-id.js';
import type { Claim, ClaimId, InstanceId } from './claim.js';
import type { DeviceRecord } from './device-record.js';
import type { Operation } from './operation.js';

/** A document with its place in its own history: 1 when it was first written. */
export interface Versioned<T> {
  readonly version: number;
  readonly value: T;
}

/** Everything that a store holds. */
export interface StoreState {
  readonly devices: readonly Versioned<DeviceRecord>[];
  readonly claims: readonly Versioned<Claim>[];
  readonly operations: readonly Versioned<Operation>[];
  /** The highest fence that was ever given, that of claims which are gone included. */
  readonly fence: number;
}

/** One document's change. It is in conflict unless the stored document has the version `from`. */
export interface Write<Id, T> {
  readonly id: Id;
  /** Null: there must be none. */
  readonly from: number | null;
  /** Null: removes it. Otherwise stored as version `from + 1`, or 1. */
  readonly to: T | null;
}

/** One decision: all of it is made durable, or none. */
export interface StoreChange {
  readonly devices: readonly Write<DeviceId, DeviceRecord>[];
  readonly claims: readonly Write<ClaimId, Claim>[];
  /** By instance. Default: none. */
  readonly operations?: readonly Write<InstanceId, Operation>[];
}

export type ChangeResult =
  /** Durable: neither a killed process nor a power cut takes it back. */
  | { readonly committed: true; readonly revision: number }
  /**
   * Nothing of it was stored: this document has another version than the change builds on, or this
   * device belongs to a claim that the change does not write.
   */
  | { readonly committed: false; readonly conflict: DeviceId | ClaimId | InstanceId };

/** What a store opens with. */
export interface OpenedStore {
  /** Made with the store: another epoch is another store. */
  readonly epoch: string;
  /** How many changes have been committed. */
  readonly revision: number;
  readonly state: StoreState;
}

/** What was written since a revision; documents that are gone by their ids. */
export interface ChangesSince {
  readonly revision: number;
  readonly state: StoreState;
  readonly removedDevices: readonly DeviceId[];
  readonly removedClaims: readonly ClaimId[];
  readonly removedOperations: readonly InstanceId[];
}

/** Where records and claims outlive the process. One tracker writes to it at a time. */
export interface Store {
  open(): Promise<OpenedStore>;
  /**
   * Makes the changes durable, in order, in one commit: each that is in no conflict, with what those
   * before it made of the documents. Calls are answered in their order, and one that fails does not
   * fail those behind it. Rejects when the commit failed as a whole: with `STORE_FULL` or `STORE_BUSY`
   * nothing was stored; with any other error (`outcome` is `unknown`) that cannot be known, and every
   * further call fails until the store is closed and opened again.
   *
   * @throws {TypeError} when one change writes a document twice
   */
  commit(changes: readonly StoreChange[]): Promise<readonly ChangeResult[]>;
  /** Null when the store no longer knows what was removed since: read everything. */
  changes(fromRevision: number): Promise<ChangesSince | null>;
  close(): Promise<void>;
}
