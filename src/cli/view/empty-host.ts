import type { Inventory } from '../../index.js';
import { counted } from './words.js';

/** Said in place of devices when there are none: the next step from where this host stands. */
export function emptyHostLines({ abi, managementDevices, pfs }: Inventory): string[] {
  if (abi === null) {
    return [
      'No vDPA devices: the kernel has no vdpa netlink family here.',
      "Load it (modprobe -a vdpa vhost_vdpa), then see 'vdpa-host doctor'.",
    ];
  }
  const [first] = managementDevices;
  if (first !== undefined) {
    return [
      `No vDPA devices, but ${counted(managementDevices.length, 'management device')} can make one:`,
      `vdpa dev add name NAME mgmtdev ${first.handle}`,
    ];
  }
  const withoutVfs = pfs.find(({ numVfs, totalVfs }) => numVfs === 0 && totalVfs > 0);
  return withoutVfs === undefined
    ? [
        'No vDPA devices, and no management device that could make one.',
        "Load the vDPA driver of your NIC (for mlx5: modprobe mlx5_vdpa), then see 'vdpa-host doctor'.",
      ]
    : [
        `No vDPA devices, and PF ${withoutVfs.address} has no VFs yet. Make some:`,
        `echo N > /sys/bus/pci/devices/${withoutVfs.address}/sriov_numvfs (at most ${withoutVfs.totalVfs})`,
      ];
}

/** Said below any view of a host that did not keep still. */
export const inconsistentLine =
  'The host kept changing while it was read: what came or went meanwhile may be missing.';
