import type {
  BusDeviceRow,
  DeviceConfigRow,
  ManagementDeviceRow,
  NetdevRow,
  PciFunctionRow,
  SnapshotRow,
  VdpaDeviceRow,
} from '../../../src/rows.js';

/** Rows as C++ makes them, of a sound host; each test changes what it is about. */

export function busDeviceRow(changes: Partial<BusDeviceRow> = {}): BusDeviceRow {
  return {
    name: 'vdpa0',
    parentPath: 'pci0000:64/0000:64:02.0/0000:65:00.2',
    driver: 'vhost_vdpa',
    charDeviceName: 'vhost-vdpa-3',
    major: 250,
    minor: 3,
    nodeState: 2,
    ...changes,
  };
}

export function vdpaDeviceRow(changes: Partial<VdpaDeviceRow> = {}): VdpaDeviceRow {
  return {
    name: 'vdpa0',
    managementBus: 'pci',
    managementName: '0000:65:00.2',
    deviceId: 1,
    vendorId: 0x15b3,
    maxVqs: 9,
    maxVqSize: 256,
    minVqSize: 1,
    ...changes,
  };
}

export function managementDeviceRow(
  changes: Partial<ManagementDeviceRow> = {},
): ManagementDeviceRow {
  return {
    bus: 'pci',
    name: '0000:65:00.2',
    supportedClasses: 2n,
    maxVqs: 65,
    supportedFeatures: 0x20n,
    pciAddress: '0000:65:00.2',
    ...changes,
  };
}

/** A host without anything. */
export function snapshotRow(changes: Partial<SnapshotRow> = {}): SnapshotRow {
  return {
    abi: { familyId: 30, maxAttribute: 24, commands: 0b10n },
    managementDevices: [],
    vdpaDevices: [],
    busDevices: [],
    pciFunctions: [],
    scalableFunctions: [],
    netdevs: [],
    consistent: true,
    ueventSeqnum: 0n,
    ...changes,
  };
}

export function pciFunctionRow(changes: Partial<PciFunctionRow> = {}): PciFunctionRow {
  return {
    address: '0000:65:00.2',
    vendorId: 0x15b3,
    deviceId: 0x101e,
    subsystemVendorId: 0x15b3,
    subsystemDeviceId: 0x16,
    pciClass: 0x2_0000,
    revision: 5,
    driver: 'mlx5_core',
    numaNode: 1,
    iommuGroup: 42,
    pfAddress: '0000:65:00.0',
    vfIndex: 1,
    totalVfs: null,
    numVfs: null,
    ...changes,
  };
}

export function pfRow(changes: Partial<PciFunctionRow> = {}): PciFunctionRow {
  return pciFunctionRow({
    address: '0000:65:00.0',
    pfAddress: '',
    vfIndex: null,
    totalVfs: 16,
    numVfs: 4,
    ...changes,
  });
}

export function netdevRow(changes: Partial<NetdevRow> = {}): NetdevRow {
  return {
    name: 'eth0',
    ifindex: 2,
    mac: '02:00:00:00:00:01',
    physSwitchId: '',
    physPortName: '',
    pciAddress: '0000:65:00.0',
    ...changes,
  };
}

export function deviceConfigRow(changes: Partial<DeviceConfigRow> = {}): DeviceConfigRow {
  return {
    name: 'vdpa0',
    deviceId: 1,
    negotiatedFeatures: null,
    deviceFeatures: null,
    mac: null,
    netStatus: null,
    maxVqPairs: null,
    mtu: null,
    capacitySectors: null,
    sizeMax: null,
    blockSize: null,
    segMax: null,
    numQueues: null,
    physicalBlockExp: null,
    alignmentOffset: null,
    minIoSize: null,
    optIoSize: null,
    maxDiscardSectors: null,
    maxDiscardSeg: null,
    discardSectorAlignment: null,
    maxWriteZeroesSectors: null,
    maxWriteZeroesSeg: null,
    readOnly: null,
    flush: null,
    ...changes,
  };
}
