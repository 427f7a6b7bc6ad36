import type { DeviceId, VdpaName } from './device-id.js';
import type { VdpaDevice } from './vdpa-device.js';

/** Of the driver: `none` when unbound, `failed` when vhost_vdpa has made no char device. */
export type DriverHealth = 'ok' | 'none' | 'failed';

/** Of the node below /dev: `mismatch` when what lies there is another device, or none. */
export type NodeHealth = 'ok' | 'missing' | 'mismatch';

/** Of the link, as the device tells its guest; `no-answer` when it did not tell in time. */
export type LinkHealth = 'up' | 'down' | 'no-answer';

/** How one device fares in the three places in which it can fail. */
export interface DeviceHealth {
  readonly id: DeviceId;
  readonly name: VdpaName;
  readonly driver: DriverHealth;
  /** Null while the driver offers none: the host's own driver, or none at all. */
  readonly node: NodeHealth | null;
  /** Null for what has no link, or does not tell: no network device, an unmanaged one. */
  readonly link: LinkHealth | null;
  /** Driver and node are ok as far as there are any, and the link is not known to be down. */
  readonly healthy: boolean;
}

export function deviceHealth(device: VdpaDevice, link: LinkHealth | null): DeviceHealth {
  const driver = driverHealth(device);
  const node = nodeHealth(device);
  return {
    id: device.id,
    name: device.name,
    driver,
    node,
    link,
    healthy: driver === 'ok' && (node === null || node === 'ok') && link !== 'down',
  };
}

export function sameHealth(a: DeviceHealth, b: DeviceHealth): boolean {
  return a.id === b.id && a.driver === b.driver && a.node === b.node && a.link === b.link;
}

function driverHealth({ driver, charDevice }: VdpaDevice): DriverHealth {
  if (driver === null) return 'none';
  return driver === 'vhost_vdpa' && charDevice === null ? 'failed' : 'ok';
}

function nodeHealth({ charDevice, reasons }: VdpaDevice): NodeHealth | null {
  if (charDevice === null) return null;
  if (charDevice.nodeExists) return 'ok';
  return reasons.includes('node-mismatch') ? 'mismatch' : 'missing';
}
