import type { DeviceId } from '../host/device-id.js';
import type { DeviceRequest, RequestId } from '../policy/device-request.js';

declare const brand: unique symbol;

export type ClaimId = string & { readonly [brand]: 'ClaimId' };
/** An instance's UUID. */
export type InstanceId = string & { readonly [brand]: 'InstanceId' };
/** A migration's UUID. */
export type MigrationId = string & { readonly [brand]: 'MigrationId' };

/** What a guest is told of an interface. */
export interface InterfaceSettings {
  /** Data queue pairs. */
  readonly queuePairs: number;
  /** In bytes; null: nothing. */
  readonly mtu: number | null;
}

/** One device of a claim, and the request it was taken for. */
export interface ClaimedDevice {
  readonly deviceId: DeviceId;
  readonly requestId: RequestId;
  /** With which it was last to go into a guest; missing: it has not been. */
  readonly settings?: InterfaceSettings;
}

/** Devices that were taken for an instance, all together. A claim is never changed: another takes its place. */
export interface Claim {
  readonly id: ClaimId;
  /** Greater than that of every claim before it in this store: who holds an older one is late. */
  readonly fence: number;
  readonly instance: InstanceId;
  /** The migration that it was made for; null when it is the instance's own. */
  readonly migration: MigrationId | null;
  readonly status: 'claimed' | 'allocated';
  /** What was asked for: asking again under the same id must ask for the same. */
  readonly requests: readonly DeviceRequest[];
  /** The guest's NUMA nodes; null or empty when it has no topology. */
  readonly numaCells: readonly number[] | null;
  /** The guest that has its devices, or may have some of them, by its driver's reference; null: none. */
  readonly guest: string | null;
  /** In order of requests; fewer than were asked for once some have been released. */
  readonly devices: readonly ClaimedDevice[];
}
