import type { RowReader } from './row-reader.js';
import type { Pausing } from './turns.js';

// The rows that cross from C++. The order of the fields is that of native/addon/rows.cc: objects
// are made in the order in which they are written here.
//
// Absent values are null, 64-bit words bigint, MAC addresses lower-case text.

function abiRow(row: RowReader) {
  return {
    familyId: row.number(),
    maxAttribute: row.number(),
    /** Bit n: command n of the family is implemented. */
    commands: row.word(),
  };
}

function managementDeviceRow(row: RowReader) {
  return {
    bus: row.text(),
    name: row.text(),
    supportedClasses: row.word(),
    maxVqs: row.numberOrNull(),
    supportedFeatures: row.wordOrNull(),
    /** The nearest PCI function, at or above it; empty for software and out of a dump. */
    pciAddress: row.text(),
  };
}

function vdpaDeviceRow(row: RowReader) {
  return {
    name: row.text(),
    managementBus: row.text(),
    managementName: row.text(),
    deviceId: row.number(),
    vendorId: row.number(),
    maxVqs: row.number(),
    maxVqSize: row.number(),
    minVqSize: row.numberOrNull(),
  };
}

function busDeviceRow(row: RowReader) {
  return {
    name: row.text(),
    /** Below sys/devices; empty for a device straight below it. */
    parentPath: row.text(),
    driver: row.text(),
    charDeviceName: row.textOrNull(),
    major: row.number(),
    minor: row.number(),
    /**
     * A NodeState of native/core/records.h: 0 missing, 1 there with another number or no char
     * device, 2 there.
     */
    nodeState: row.number(),
  };
}

function pciFunctionRow(row: RowReader) {
  return {
    address: row.text(),
    vendorId: row.number(),
    deviceId: row.number(),
    subsystemVendorId: row.number(),
    subsystemDeviceId: row.number(),
    pciClass: row.number(),
    revision: row.numberOrNull(),
    driver: row.text(),
    numaNode: row.numberOrNull(),
    iommuGroup: row.numberOrNull(),
    pfAddress: row.text(),
    vfIndex: row.numberOrNull(),
    totalVfs: row.numberOrNull(),
    numVfs: row.numberOrNull(),
  };
}

function scalableFunctionRow(row: RowReader) {
  return {
    name: row.text(),
    pfAddress: row.text(),
    sfNumber: row.numberOrNull(),
  };
}

function netdevRow(row: RowReader) {
  return {
    name: row.text(),
    ifindex: row.number(),
    mac: row.textOrNull(),
    physSwitchId: row.text(),
    physPortName: row.text(),
    pciAddress: row.text(),
  };
}

export function deviceConfigRow(row: RowReader) {
  return {
    name: row.text(),
    deviceId: row.number(),
    negotiatedFeatures: row.wordOrNull(),
    deviceFeatures: row.wordOrNull(),
    mac: row.textOrNull(),
    netStatus: row.numberOrNull(),
    maxVqPairs: row.numberOrNull(),
    mtu: row.numberOrNull(),
    capacitySectors: row.wordOrNull(),
    sizeMax: row.numberOrNull(),
    blockSize: row.numberOrNull(),
    segMax: row.numberOrNull(),
    numQueues: row.numberOrNull(),
    physicalBlockExp: row.numberOrNull(),
    alignmentOffset: row.numberOrNull(),
    minIoSize: row.numberOrNull(),
    optIoSize: row.numberOrNull(),
    maxDiscardSectors: row.numberOrNull(),
    maxDiscardSeg: row.numberOrNull(),
    discardSectorAlignment: row.numberOrNull(),
    maxWriteZeroesSectors: row.numberOrNull(),
    maxWriteZeroesSeg: row.numberOrNull(),
    readOnly: row.numberOrNull(),
    flush: row.numberOrNull(),
  };
}

function vendorStatsHead(row: RowReader) {
  return {
    name: row.text(),
    deviceId: row.number(),
    queueIndex: row.number(),
    maxVqPairs: row.numberOrNull(),
    negotiatedFeatures: row.wordOrNull(),
  };
}

function vendorCounterRow(row: RowReader) {
  return { name: row.text(), value: row.word() };
}

/** Counters are in the driver's order. */
export function* vendorStatsRow(reader: RowReader) {
  const head = reader.row(vendorStatsHead);
  return { ...head, counters: yield* reader.list(vendorCounterRow) };
}

/** A device event of the kernel: a hint that what it names changed. */
function ueventRow(row: RowReader) {
  return {
    action: row.text(),
    subsystem: row.text(),
    /** Below /sys, with a leading slash. */
    devpath: row.text(),
    seqnum: row.word(),
  };
}

export function* ueventRows(reader: RowReader) {
  return yield* reader.list(ueventRow);
}

/** Both rows of the devices that were asked for and are there. */
export function* namedDevicesRow(reader: RowReader) {
  const vdpaDevices = yield* reader.list(vdpaDeviceRow);
  const busDevices = yield* reader.list(busDeviceRow);
  return { vdpaDevices, busDevices };
}

/** The two lists of the `vdpa` family. */
export function* familyListsRow(reader: RowReader) {
  const managementDevices = yield* reader.list(managementDeviceRow);
  const vdpaDevices = yield* reader.list(vdpaDeviceRow);
  return { managementDevices, vdpaDevices };
}

export function* snapshotRow(reader: RowReader): Pausing<SnapshotRow> {
  const consistent = reader.flag();
  const ueventSeqnum = reader.row((row) => row.word());
  const [abi = null] = yield* reader.list(abiRow);
  const managementDevices = yield* reader.list(managementDeviceRow);
  const vdpaDevices = yield* reader.list(vdpaDeviceRow);
  const busDevices = yield* reader.list(busDeviceRow);
  const pciFunctions = yield* reader.list(pciFunctionRow);
  const scalableFunctions = yield* reader.list(scalableFunctionRow);
  const netdevs = yield* reader.list(netdevRow);
  return {
    abi,
    managementDevices,
    vdpaDevices,
    busDevices,
    pciFunctions,
    scalableFunctions,
    netdevs,
    consistent,
    ueventSeqnum,
  };
}

/**
 * The one row that C++ has made by a call, since it is asked for on its own and at once.
 * `outcome` is a CharDeviceState of native/core/char_device.h. With `ambiguous`, `vdpaName` holds
 * the names of all candidates, joined by ", ".
 */
export function resolvedRow(
  outcome: number,
  vdpaName: string,
  driver: string,
  charDeviceName: string | null,
  major: number,
  minor: number,
) {
  return { outcome, vdpaName, driver, charDeviceName, major, minor };
}

export type AbiRow = ReturnType<typeof abiRow>;
export type ManagementDeviceRow = ReturnType<typeof managementDeviceRow>;
export type VdpaDeviceRow = ReturnType<typeof vdpaDeviceRow>;
export type BusDeviceRow = ReturnType<typeof busDeviceRow>;
export type PciFunctionRow = ReturnType<typeof pciFunctionRow>;
export type ScalableFunctionRow = ReturnType<typeof scalableFunctionRow>;
export type NetdevRow = ReturnType<typeof netdevRow>;
export type DeviceConfigRow = ReturnType<typeof deviceConfigRow>;
export type ResolvedRow = ReturnType<typeof resolvedRow>;
type Returned<T> = T extends (reader: RowReader) => Generator<unknown, infer Row, unknown>
  ? Row
  : never;
export type UeventRow = ReturnType<typeof ueventRow>;
export type NamedDevicesRow = Returned<typeof namedDevicesRow>;
export type FamilyListsRow = Returned<typeof familyListsRow>;
export type VendorStatsRow = Returned<typeof vendorStatsRow>;

/** All of the host at one moment, as the core read it. */
export interface SnapshotRow {
  readonly abi: AbiRow | null;
  readonly managementDevices: readonly ManagementDeviceRow[];
  readonly vdpaDevices: readonly VdpaDeviceRow[];
  readonly busDevices: readonly BusDeviceRow[];
  readonly pciFunctions: readonly PciFunctionRow[];
  readonly scalableFunctions: readonly ScalableFunctionRow[];
  readonly netdevs: readonly NetdevRow[];
  readonly consistent: boolean;
  /** Of the last uevent before the host was read; 0 when unknown. */
  readonly ueventSeqnum: bigint;
}
