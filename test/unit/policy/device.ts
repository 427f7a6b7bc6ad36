import { pciDeviceId } from '../../../src/host/device-id.js';
import type { PciAddress } from '../../../src/host/pci-address.js';
import type { PciFacts } from '../../../src/policy/pci-facts.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';

export const pfAddress = '0000:06:00.0' as PciAddress;

/** A vDPA device on a VF of the PF at 0000:06:00.0; each test changes what it is about. */
export function device(changes: Partial<ReportedDevice> = {}): ReportedDevice {
  const address = changes.address ?? ('0000:06:00.2' as PciAddress);
  return {
    id: pciDeviceId(address),
    type: 'vdpa',
    address,
    vendorId: '15b3',
    productId: '101e',
    numaNode: 0,
    parentAddress: pfAddress,
    extra: {},
    vdpa: null,
    reasons: [],
    ...changes,
  };
}

export function at(address: string, changes: Partial<ReportedDevice> = {}): ReportedDevice {
  return device({ address: address as PciAddress, parentAddress: null, ...changes });
}

/** A host with the PF at 0000:06:00.0, its interface ens1f0, and ens1f0v0 of its first VF. */
export const facts: PciFacts = {
  functionOfNetdev: (name) =>
    name === 'ens1f0' ? pfAddress : name === 'ens1f0v0' ? ('0000:06:00.2' as PciAddress) : null,
  physicalFunction: (address) =>
    address === pfAddress ? { vendorId: '15b3', productId: '101d', vfProductId: '101e' } : null,
};
