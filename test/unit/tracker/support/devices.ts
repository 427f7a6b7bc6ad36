import { pciDeviceId } from '../../../../src/host/device-id.js';
import type { PciAddress } from '../../../../src/host/pci-address.js';
import type { PoolKeys } from '../../../../src/policy/pool-keys.js';
import type { DeviceType, ReportedDevice } from '../../../../src/policy/reported-device.js';
import type { ClaimId, InstanceId, MigrationId } from '../../../../src/tracker/claim.js';
import type { Admission } from '../../../../src/tracker/ledger.js';

export const instance = (name: string): InstanceId => name as InstanceId;
export const claimId = (name: string): ClaimId => name as ClaimId;
export const migration = (name: string): MigrationId => name as MigrationId;

/** Admits everything, untagged. */
export const everything: Admission = {
  poolKeys: ({ productId, vendorId, numaNode, type, parentAddress, address, extra }): PoolKeys => ({
    product_id: productId,
    vendor_id: vendorId,
    numa_node: numaNode,
    dev_type: type,
    address: parentAddress ?? address,
    ...(extra['parent_ifname'] !== undefined && { parent_ifname: extra['parent_ifname'] }),
    physical_network: extra['physnet'] ?? null,
  }),
};

/** A device of the host; by default a vDPA device if its function is not 0, else a PF. */
export function device(address: string, fields: Partial<ReportedDevice> = {}): ReportedDevice {
  const isPf = address.endsWith('00.0');
  const type: DeviceType = fields.type ?? (isPf ? 'type-PF' : 'vdpa');
  return {
    id: pciDeviceId(address as PciAddress),
    type,
    address: address as PciAddress,
    vendorId: '15b3',
    productId: type === 'type-PF' ? '101d' : '101e',
    numaNode: 0,
    parentAddress:
      type === 'type-PF' || type === 'type-PCI'
        ? null
        : (`${address.slice(0, 7)}:00.0` as PciAddress),
    extra: {},
    vdpa: null,
    reasons: [],
    ...fields,
  };
}

/** A PF and its vDPA devices. */
export function card(
  bus: string,
  count: number,
  fields: Partial<ReportedDevice> = {},
): ReportedDevice[] {
  const pf = device(`0000:${bus}:00.0`, { ...fields, type: 'type-PF', parentAddress: null });
  const children = Array.from({ length: count }, (_, index) =>
    device(vfAddress(bus, index), { type: 'vdpa', ...fields, parentAddress: pf.address }),
  );
  return [pf, ...children];
}

export function vfAddress(bus: string, index: number): string {
  const number = index + 1;
  return `0000:${bus}:${(number >> 3).toString(16).padStart(2, '0')}.${number & 7}`;
}
