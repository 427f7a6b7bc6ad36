const partFactories = {
  abi: (familyId: number, maxAttribute: number, commands: bigint) => ({
    familyId,
    maxAttribute,
    /** Bit n: command n of the family is implemented. */
    commands,
  }),

  /** `pciAddress`: the nearest PCI function, at or above it; empty for software and out of a dump. */
  managementDevice: (
    bus: string,
    name: string,
    supportedClasses: bigint,
    maxVqs: number | null,
    supportedFeatures: bigint | null,
    pciAddress: string,
  ) => ({ bus, name, supportedClasses, maxVqs, supportedFeatures, pciAddress }),

  vdpaDevice: (
    name: string,
    managementBus: string,
    managementName: string,
    deviceId: number,
    vendorId: number,
    maxVqs: number,
    maxVqSize: number,
    minVqSize: number | null,
  ) => ({
    name,
    managementBus,
    managementName,
    deviceId,
    vendorId,
    maxVqs,
    maxVqSize,
    minVqSize,
  }),

  /**
   * `parentPath` is below sys/devices and empty for a device straight below it. `nodeState` is a
   * NodeState of native/core/records.h: 0 missing, 1 there with another number or no char device,
   * 2 there.
   */
  busDevice: (
    name: string,
    parentPath: string,
    driver: string,
    charDeviceName: string | null,
    major: number,
    minor: number,
    nodeState: number,
  ) => ({ name, parentPath, driver, charDeviceName, major, minor, nodeState }),

  pciFunction: (
    address: string,
    vendorId: number,
    deviceId: number,
    subsystemVendorId: number,
    subsystemDeviceId: number,
    pciClass: number,
    revision: number | null,
    driver: string,
    numaNode: number | null,
    iommuGroup: number | null,
    pfAddress: string,
    vfIndex: number | null,
    totalVfs: number | null,
    numVfs: number | null,
  ) => ({
    address,
    vendorId,
    deviceId,
    subsystemVendorId,
    subsystemDeviceId,
    pciClass,
    revision,
    driver,
    numaNode,
    iommuGroup,
    pfAddress,
    vfIndex,
    totalVfs,
    numVfs,
  }),

  scalableFunction: (name: string, pfAddress: string, sfNumber: number | null) => ({
    name,
    pfAddress,
    sfNumber,
  }),

  netdev: (
    name: string,
    ifindex: number,
    mac: string | null,
    physSwitchId: string,
    physPortName: string,
    pciAddress: string,
  ) => ({ name, ifindex, mac, physSwitchId, physPortName, pciAddress }),

  deviceConfig: (
    name: string,
    deviceId: number,
    negotiatedFeatures: bigint | null,
    deviceFeatures: bigint | null,
    mac: string | null,
    netStatus: number | null,
    maxVqPairs: number | null,
    mtu: number | null,
    capacitySectors: bigint | null,
    sizeMax: number | null,
    blockSize: number | null,
    segMax: number | null,
    numQueues: number | null,
    physicalBlockExp: number | null,
    alignmentOffset: number | null,
    minIoSize: number | null,
    optIoSize: number | null,
    maxDiscardSectors: number | null,
    maxDiscardSeg: number | null,
    discardSectorAlignment: number | null,
    maxWriteZeroesSectors: number | null,
    maxWriteZeroesSeg: number | null,
    readOnly: number | null,
    flush: number | null,
  ) => ({
    name,
    deviceId,
    negotiatedFeatures,
    deviceFeatures,
    mac,
    netStatus,
    maxVqPairs,
    mtu,
    capacitySectors,
    sizeMax,
    blockSize,
    segMax,
    numQueues,
    physicalBlockExp,
    alignmentOffset,
    minIoSize,
    optIoSize,
    maxDiscardSectors,
    maxDiscardSeg,
    discardSectorAlignment,
    maxWriteZeroesSectors,
    maxWriteZeroesSeg,
    readOnly,
    flush,
  }),

  /** `counters` alternates a counter's name and its value, in the kernel's order. */
  vendorStats: (
    name: string,
    deviceId: number,
    queueIndex: number,
    maxVqPairs: number | null,
    negotiatedFeatures: bigint | null,
    counters: readonly (string | bigint)[],
  ) => ({ name, deviceId, queueIndex, maxVqPairs, negotiatedFeatures, counters }),

  /**
   * `outcome` is a CharDeviceState of native/core/char_device.h. With `ambiguous`, `vdpaName` holds
   * the names of all candidates, joined by ", ".
   */
  resolved: (
    outcome: number,
    vdpaName: string,
    driver: string,
    charDeviceName: string | null,
    major: number,
    minor: number,
  ) => ({ outcome, vdpaName, driver, charDeviceName, major, minor }),
} as const;

type PartFactories = typeof partFactories;
export type AbiRow = ReturnType<PartFactories['abi']>;
export type ManagementDeviceRow = ReturnType<PartFactories['managementDevice']>;
export type VdpaDeviceRow = ReturnType<PartFactories['vdpaDevice']>;
export type BusDeviceRow = ReturnType<PartFactories['busDevice']>;
export type PciFunctionRow = ReturnType<PartFactories['pciFunction']>;
export type ScalableFunctionRow = ReturnType<PartFactories['scalableFunction']>;
export type NetdevRow = ReturnType<PartFactories['netdev']>;
export type DeviceConfigRow = ReturnType<PartFactories['deviceConfig']>;
export type VendorStatsRow = ReturnType<PartFactories['vendorStats']>;
export type ResolvedRow = ReturnType<PartFactories['resolved']>;

/**
 * The rows that cross from C++, one factory per record: native/addon/rows.cc calls them with
 * positional arguments, in the order of the parameters here. That is many times faster than setting
 * properties from C++, and gives every row of a kind the same hidden class.
 *
 * Absent values arrive as null, 64-bit words as bigint, MAC addresses as lower-case text.
 */
export const rowFactories = {
  ...partFactories,

  snapshot: (
    abi: AbiRow | null,
    managementDevices: readonly ManagementDeviceRow[],
    vdpaDevices: readonly VdpaDeviceRow[],
    busDevices: readonly BusDeviceRow[],
    pciFunctions: readonly PciFunctionRow[],
    scalableFunctions: readonly ScalableFunctionRow[],
    netdevs: readonly NetdevRow[],
    consistent: boolean,
  ) => ({
    abi,
    managementDevices,
    vdpaDevices,
    busDevices,
    pciFunctions,
    scalableFunctions,
    netdevs,
    consistent,
  }),
} as const;

export type RowFactories = typeof rowFactories;
export type SnapshotRow = ReturnType<RowFactories['snapshot']>;
