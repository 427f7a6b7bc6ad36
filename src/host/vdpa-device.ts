import type { BusDeviceRow, VdpaDeviceRow } from '../rows.js';
import { eachInTurns, indexed, mapInTurns, type Pausing } from '../turns.js';
import {
  type DeviceId,
  pciDeviceId,
  scalableFunctionDeviceId,
  softwareDeviceId,
  type VdpaName,
} from './device-id.js';
import { type DeviceClass, deviceClass } from './features.js';
import { managementHandle } from './management-device.js';
import { type UnusableReason, unusableReasons } from './usability.js';
import { type ParentIndex, type VdpaParent, vdpaParent } from './vdpa-parent.js';

/** The node that vhost_vdpa offers a guest. Its number is recycled: it names no device for long. */
export interface CharDevice {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  /** Whether the node was there, with these numbers, when the host was read. */
  readonly nodeExists: boolean;
}

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

/** What the bus and the family say of one device, and where it stands. */
export interface JoinedDevice {
  readonly bus: BusDeviceRow;
  /** Undefined for an unmanaged device. */
  readonly family: VdpaDeviceRow | undefined;
  readonly parent: VdpaParent;
  readonly id: DeviceId;
}

/**
 * Joins what the `vdpa` family and the vdpa bus say of the same devices, in order of their names.
 *
 * A device that only one of the two knows is in the result too: the family's lists are read while
 * the bus changes, and some drivers register devices that the family never lists.
 *
 * @param consistent whether both were read while the host stood still
 */
export function* vdpaDevices(
  family: readonly VdpaDeviceRow[],
  bus: readonly BusDeviceRow[],
  parents: ParentIndex,
  consistent: boolean,
): Pausing<VdpaDevice[]> {
  const listed = yield* indexed(family, ({ name }) => name);
  const joined = yield* mapInTurns(bus, (row) =>
    joinedDevice(row, listed.get(row.name), parents, consistent),
  );
  const seen = new Map<DeviceId, number>();
  yield* eachInTurns(joined, ({ id }) => seen.set(id, (seen.get(id) ?? 0) + 1));
  const devices = yield* mapInTurns(joined, (one) => vdpaDevice(one, (seen.get(one.id) ?? 0) > 1));
  return yield* inNaturalOrder(devices);
}

/** @param consistent as of `vdpaDevices` */
export function joinedDevice(
  bus: BusDeviceRow,
  named: VdpaDeviceRow | undefined,
  parents: ParentIndex,
  consistent: boolean,
): JoinedDevice {
  const family = named !== undefined && (consistent || standsOn(named, bus)) ? named : undefined;
  const parent = vdpaParent(bus, family, parents);
  return { bus, family, parent, id: deviceId(bus.name, parent) };
}

/** @param ambiguous whether another device has the same id */
export function vdpaDevice(
  { bus, family, parent, id }: JoinedDevice,
  ambiguous: boolean,
): VdpaDevice {
  const reasons = unusableReasons(bus, family, parent.kind, ambiguous);
  return {
    id,
    name: bus.name as VdpaName,
    class: family === undefined ? null : deviceClass(family.deviceId),
    vendorId: family === undefined ? null : family.vendorId.toString(16).padStart(4, '0'),
    maxVqs: family?.maxVqs ?? null,
    maxVqSize: family?.maxVqSize ?? null,
    minVqSize: family?.minVqSize ?? null,
    managementDevice:
      family === undefined ? null : managementHandle(family.managementBus, family.managementName),
    parent,
    driver: bus.driver === '' ? null : bus.driver,
    charDevice: charDevice(bus),
    usable: reasons.length === 0,
    reasons,
  };
}

/** Of NodeState in native/core/records.h. */
const nodeThere = 2;

/** A number of more digits may be no exact one. */
const exactDigits = 15;

const collator = new Intl.Collator('en', { numeric: true });

/**
 * Natural order: vdpa2 before vdpa10. Thousands of names differ in their final number alone, which
 * is read once for each; the collator would read both at every comparison.
 */
export function* inNaturalOrder(devices: readonly VdpaDevice[]): Pausing<VdpaDevice[]> {
  const keyed = yield* mapInTurns(devices, (device) => {
    const length = device.name.length;
    const digits = length - startOfNumber(device.name);
    const known = digits > 0 && digits <= exactDigits;
    return {
      device,
      prefix: known ? device.name.slice(0, length - digits) : device.name,
      number: known ? Number(device.name.slice(length - digits)) : null,
    };
  });
  keyed.sort((a, b) =>
    a.prefix === b.prefix && a.number !== null && b.number !== null
      ? a.number - b.number
      : collator.compare(a.device.name, b.device.name),
  );
  return keyed.map(({ device }) => device);
}

/** Where the digits begin that a name ends with: its length if it ends with none. */
function startOfNumber(name: string): number {
  let start = name.length;
  while (start > 0 && isDigit(name.charCodeAt(start - 1))) start--;
  return start;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/**
 * Whether both speak of one device. On a host that never stood still a name may have moved to
 * another PCI function or scalable function between the two readings. What a management device on
 * a bus makes lies below it.
 */
function standsOn(family: VdpaDeviceRow, bus: BusDeviceRow): boolean {
  return family.managementBus === '' || bus.parentPath.split('/').includes(family.managementName);
}

function charDevice(row: BusDeviceRow): CharDevice | null {
  if (row.charDeviceName === null) return null;
  return {
    path: `/dev/${row.charDeviceName}`,
    major: row.major,
    minor: row.minor,
    nodeExists: row.nodeState === nodeThere,
  };
}

function deviceId(name: string, parent: VdpaParent): DeviceId {
  if (parent.kind === 'sf' && parent.pfAddress !== null && parent.sfNumber !== null) {
    return scalableFunctionDeviceId(parent.pfAddress, parent.sfNumber);
  }
  if (parent.pciAddress !== null && parent.kind !== 'sf') return pciDeviceId(parent.pciAddress);
  return softwareDeviceId(name);
}
