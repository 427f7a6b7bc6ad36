import type { Netdev, PciFunction, VdpaDevice } from '../../index.js';

/** `1 device`, `2 devices`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** `3 devices, 2 usable, 1 not usable`. */
export function summaryLine(devices: readonly VdpaDevice[]): string {
  const usable = devices.filter((device) => device.usable).length;
  return `${counted(devices.length, 'device')}, ${usable} usable, ${devices.length - usable} not usable`;
}

export function netdevNames(netdevs: readonly Netdev[]): string {
  return netdevs.map(({ name }) => name).join(' ');
}

export function driverWords({ driver }: Pick<PciFunction, 'driver'>): string {
  return driver === null ? 'no driver' : `driver ${driver}`;
}

/** What the device stands on, short enough for a table. */
export function parentWords({ parent, managementDevice }: VdpaDevice): string {
  const { kind, pciAddress, pfAddress, vfIndex, sfNumber } = parent;
  switch (kind) {
    case 'vf':
      return `${pciAddress} (vf ${vfIndex ?? '?'} of ${pfAddress})`;
    case 'sf':
      return `${pfAddress ?? pciAddress ?? 'unknown PF'} (sf ${sfNumber ?? '?'})`;
    case 'pf':
      return `${pciAddress} (pf)`;
    case 'pci':
      return `${pciAddress}`;
    case 'simulator':
      return `simulator ${managementDevice ?? ''}`.trimEnd();
    case 'vduse':
      return 'vduse';
    default:
      return managementDevice ?? (parent.path === '' ? 'unknown' : parent.path);
  }
}
