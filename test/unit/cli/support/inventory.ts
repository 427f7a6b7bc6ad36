import type {
  DeviceClass,
  DeviceId,
  Inventory,
  ManagementDevice,
  Netdev,
  ParentKind,
  PciAddress,
  PciFunction,
  PhysicalFunction,
  UnusableReason,
  VdpaDevice,
  VdpaName,
  VdpaParent,
  VirtualFunction,
} from '../../../../src/index.js';

// Hand-made hosts: everything has a sensible default, so that a test says only what it is about.

export function inventory(parts: Partial<Inventory> = {}): Inventory {
  return {
    pfs: [],
    vfs: [],
    others: [],
    managementDevices: [],
    devices: [],
    abi: { maxAttribute: 24, commands: [1, 3, 5, 6, 7] },
    consistent: true,
    ...parts,
  };
}

export function netdev(name: string, parts: Partial<Netdev> = {}): Netdev {
  return {
    name,
    ifindex: 2,
    mac: 'b8:ce:f6:00:00:01',
    physSwitchId: null,
    physPortName: null,
    ...parts,
  };
}

export function pciFunction(address: string, parts: Partial<PciFunction> = {}): PciFunction {
  return {
    address: address as PciAddress,
    vendorId: '15b3',
    deviceId: '101d',
    subsystemVendorId: '15b3',
    subsystemDeviceId: '0058',
    pciClass: '020000',
    revision: 0,
    driver: 'mlx5_core',
    numaNode: 0,
    iommuGroup: 41,
    netdevs: [],
    ...parts,
  };
}

export function pf(address: string, parts: Partial<PhysicalFunction> = {}): PhysicalFunction {
  return { ...pciFunction(address), totalVfs: 8, numVfs: 8, ...parts };
}

/** The VF at the usual place: two functions after its PF, one after the other. */
export function vf(
  owner: PhysicalFunction,
  vfIndex: number,
  parts: Partial<VirtualFunction> = {},
): VirtualFunction {
  const [domain = '', bus = '', slot = '', fn = ''] = owner.address.split(/[:.]/);
  const routing =
    Number.parseInt(bus, 16) * 256 + Number.parseInt(slot, 16) * 8 + Number(fn) + 2 + vfIndex;
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  const address = `${domain}:${hex(routing >> 8)}:${hex((routing >> 3) & 31)}.${routing & 7}`;
  return {
    ...pciFunction(address, { deviceId: '101e', numaNode: owner.numaNode }),
    pfAddress: owner.address,
    vfIndex,
    representor: null,
    ...parts,
  };
}

export interface DeviceParts {
  readonly id?: string;
  readonly class?: DeviceClass | null;
  readonly driver?: string | null;
  readonly reasons?: readonly UnusableReason[];
  readonly charDevice?: VdpaDevice['charDevice'];
  readonly managementDevice?: string | null;
  readonly parent?: Partial<VdpaParent>;
}

/** A device as vhost_vdpa leaves it; `reasons` alone decide whether it is usable. */
export function device(name: string, kind: ParentKind, parts: DeviceParts = {}): VdpaDevice {
  const { parent, id, reasons = [], ...rest } = parts;
  const number = Number(/\d+$/.exec(name)?.[0] ?? 0);
  return {
    id: (id ?? `vdpa/${name}`) as DeviceId,
    name: name as VdpaName,
    class: 'net',
    vendorId: '15b3',
    maxVqs: 65,
    maxVqSize: 256,
    minVqSize: null,
    managementDevice: null,
    driver: 'vhost_vdpa',
    charDevice: {
      path: `/dev/vhost-vdpa-${number}`,
      major: 511,
      minor: number,
      nodeExists: true,
    },
    ...rest,
    parent: {
      kind,
      path: '',
      pciAddress: null,
      pfAddress: null,
      vfIndex: null,
      sfNumber: null,
      numaNode: null,
      ...parent,
    },
    usable: reasons.length === 0,
    reasons,
  };
}

export function vfDevice(name: string, on: VirtualFunction, parts: DeviceParts = {}): VdpaDevice {
  return device(name, 'vf', {
    id: `pci/${on.address}`,
    managementDevice: `pci/${on.address}`,
    ...parts,
    parent: {
      path: `pci0000:64/${on.address}`,
      pciAddress: on.address,
      pfAddress: on.pfAddress,
      vfIndex: on.vfIndex,
      numaNode: on.numaNode,
      ...parts.parent,
    },
  });
}

export function sfDevice(
  name: string,
  on: PciFunction,
  sfNumber: number,
  parts: DeviceParts = {},
): VdpaDevice {
  return device(name, 'sf', {
    id: `pci/${on.address}/sf/${sfNumber}`,
    managementDevice: `auxiliary/mlx5_core.sf.${sfNumber}`,
    reasons: ['scalable-function-parent'],
    ...parts,
    parent: {
      path: `pci0000:64/${on.address}/mlx5_core.sf.${sfNumber}`,
      pciAddress: on.address,
      pfAddress: on.address,
      sfNumber,
      numaNode: on.numaNode,
    },
  });
}

export function simulator(name: string, parts: DeviceParts = {}): VdpaDevice {
  return device(name, 'simulator', {
    managementDevice: parts.class === 'block' ? 'vdpasim_blk' : 'vdpasim_net',
    reasons: parts.class === 'block' ? ['software-parent', 'not-virtio-net'] : ['software-parent'],
    ...parts,
  });
}

/** What can make a device on a scalable function. */
export function sfManagement(
  on: PciFunction,
  sfNumber: number,
  parts: Partial<ManagementDevice> = {},
): ManagementDevice {
  return managementDevice(`auxiliary/mlx5_core.sf.${sfNumber}`, {
    pciAddress: on.address,
    sfNumber,
    ...parts,
  });
}

/** The driver leaves neither driver nor char device. */
export const unbound = { driver: null, charDevice: null, reasons: ['not-bound'] } as const;

export function managementDevice(
  handle: string,
  parts: Partial<ManagementDevice> = {},
): ManagementDevice {
  const slash = handle.indexOf('/');
  return {
    handle,
    bus: slash === -1 ? null : handle.slice(0, slash),
    name: handle.slice(slash + 1),
    pciAddress: handle.startsWith('pci/') ? (handle.slice(slash + 1) as PciAddress) : null,
    sfNumber: null,
    classes: ['net'],
    maxVqs: 257,
    features: 0x300020020n,
    featureNames: ['MAC', 'CTRL_VQ', 'VERSION_1', 'ACCESS_PLATFORM'],
    ...parts,
  };
}
