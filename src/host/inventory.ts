import type { SnapshotRow } from '../rows.js';
import { indexed, type Pausing } from '../turns.js';
import { type ManagementDevice, managementDevices } from './management-device.js';
import { type PciFunctions, pciFunctions } from './pci-function.js';
import { type VdpaDevice, vdpaDevices } from './vdpa-device.js';

/** What the kernel's `vdpa` family can do; told by the family itself, never by a version. */
export interface VdpaAbi {
  readonly maxAttribute: number;
  /** Numbers of the family's commands this kernel has (uapi/linux/vdpa.h). */
  readonly commands: readonly number[];
}

/** All of a host's vDPA at one moment. Every list is in a stable order. */
export interface Inventory extends PciFunctions {
  readonly managementDevices: readonly ManagementDevice[];
  readonly devices: readonly VdpaDevice[];
  /** Null when there is no `vdpa` family: no module, or another network namespace. */
  readonly abi: VdpaAbi | null;
  /**
   * False when the host kept changing while it was read. Every device that lived throughout is in
   * the inventory all the same.
   */
  readonly consistent: boolean;
}

/** Joins the rows of one snapshot: device to management device to parent to PF. */
export function* inventoryOf(snapshot: SnapshotRow): Pausing<Inventory> {
  const functions = yield* pciFunctions(snapshot.pciFunctions, snapshot.netdevs);
  const parents = {
    functions: yield* indexed(snapshot.pciFunctions, ({ address }) => address),
    scalableFunctions: yield* indexed(snapshot.scalableFunctions, ({ name }) => name),
  };
  const { vdpaDevices: family, busDevices, consistent } = snapshot;
  const devices = yield* vdpaDevices(family, busDevices, parents, consistent);
  return {
    ...functions,
    managementDevices: yield* managementDevices(
      snapshot.managementDevices,
      parents.scalableFunctions,
    ),
    devices,
    abi:
      snapshot.abi === null
        ? null
        : { maxAttribute: snapshot.abi.maxAttribute, commands: commandsOf(snapshot.abi.commands) },
    consistent,
  };
}

function commandsOf(mask: bigint): number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (mask >> BigInt(bit)) & 1n);
}
