import type { NativeHost } from '../native.js';
import { type Finding, named, ok, warning } from './finding.js';
import type { Inventory } from './inventory.js';
import type { PhysicalFunction, VirtualFunction } from './pci-function.js';

/** The PFs and VFs that vDPA devices stand on, or should. */
export function pciFindings(
  { pfs, vfs, devices }: Inventory,
  native: NativeHost,
): readonly Finding[] {
  const carrying = new Set<string | null>();
  const network = new Set<string | null>();
  for (const { parent, class: deviceClass } of devices) {
    if (parent.kind !== 'vf') continue;
    carrying.add(parent.pciAddress);
    if (deviceClass === 'net') network.add(parent.pciAddress);
  }
  return [
    iommu(vfs.filter(({ address }) => carrying.has(address))),
    vfAutoprobe(vfs, native),
    switchdevOrder(pfs, vfs, network),
  ];
}

function iommu(carriers: readonly VirtualFunction[]): Finding {
  const without = carriers.filter(({ iommuGroup }) => iommuGroup === null);
  if (carriers.length === 0) return ok('iommu', 'no VF carries a vDPA device');
  if (without.length === 0) {
    return ok('iommu', 'every VF with a vDPA device is in an IOMMU group');
  }
  return warning(
    'iommu',
    without.length === carriers.length
      ? 'no VF with a vDPA device is in an IOMMU group: the kernel has no IOMMU switched on'
      : `of the VFs with a vDPA device, ${named(without.map(({ address }) => address))} in no IOMMU group`,
    'switch the IOMMU on in the firmware and on the kernel command line (intel_iommu=on; AMD needs ' +
      'no option); only parents that translate by themselves, such as mlx5, do without',
  );
}

/** Reads one file of each PF that has VFs without a driver. */
function vfAutoprobe(vfs: readonly VirtualFunction[], native: NativeHost): Finding {
  const idle = new Map<string, number>();
  for (const { pfAddress, driver } of vfs) {
    if (driver === null) idle.set(pfAddress, (idle.get(pfAddress) ?? 0) + 1);
  }
  const off = [...idle.keys()].filter(
    (pf) => native.readText(`sys/bus/pci/devices/${pf}/sriov_drivers_autoprobe`) === '0',
  );
  const [first] = off;
  if (first === undefined) return ok('vf-autoprobe', 'no PF keeps its VFs from their driver');
  const count = off.reduce((sum, pf) => sum + (idle.get(pf) ?? 0), 0);
  return warning(
    'vf-autoprobe',
    `${count === 1 ? 'a VF has' : `${count} VFs have`} no driver, as sriov_drivers_autoprobe of ` +
      `${named(off)} is 0: a VF without a driver is no management device`,
    `echo 1 > /sys/bus/pci/devices/${first}/sriov_drivers_autoprobe before VFs are made; for those ` +
      'that are there, echo the address of each > /sys/bus/pci/drivers_probe after it',
  );
}

/**
 * PFs whose VFs have network devices outside of a switch. A PF whose interfaces are not seen here
 * may be in any mode.
 */
function switchdevOrder(
  pfs: readonly PhysicalFunction[],
  vfs: readonly VirtualFunction[],
  network: ReadonlySet<string | null>,
): Finding {
  const using = new Set<string>();
  const represented = new Set<string>();
  for (const { address, pfAddress, representor } of vfs) {
    if (network.has(address)) using.add(pfAddress);
    if (representor !== null) represented.add(pfAddress);
  }
  const legacy = pfs
    .filter(
      ({ address, netdevs }) =>
        using.has(address) &&
        !represented.has(address) &&
        netdevs.length > 0 &&
        netdevs.every(({ physSwitchId }) => physSwitchId === null),
    )
    .map(({ address }) => address);
  const [first] = legacy;
  if (first === undefined) {
    return ok('switchdev-order', 'no VF has a network device while its PF is in legacy mode');
  }
  return warning(
    'switchdev-order',
    `${named(legacy)} in legacy mode: the traffic of the devices on its VFs is not offloaded to ` +
      'Open vSwitch',
    'in this order: delete the devices, remove the VFs, ' +
      `devlink dev eswitch set pci/${first} mode switchdev, make the VFs, make the devices`,
  );
}
