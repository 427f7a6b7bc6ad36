import type { DeviceId } from '../host/device-id.js';
import type { PoolKeys } from '../policy/pool-keys.js';
import type { Ledger } from './ledger.js';

/** Devices that are alike and to be had, in the order in which they would be taken. */
export interface PoolSummary {
  readonly keys: PoolKeys;
  readonly devices: readonly DeviceId[];
}

/** In the order in which the pools are used. */
export function poolSummaries({ pools }: Ledger): PoolSummary[] {
  return pools.map(({ keys, devices }) => ({
    keys,
    devices: devices.map(({ device }) => device.id),
  }));
}
