import type { DeviceSpecEntry } from './device-spec-entry.js';
import type { ReportedDevice } from './reported-device.js';

/**
 * What a pool's devices have in common, and requests are compared with: `product_id`, `vendor_id`,
 * `numa_node`, `dev_type`, the tags of the device_spec entry, `address` of the PF (or its own, of a
 * device without PF; null without either), `parent_ifname` where known, `remote_managed`. Has no
 * prototype: a tag may have any name.
 */
export type PoolKeys = Readonly<Record<string, string | number | null>>;

/** Placement's business: they do not tell pools apart. */
const ignoredTags = new Set(['resource_class', 'traits']);

export function poolKeys(device: ReportedDevice, { tags }: DeviceSpecEntry): PoolKeys {
  const keys: Record<string, string | number | null> = Object.create(null);
  keys['product_id'] = device.productId;
  keys['vendor_id'] = device.vendorId;
  keys['numa_node'] = device.numaNode;
  keys['dev_type'] = device.type;
  for (const tag in tags) if (!ignoredTags.has(tag)) keys[tag] = tags[tag] ?? null;
  keys['address'] = device.parentAddress ?? device.address;
  const ifname = device.extra['parent_ifname'];
  if (ifname) keys['parent_ifname'] = ifname;
  if (device.type !== 'type-PCI' && !('remote_managed' in keys)) keys['remote_managed'] = 'false';
  return keys;
}

/** What tells the pool of one device of an entry from that of another, in one text. */
export function poolName(device: ReportedDevice, { index }: DeviceSpecEntry): string {
  const { productId, vendorId, numaNode, type, parentAddress, address, extra } = device;
  const place = parentAddress ?? address;
  return `${index} ${productId} ${vendorId} ${numaNode} ${type} ${place} ${extra['parent_ifname']}`;
}

/** Whether two devices of the same entry have the same `poolName`. */
export function ofOnePool(one: ReportedDevice, other: ReportedDevice): boolean {
  return (
    (one.parentAddress ?? one.address) === (other.parentAddress ?? other.address) &&
    one.type === other.type &&
    one.numaNode === other.numaNode &&
    one.productId === other.productId &&
    one.vendorId === other.vendorId &&
    one.extra['parent_ifname'] === other.extra['parent_ifname']
  );
}
