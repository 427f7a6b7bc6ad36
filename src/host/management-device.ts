import type { ManagementDeviceRow, ScalableFunctionRow } from '../rows.js';
import { mapInTurns, type Pausing } from '../turns.js';
import { type DeviceClass, deviceClasses, featureNames } from './features.js';
import { isPciAddress, type PciAddress } from './pci-address.js';

/** A parent that can make vDPA devices (`vdpa mgmtdev show`). */
export interface ManagementDevice {
  /** `pci/0000:65:00.2`, `auxiliary/mlx5_core.sf.4`, or just `vdpasim_net` without a bus. */
  readonly handle: string;
  /** `pci`, `auxiliary`; null for software parents. */
  readonly bus: string | null;
  readonly name: string;
  /** The PCI function it is, or whose scalable function it is; null for software parents. */
  readonly pciAddress: PciAddress | null;
  /** Of a scalable function. */
  readonly sfNumber: number | null;
  readonly classes: readonly DeviceClass[];
  /** Most virtqueues of a device, the control virtqueue included; null before Linux 5.17. */
  readonly maxVqs: number | null;
  /** Features a device can have; null before Linux 5.17. */
  readonly features: bigint | null;
  readonly featureNames: readonly string[];
}

/** The handle by which iproute2 and devlink name a management device. */
export function managementHandle(bus: string, name: string): string {
  return bus === '' ? name : `${bus}/${name}`;
}

/**
 * What makes vDPA devices on each PCI function, by the function's address: the function itself, or
 * where its driver (pds_core) has them on the auxiliary bus, those. Not its scalable functions.
 */
export function functionParents(
  devices: readonly ManagementDevice[],
): ReadonlyMap<string, readonly ManagementDevice[]> {
  const parents = new Map<string, readonly ManagementDevice[]>();
  for (const device of devices) {
    const { bus, name, pciAddress, sfNumber } = device;
    if (bus === 'pci') parents.set(name, [device]);
    if (bus === 'pci' || pciAddress === null) continue;
    if (sfNumber !== null || isScalableFunction(name)) continue;
    const others = parents.get(pciAddress) ?? [];
    if (others[0]?.bus !== 'pci') parents.set(pciAddress, [...others, device]);
  }
  return parents;
}

/** By its name on the auxiliary bus: its number may be hidden. */
export function isScalableFunction(name: string): boolean {
  return /\.sf\.\d+$/.test(name);
}

export function* managementDevices(
  rows: readonly ManagementDeviceRow[],
  scalableFunctions: ReadonlyMap<string, ScalableFunctionRow>,
): Pausing<ManagementDevice[]> {
  const offerOf = offerReader();
  return yield* mapInTurns(rows, (row) => {
    const { classes, featureNames } = offerOf(row);
    const sf = scalableFunctions.get(row.name);
    return {
      handle: managementHandle(row.bus, row.name),
      bus: row.bus === '' ? null : row.bus,
      name: row.name,
      pciAddress: isPciAddress(row.pciAddress) ? row.pciAddress : null,
      sfNumber: sf?.sfNumber ?? null,
      classes,
      maxVqs: row.maxVqs,
      features: row.supportedFeatures,
      featureNames,
    };
  });
}

type Offer = Pick<ManagementDevice, 'classes' | 'featureNames'>;

/** Names what is offered. The VFs of a PF follow one another and offer the same, which is named once. */
function offerReader(): (row: ManagementDeviceRow) => Offer {
  let before: ManagementDeviceRow | undefined;
  let offer: Offer = { classes: [], featureNames: [] };
  return (row) => {
    if (
      row.supportedClasses !== before?.supportedClasses ||
      row.supportedFeatures !== before.supportedFeatures
    ) {
      const classes = deviceClasses(row.supportedClasses);
      const [only, ...others] = classes;
      const oneClass = only !== undefined && others.length === 0 ? only : null;
      offer = { classes, featureNames: featureNames(row.supportedFeatures ?? 0n, oneClass) };
    }
    before = row;
    return offer;
  };
}
