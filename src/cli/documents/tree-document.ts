import type { DeviceHealth, Inventory, VdpaAbi, VdpaDevice } from '../../index.js';
import { hostTree, type SoftwareBranch } from '../host-tree.js';
import { type Document, schemaVersion } from './document.js';
import { managementDeviceJson, numaNodeJson } from './host-json.js';

export interface TreeDocument extends Document<'tree'> {
  readonly consistent: boolean;
  readonly abi: VdpaAbi | null;
  readonly summary: {
    readonly devices: number;
    readonly usable: number;
    readonly unusable: number;
  };
  readonly numaNodes: readonly ReturnType<typeof numaNodeJson>[];
  readonly software: readonly SoftwareBranch[];
  readonly unplaced: readonly VdpaDevice[];
  readonly managementDevices: readonly ReturnType<typeof managementDeviceJson>[];
  /** Null when it was not asked for. */
  readonly health: readonly DeviceHealth[] | null;
}

export function treeDocument(
  inventory: Inventory,
  health: readonly DeviceHealth[] | null,
): TreeDocument {
  const { consistent, abi, devices, managementDevices } = inventory;
  const { numaNodes, software, unplaced } = hostTree(inventory);
  const usable = devices.filter((device) => device.usable).length;
  return {
    schemaVersion,
    kind: 'tree',
    consistent,
    abi,
    summary: { devices: devices.length, usable, unusable: devices.length - usable },
    numaNodes: numaNodes.map(numaNodeJson),
    software,
    unplaced,
    managementDevices: managementDevices.map(managementDeviceJson),
    health,
  };
}
