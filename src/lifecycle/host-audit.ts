import { stat } from 'node:fs/promises';
import type { DeviceId } from '../host/device-id.js';
import type { Inventory } from '../host/inventory.js';
import { nodeHolders } from '../host/node-holders.js';
import type { TrackerFinding } from '../tracker/audit.js';
import type { DeviceRecord } from '../tracker/device-record.js';
import { isHeld } from '../tracker/transitions.js';

/** What an audit of a host finds beside what one of its tracker does. */
export type HostFindingCode =
  /** A process has the char device open, and nobody has claimed the device. */
  'device-used-unclaimed';

/** What does not fit together on a host. */
export type HostFinding = Omit<TrackerFinding, 'code'> & {
  readonly code: TrackerFinding['code'] | HostFindingCode;
};

/**
 * Char devices that somebody has open although the device is nobody's: such as those of a guest that
 * was started by hand. As far as /proc shows: root sees every process.
 */
export async function unclaimedUses(
  { devices }: Inventory,
  record: (id: DeviceId) => DeviceRecord | null,
): Promise<HostFinding[]> {
  const numbers = new Map<number, { readonly id: DeviceId; readonly path: string }>();
  for (const { id, charDevice } of devices) {
    const known = record(id);
    if (charDevice === null || !charDevice.nodeExists || (known !== null && isHeld(known)))
      continue;
    // The node's own number, as /proc will show it; opening it would reset the device.
    const node = await stat(charDevice.path).catch(() => null);
    if (node !== null) numbers.set(node.rdev, { id, path: charDevice.path });
  }
  const holders = await nodeHolders(new Set(numbers.keys()));
  return [...numbers].flatMap(([number, { id, path }]) => {
    const holder = holders.get(number);
    if (holder === undefined) return [];
    return {
      code: 'device-used-unclaimed' as const,
      message: `${path} of ${id} is open in ${holder}, and nobody has claimed it`,
      deviceId: id,
      claimId: null,
      healable: false,
    };
  });
}
