import type { DeviceConfigRow } from '../rows.js';
import type { VdpaName } from './device-id.js';
import { type DeviceClass, deviceClass, featureNames } from './features.js';

/** What a virtio-net device presents to its guest. A value the device does not offer is null. */
export interface NetConfig {
  /** Lower case, colons. */
  readonly mac: string | null;
  readonly mtu: number | null;
  /** Queue pairs of the device; null without multiqueue, which means one. */
  readonly maxVqPairs: number | null;
  readonly link: 'up' | 'down' | null;
  /** Whether the device asks its driver to announce itself. */
  readonly announce: boolean | null;
}

/** What a virtio-blk device presents to its guest. A value the device does not offer is null. */
export interface BlockConfig {
  /** Sectors of 512 bytes. */
  readonly capacitySectors: bigint | null;
  /** Bytes. */
  readonly blockSize: number | null;
  /** Bytes of the largest segment. */
  readonly sizeMax: number | null;
  readonly segMax: number | null;
  readonly numQueues: number | null;
  /** Logical blocks of a physical one, as a power of two. */
  readonly physicalBlockExp: number | null;
  readonly alignmentOffset: number | null;
  /** Logical blocks. */
  readonly minIoSize: number | null;
  /** Logical blocks. */
  readonly optIoSize: number | null;
  readonly maxDiscardSectors: number | null;
  readonly maxDiscardSeg: number | null;
  readonly discardSectorAlignment: number | null;
  readonly maxWriteZeroesSectors: number | null;
  readonly maxWriteZeroesSeg: number | null;
  readonly readOnly: boolean | null;
  readonly flush: boolean | null;
}

/** The configuration space of one device, as DEV_CONFIG_GET shows it. */
export interface DeviceConfig {
  readonly name: VdpaName;
  readonly class: DeviceClass;
  /** Null before Linux 6.1. */
  readonly features: bigint | null;
  readonly featureNames: readonly string[];
  /** Null until a driver has set FEATURES_OK: a hint that something uses the device. */
  readonly negotiatedFeatures: bigint | null;
  readonly negotiatedFeatureNames: readonly string[];
  /** Of class `net` only. */
  readonly net: NetConfig | null;
  /** Of class `block` only, and on Linux 6.9 or later only. */
  readonly block: BlockConfig | null;
}

const linkUp = 1;
const announce = 2;

export function deviceConfig(row: DeviceConfigRow): DeviceConfig {
  const kind = deviceClass(row.deviceId);
  return {
    name: row.name as VdpaName,
    class: kind,
    features: row.deviceFeatures,
    featureNames: featureNames(row.deviceFeatures ?? 0n, kind),
    negotiatedFeatures: row.negotiatedFeatures,
    negotiatedFeatureNames: featureNames(row.negotiatedFeatures ?? 0n, kind),
    net: kind === 'net' ? netConfig(row) : null,
    block: kind === 'block' && row.readOnly !== null ? blockConfig(row) : null,
  };
}

function netConfig(row: DeviceConfigRow): NetConfig {
  return {
    mac: row.mac,
    mtu: row.mtu,
    maxVqPairs: row.maxVqPairs,
    link: row.netStatus === null ? null : (row.netStatus & linkUp) !== 0 ? 'up' : 'down',
    announce: row.netStatus === null ? null : (row.netStatus & announce) !== 0,
  };
}

function blockConfig(row: DeviceConfigRow): BlockConfig {
  return {
    capacitySectors: row.capacitySectors,
    blockSize: row.blockSize,
    sizeMax: row.sizeMax,
    segMax: row.segMax,
    numQueues: row.numQueues,
    physicalBlockExp: row.physicalBlockExp,
    alignmentOffset: row.alignmentOffset,
    minIoSize: row.minIoSize,
    optIoSize: row.optIoSize,
    maxDiscardSectors: row.maxDiscardSectors,
    maxDiscardSeg: row.maxDiscardSeg,
    discardSectorAlignment: row.discardSectorAlignment,
    maxWriteZeroesSectors: row.maxWriteZeroesSectors,
    maxWriteZeroesSeg: row.maxWriteZeroesSeg,
    readOnly: row.readOnly === null ? null : row.readOnly !== 0,
    flush: row.flush === null ? null : row.flush !== 0,
  };
}
