import type { BusDeviceRow, VdpaDeviceRow } from '../rows.js';
import type { ParentKind } from './vdpa-parent.js';

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
  | 'no-node'
  /** What lies at the node's path is another device, or none: a stale file. */
  | 'node-mismatch';

/** By NodeState of native/core/records.h. */
const nodeReasons: readonly (UnusableReason | null)[] = ['no-node', 'node-mismatch', null];

const parentReasons: Readonly<Record<ParentKind, UnusableReason | null>> = {
  vf: null,
  pf: 'pf-parent',
  pci: 'not-a-vf',
  sf: 'scalable-function-parent',
  simulator: 'software-parent',
  vduse: 'software-parent',
  other: 'software-parent',
};

/**
 * Everything that stands against giving a device to a guest; empty when nothing does.
 *
 * @param family the device's row in the family's list, if it has one
 * @param shared whether another device stands on the same parent
 */
export function unusableReasons(
  bus: BusDeviceRow,
  family: VdpaDeviceRow | undefined,
  parentKind: ParentKind,
  shared: boolean,
): UnusableReason[] {
  const reasons: (UnusableReason | null)[] = [
    parentReasons[parentKind],
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
  return nodeReasons[bus.nodeState] ?? null;
}
