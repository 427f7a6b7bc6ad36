import type { BusDeviceRow, PciFunctionRow, ScalableFunctionRow, VdpaDeviceRow } from '../rows.js';
import { isPciAddress, type PciAddress } from './pci-address.js';

/** What a vDPA device stands on. */
export type ParentKind = 'vf' | 'pf' | 'pci' | 'sf' | SoftwareParentKind;

/** Parents without hardware. */
export type SoftwareParentKind = 'simulator' | 'vduse' | 'other';

export interface VdpaParent {
  readonly kind: ParentKind;
  /** Path below /sys/devices; empty for software parents. */
  readonly path: string;
  /** The VF, PF or other function that owns the device; of a scalable function its PF. */
  readonly pciAddress: PciAddress | null;
  /** The PF above a VF or scalable function, or the PF itself; null when not on this machine. */
  readonly pfAddress: PciAddress | null;
  readonly vfIndex: number | null;
  readonly sfNumber: number | null;
  readonly numaNode: number | null;
}

/** What a device's parent is looked up in. */
export interface ParentIndex {
  readonly functions: ReadonlyMap<string, PciFunctionRow>;
  readonly scalableFunctions: ReadonlyMap<string, ScalableFunctionRow>;
}

/** Finds what a device stands on from its place in sysfs. */
export function vdpaParent(
  row: BusDeviceRow,
  family: VdpaDeviceRow | undefined,
  { functions, scalableFunctions }: ParentIndex,
): VdpaParent {
  const last = lastComponent(row.parentPath);
  const pciAddress = nearestPciAddress(row.parentPath);
  const owner = pciAddress === null ? undefined : functions.get(pciAddress);
  const sf = scalableFunctions.get(last);
  const isPf = owner !== undefined && owner.totalVfs !== null;
  // A scalable function names its PF itself: a PF may have them without being capable of SR-IOV.
  const pfName = sf?.pfAddress ?? (isPf ? pciAddress : owner?.pfAddress) ?? '';
  const pfAddress = pfName === '' ? null : (pfName as PciAddress);
  return {
    kind:
      sf !== undefined
        ? 'sf'
        : pciAddress !== null
          ? isPf
            ? 'pf'
            : pfAddress !== null
              ? 'vf'
              : 'pci'
          : softwareKind(row, family),
    path: row.parentPath,
    pciAddress,
    pfAddress,
    vfIndex: owner?.vfIndex ?? null,
    sfNumber: sf?.sfNumber ?? null,
    numaNode: owner?.numaNode ?? null,
  };
}

/** What a path below /sys/devices ends with. */
export function lastComponent(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The PCI function that a path below /sys/devices ends with or leads through last. */
export function nearestPciAddress(path: string): PciAddress | null {
  const last = lastComponent(path);
  // As a rule it is a VF; to split the path of each makes much garbage.
  if (isPciAddress(last)) return last;
  return path.split('/').findLast(isPciAddress) ?? null;
}

function softwareKind(row: BusDeviceRow, family: VdpaDeviceRow | undefined): SoftwareParentKind {
  if (family !== undefined) return softwareParentKind(family.managementName);
  return row.parentPath.startsWith('virtual/vduse') ? 'vduse' : 'other';
}

/** What kind of software parent a management device without a bus is. */
export function softwareParentKind(managementName: string): SoftwareParentKind {
  if (managementName.startsWith('vdpasim')) return 'simulator';
  return managementName === 'vduse' ? 'vduse' : 'other';
}
