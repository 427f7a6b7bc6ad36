import { VdpaError } from '../errors.js';
import { capabilitiesOf } from './capabilities.js';
import type { DeviceSpec } from './device-spec.js';
import type { ReportedDevice } from './reported-device.js';

/** The part of a neutron port's `binding:profile` that says which device the port has. */
export interface BindingProfile {
  /** Vendor and product: `15b3:101e`. */
  readonly pci_vendor_info: string;
  /** PCI address. Absent for a device of software, which has none. */
  readonly pci_slot?: string;
  /** As tagged by device_spec; null for a device that is tagged with none. */
  readonly physical_network: string | null;
  /** The others are of a plain VF alone, each where it is known. */
  readonly card_serial_number?: string;
  readonly pf_mac_address?: string;
  readonly vf_num?: number;
  readonly capabilities?: readonly string[];
  /** Of a PF alone. */
  readonly device_mac_address?: string;
}

/**
 * Keys of a port's `binding:profile` that go when the port is unbound. Those that others put there
 * stay, `capabilities` and `trusted` among them.
 */
export const unboundProfileKeys: readonly string[] = [
  'pci_vendor_info',
  'pci_slot',
  'allocation',
  'arq_uuid',
  'physical_network',
  'card_serial_number',
  'vf_num',
  'pf_mac_address',
  'device_mac_address',
];

/**
 * What is to be written to the port that a device was claimed for.
 *
 * @throws {VdpaError} DEVICE_NOT_SPECIFIED when device_spec has no entry about the device
 */
export function bindingProfile(device: ReportedDevice, deviceSpec: DeviceSpec): BindingProfile {
  const entry = deviceSpec.match(device);
  if (entry === null) {
    throw new VdpaError('DEVICE_NOT_SPECIFIED', `no entry of device_spec is about ${device.id}`);
  }
  const mac = device.type === 'type-PF' ? device.extra['mac_address'] : undefined;
  return {
    pci_vendor_info: `${device.vendorId}:${device.productId}`,
    ...(device.address !== null && { pci_slot: device.address }),
    physical_network: entry.tags['physical_network'] ?? null,
    ...(device.type === 'type-VF' && vfProfile(device)),
    ...(mac !== undefined && { device_mac_address: mac }),
  };
}

function vfProfile(device: ReportedDevice): Partial<BindingProfile> {
  const { network, sriov, vpd } = capabilitiesOf(device);
  return {
    ...(vpd?.card_serial_number && { card_serial_number: vpd.card_serial_number }),
    ...(sriov?.pf_mac_address && { pf_mac_address: sriov.pf_mac_address }),
    ...(sriov?.vf_num !== undefined && { vf_num: sriov.vf_num }),
    ...(network !== undefined && network.length > 0 && { capabilities: network }),
  };
}
