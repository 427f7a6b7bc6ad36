import type { DeviceId, VdpaName } from '../host/device-id.js';
import type { PciAddress } from '../host/pci-address.js';

/**
 * What a device is to whoever asks for one. A VF that carries a vDPA device is a `vdpa`, never a
 * `type-VF`: a plain request would tear the vDPA device down.
 */
export type DeviceType = 'type-PCI' | 'type-PF' | 'type-VF' | 'vdpa';

/** The vDPA side of a `vdpa` device. Both change when it is deleted and made anew. */
export interface ReportedVdpa {
  readonly name: VdpaName;
  /** Path of the char device; null while it is bound to another driver than vhost_vdpa. */
  readonly charDevice: string | null;
}

/** One device as the host has it now: what the tracker is told, and keeps with its record. */
export interface ReportedDevice {
  readonly id: DeviceId;
  readonly type: DeviceType;
  /** Of the PCI function; null for scalable functions and for devices of software. */
  readonly address: PciAddress | null;
  /** Four lower-case hexadecimal digits. */
  readonly vendorId: string;
  readonly productId: string;
  /** Null when the machine does not say. */
  readonly numaNode: number | null;
  /** The PF above a VF or vDPA device. */
  readonly parentAddress: PciAddress | null;
  /** What else is known of it, as nova's `extra_info` has it: `parent_ifname`, `capabilities`, … */
  readonly extra: Readonly<Record<string, string>>;
  /** Null unless its type is `vdpa`, and of one that is held back because it lost its vDPA device. */
  readonly vdpa: ReportedVdpa | null;
  /** Why it cannot be claimed as it stands; empty when it can. Such a device has a record, and no pool. */
  readonly reasons: readonly string[];
}
