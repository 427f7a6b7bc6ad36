import { stat } from 'node:fs/promises';
import { VdpaError } from '../errors.js';
import type { DeviceConfig } from './device-config.js';
import type { Inventory } from './inventory.js';
import type { KernelHost } from './kernel-host.js';
import { nodeHolders } from './node-holders.js';
import { asksForConfig, type ProvisionState } from './provision-plan.js';
import type { NodeOwner, Wishes } from './provision-wishes.js';
import type { VdpaDevice } from './vdpa-device.js';

/** Reads of the host what planning needs: of the devices on declared VFs alone. */
export async function provisionState(
  host: Pick<KernelHost, 'deviceConfig'>,
  inventory: Inventory,
  wishes: Wishes,
  signal: AbortSignal | undefined,
): Promise<ProvisionState> {
  const pfs = new Set(wishes.pfs.map(({ pf }) => pf.address));
  const asked = new Set(
    wishes.pfs.flatMap(({ vfs }) => vfs.filter(asksForConfig).map(({ pf, vf }) => `${pf}/${vf}`)),
  );
  // Taking VFs away concerns all devices of a PF.
  const devices = inventory.devices.filter(
    ({ parent }) => parent.pfAddress !== null && pfs.has(parent.pfAddress),
  );
  const configs = new Map<string, DeviceConfig | Error>();
  const nodes = new Map<string, NodeOwner>();
  const numbers = new Map<number, VdpaDevice>();
  for (const device of devices) {
    signal?.throwIfAborted();
    const { parent, name, charDevice } = device;
    if (asked.has(`${parent.pfAddress}/${parent.vfIndex}`)) {
      configs.set(name, await host.deviceConfig(name, { signal }).catch(asAnswer));
    }
    if (charDevice === null || !charDevice.nodeExists) continue;
    const entry = await stat(charDevice.path).catch(() => null);
    if (entry === null || !entry.isCharacterDevice()) continue;
    numbers.set(entry.rdev, device);
    nodes.set(charDevice.path, { uid: entry.uid, gid: entry.gid, mode: entry.mode & 0o777 });
  }
  const holders = new Map<string, string>();
  for (const [number, holder] of await nodeHolders(new Set(numbers.keys()))) {
    const device = numbers.get(number);
    if (device !== undefined) holders.set(device.name, holder);
  }
  return { inventory, configs, nodes, holders };
}

/** That one device does not answer is an answer; that the host is closed is not. */
function asAnswer(reason: unknown): Error {
  if (reason instanceof VdpaError && reason.code !== 'CLOSED') return reason;
  throw reason;
}
