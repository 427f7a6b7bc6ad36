import type { DeviceId } from '../host/device-id.js';
import type { NumaPolicy } from './numa-policy.js';

declare const brand: unique symbol;

/** Names one request of a claim. */
export type RequestId = string & { readonly [brand]: 'RequestId' };
/** A neutron port's UUID. */
export type PortId = string & { readonly [brand]: 'PortId' };

/**
 * What a device's pool must have, by the pool's keys: `dev_type`, `vendor_id`, `product_id`,
 * `physical_network`, and any tag of a device_spec. Values are compared as text, without case; null
 * matches pools that have no such key. `resource_class`, `traits` and `rp_uuids` are not compared.
 */
export type RequestSpec = Readonly<Record<string, string | null>>;

/** A number of devices of one kind that an instance needs. */
export interface DeviceRequest {
  readonly requestId: RequestId;
  readonly count: number;
  /** Alternatives: a device of any of them will do. */
  readonly spec: readonly RequestSpec[];
  /** Null: `legacy`. */
  readonly numaPolicy: NumaPolicy | null;
  /** Name of the PCI alias that was asked by; null for a neutron port. */
  readonly alias: string | null;
  /** The neutron port that needs it. */
  readonly portId: PortId | null;
  /** The port's MAC, lower case; the device gets it when it is attached. */
  readonly mac?: string | undefined;
  /** The very devices to take, chosen by a scheduler or an operator; as many as `count`. */
  readonly deviceIds?: readonly DeviceId[] | undefined;
}
