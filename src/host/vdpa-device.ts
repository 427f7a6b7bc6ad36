import type { BusDeviceRow, PciFunctionRow, ScalableFunctionRow, VdpaDeviceRow } from '../rows.js';
import {
  type DeviceId,
  pciDeviceId,
  scalableFunctionDeviceId,
  softwareDeviceId,
  type VdpaName,
} from './device-id.js';
import { type DeviceClass, deviceClass } from './features.js';
import { managementHandle } from './management-device.js';
import { isPciAddress, type PciAddress } from './pci-address.js';

/** What a vDPA device stands on. */
export type ParentKind = 'vf' | 'pf' | 'pci' | 'sf' | 'simulator' | 'vduse' | 'other';

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

/** The node that vhost_vdpa offers a guest. Its number is recycled: it names no device for long. */
export interface CharDevice {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  /** Whether the node was there when the host was read. */
  readonly nodeExists: boolean;
}

/** Why a device can not be given to a guest as it stands. `docs/inventory.md` has the cures. */
export type UnusableReason =
  /** No PCI function behind it: a simulator or a userspace device. */
  | 'software-parent'
  | 'scalable-function-parent'
  /** It stands on a PF: giving it away would take the whole port. */
  | 'pf-parent'
  /** Its PCI function is no VF of this machine. */
  | 'not-a-vf'
  /** A block device, or another class than virtio-net. */
  | 'not-virtio-net'
  /** Its driver registered it outside of the `vdpa` family: its class cannot be asked. */
  | 'unmanaged'
  /** Another vDPA device stands on the same parent: the id would not say which. */
  | 'parent-shared'
  /** The host itself uses it, as a network interface or disk. */
  | 'bound-to-virtio-vdpa'
  | 'not-bound'
  /** Bound to neither of the kernel's two drivers. */
  | 'bound-to-other-driver'
  /** Bound to vhost_vdpa, but its char device is not there (yet, or no longer). */
  | 'no-char-device'
  /** The char device exists, its node below /dev does not. */
  | 'no-node';

export interface VdpaDevice {
  readonly id: DeviceId;
  readonly name: VdpaName;
  /** Null for an unmanaged device. */
  readonly class: DeviceClass | null;
  /** Vendor id that the driver reports, a PCI vendor's as a rule; null for an unmanaged device. */
  readonly vendorId: string | null;
  /** Virtqueues, the control virtqueue included. */
  readonly maxVqs: number | null;
  readonly maxVqSize: number | null;
  readonly minVqSize: number | null;
  /** Handle of the management device that made it; null for an unmanaged device. */
  readonly managementDevice: string | null;
  readonly parent: VdpaParent;
  /** `vhost_vdpa`, `virtio_vdpa`, or null when unbound. */
  readonly driver: string | null;
  readonly charDevice: CharDevice | null;
  /** Whether it can be given to a guest as it stands: exactly when `reasons` is empty. */
  readonly usable: boolean;
  readonly reasons: readonly UnusableReason[];
}

/** What a device's parent is looked up in. */
export interface ParentIndex {
  readonly functions: ReadonlyMap<string, PciFunctionRow>;
  readonly scalableFunctions: ReadonlyMap<string, ScalableFunctionRow>;
}

/**
 * Joins what the `vdpa` family and the vdpa bus say of the same devices, in order of their names.
 *
 * A device that only one of the two knows is in the result too: the family's lists are read while
 * the bus changes, and some drivers register devices that the family never lists.
 */
export function vdpaDevices(
  family: readonly VdpaDeviceRow[],
  bus: readonly BusDeviceRow[],
  parents: ParentIndex,
): VdpaDevice[] {
  const listed = new Map(family.map((row) => [row.name, row]));
  const joined = bus.map((row) => ({
    bus: row,
    family: listed.get(row.name),
    parent: vdpaParent(row, listed.get(row.name), parents),
  }));
  const ids = joined.map(({ bus: { name }, parent }) => deviceId(name, parent));
  const seen = new Map<DeviceId, number>();
  for (const id of ids) seen.set(id, (seen.get(id) ?? 0) + 1);

  return inNaturalOrder(
    joined.map(({ bus, family, parent }, index): VdpaDevice => {
      const id = ids[index] ?? softwareDeviceId(bus.name);
      const reasons = unusableReasons(bus, family, parent, (seen.get(id) ?? 0) > 1);
      return {
        id,
        name: bus.name as VdpaName,
        class: family === undefined ? null : deviceClass(family.deviceId),
        vendorId: family === undefined ? null : family.vendorId.toString(16).padStart(4, '0'),
        maxVqs: family?.maxVqs ?? null,
        maxVqSize: family?.maxVqSize ?? null,
        minVqSize: family?.minVqSize ?? null,
        managementDevice:
          family === undefined
            ? null
            : managementHandle(family.managementBus, family.managementName),
        parent,
        driver: bus.driver === '' ? null : bus.driver,
        charDevice: charDevice(bus),
        usable: reasons.length === 0,
        reasons,
      };
    }),
  );
}

const collator = new Intl.Collator('en', { numeric: true });

/**
 * Natural order: vdpa2 before vdpa10. Thousands of names differ in their final number alone, which
 * is read once for each; the collator would read both at every comparison.
 */
function inNaturalOrder(devices: readonly VdpaDevice[]): VdpaDevice[] {
  const keyed = devices.map((device) => {
    const digits = /(?<!\d)\d{1,15}$/.exec(device.name)?.[0] ?? '';
    return {
      device,
      prefix: device.name.slice(0, device.name.length - digits.length),
      number: digits === '' ? null : Number(digits),
    };
  });
  keyed.sort((a, b) =>
    a.prefix === b.prefix && a.number !== null && b.number !== null
      ? a.number - b.number
      : collator.compare(a.device.name, b.device.name),
  );
  return keyed.map(({ device }) => device);
}

function charDevice(row: BusDeviceRow): CharDevice | null {
  if (row.charDeviceName === null) return null;
  return {
    path: `/dev/${row.charDeviceName}`,
    major: row.major,
    minor: row.minor,
    nodeExists: row.nodeExists,
  };
}

function deviceId(name: string, parent: VdpaParent): DeviceId {
  if (parent.kind === 'sf' && parent.pfAddress !== null && parent.sfNumber !== null) {
    return scalableFunctionDeviceId(parent.pfAddress, parent.sfNumber);
  }
  if (parent.pciAddress !== null && parent.kind !== 'sf') return pciDeviceId(parent.pciAddress);
  return softwareDeviceId(name);
}

function vdpaParent(
  row: BusDeviceRow,
  family: VdpaDeviceRow | undefined,
  { functions, scalableFunctions }: ParentIndex,
): VdpaParent {
  const components = row.parentPath.split('/');
  const pciAddress = components.findLast(isPciAddress) ?? null;
  const owner = pciAddress === null ? undefined : functions.get(pciAddress);
  const sf = scalableFunctions.get(components.at(-1) ?? '');
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

function softwareKind(row: BusDeviceRow, family: VdpaDeviceRow | undefined): ParentKind {
  if (family?.managementName.startsWith('vdpasim')) return 'simulator';
  if (family?.managementName === 'vduse' || row.parentPath.startsWith('virtual/vduse'))
    return 'vduse';
  return 'other';
}

const parentReasons: Readonly<Record<ParentKind, UnusableReason | null>> = {
  vf: null,
  pf: 'pf-parent',
  pci: 'not-a-vf',
  sf: 'scalable-function-parent',
  simulator: 'software-parent',
  vduse: 'software-parent',
  other: 'software-parent',
};

function unusableReasons(
  bus: BusDeviceRow,
  family: VdpaDeviceRow | undefined,
  parent: VdpaParent,
  shared: boolean,
): UnusableReason[] {
  const reasons: (UnusableReason | null)[] = [
    parentReasons[parent.kind],
    family === undefined ? 'unmanaged' : family.deviceId === 1 ? null : 'not-virtio-net',
    shared ? 'parent-shared' : null,
    bindingReason(bus),
  ];
  return reasons.filter((reason) => reason !== null);
}

function bindingReason(bus: BusDeviceRow): UnusableReason | null {
  if (bus.driver === '') return 'not-bound';
  if (bus.driver === 'virtio_vdpa') return 'bound-to-virtio-vdpa';
  if (bus.driver !== 'vhost_vdpa') return 'bound-to-other-driver';
  if (bus.charDeviceName === null) return 'no-char-device';
  return bus.nodeExists ? null : 'no-node';
}
