import { pciDeviceId } from '../../src/host/device-id.js';
import type { PciAddress } from '../../src/host/pci-address.js';
import type { PciFacts } from '../../src/policy/pci-facts.js';
import type { DeviceType, ReportedDevice } from '../../src/policy/reported-device.js';

/** The sysfs that a decision saw: interfaces, and the files of PCI functions. */
export interface RecordedSysfs {
  readonly netdevs?: Readonly<Record<string, string>>;
  readonly devices?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A device as the hypervisor reported it. */
export interface RecordedDevice {
  readonly address?: string;
  readonly vendor_id?: string;
  readonly product_id?: string;
  readonly numa_node?: number | null;
  readonly dev_type?: string | null;
  readonly parent_addr?: string | null;
  readonly [extra: string]: unknown;
}

export function recordedFacts({ netdevs = {}, devices = {} }: RecordedSysfs = {}): PciFacts {
  return {
    functionOfNetdev: (name) =>
      Object.hasOwn(netdevs, name) ? ((netdevs[name] ?? null) as PciAddress | null) : null,
    physicalFunction: (address) => {
      const files = Object.hasOwn(devices, address) ? devices[address] : undefined;
      if (files === undefined || !(Number.parseInt(files['sriov_totalvfs'] ?? '', 10) > 0)) {
        return null;
      }
      return {
        vendorId: id(files['vendor']) ?? '',
        productId: id(files['device']) ?? '',
        vfProductId: id(files['sriov_vf_device']),
      };
    },
  };
}

/** An id of sysfs, which some files write with 0x and some without. */
function id(content = ''): string | null {
  return content.trim().replace(/^0x/, '') || null;
}

const types: readonly string[] = ['type-PCI', 'type-PF', 'type-VF', 'vdpa'] satisfies DeviceType[];
const known = new Set([
  'address',
  'vendor_id',
  'product_id',
  'numa_node',
  'dev_type',
  'parent_addr',
]);

/** Null for a row that is no device: it has no address, no ids, or no type. */
export function reportedDevice(row: RecordedDevice): ReportedDevice | null {
  const { address, vendor_id: vendorId, product_id: productId, dev_type: type } = row;
  if (address === undefined || vendorId === undefined || productId === undefined) return null;
  if (type === undefined || type === null || !types.includes(type)) return null;
  const extra = Object.entries(row)
    .filter(([key, value]) => !known.has(key) && value !== null && value !== undefined)
    .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]);
  return {
    id: pciDeviceId(address as PciAddress),
    type: type as DeviceType,
    address: address as PciAddress,
    vendorId,
    productId,
    numaNode: row.numa_node ?? null,
    parentAddress: (row.parent_addr || null) as PciAddress | null,
    extra: Object.fromEntries(extra),
    vdpa: null,
    reasons: [],
  };
}
