import { VdpaError } from '../errors.js';
import type { DeviceConfig, Inventory, ManagementDevice, VdpaDevice } from '../index.js';
import { hostTree, type OtherBranch, type PfBranch, type VfBranch } from './host-tree.js';
import { nearMisses } from './near-misses.js';

export type FunctionBranch = PfBranch | VfBranch | OtherBranch;

/** What one word of the user names on a host; at least one of the three is not empty. */
export interface Matches {
  readonly devices: readonly VdpaDevice[];
  readonly functions: readonly FunctionBranch[];
  readonly managementDevices: readonly ManagementDevice[];
}

/** What was asked of one thing, or why there is no answer. */
export type Answer<T> =
  | { readonly value: T; readonly error: null }
  | { readonly value: null; readonly error: VdpaError };

export interface ShowResult extends Matches {
  readonly query: string;
  /** By device name. */
  readonly configs: ReadonlyMap<string, Answer<DeviceConfig>>;
  /** By PCI address: the driver that the function is reserved for, if any. */
  readonly overrides: ReadonlyMap<string, Answer<string | null>>;
}

/**
 * Finds what a name, device id, PCI address or management handle means. The same text can be more
 * than one of them: `pci/0000:65:00.2` is a device and the management device that made it.
 *
 * @throws {VdpaError} `DEVICE_NOT_FOUND`, with what comes close
 */
export function findMatches(query: string, inventory: Inventory): Matches {
  const address = pciAddressOf(query);
  const branches = functionBranches(inventory);
  const devices = inventory.devices.filter(({ name, id }) => name === query || id === query);
  const functions = branches.filter((branch) => functionOf(branch).address === address);
  const managementDevices = inventory.managementDevices.filter(({ handle }) => handle === query);
  if (devices.length + functions.length + managementDevices.length > 0) {
    return { devices, functions, managementDevices };
  }
  const close = nearMisses(query, [
    ...inventory.devices.map(({ name }) => name),
    ...branches.map((branch) => functionOf(branch).address),
    ...inventory.devices.map(({ id }) => id),
    ...inventory.managementDevices.map(({ handle }) => handle),
  ]);
  const hint = close.length === 0 ? "see 'vdpa-host tree'" : `did you mean ${close.join(', ')}?`;
  throw new VdpaError(
    'DEVICE_NOT_FOUND',
    `${query}: no vDPA device, PCI function or management device of this host: ${hint}`,
    { retry: 'later' },
  );
}

export function functionOf(branch: FunctionBranch) {
  return branch.type === 'pf' ? branch.pf : branch.type === 'vf' ? branch.vf : branch.function;
}

function functionBranches(inventory: Inventory): FunctionBranch[] {
  return hostTree(inventory).numaNodes.flatMap(({ pfs, others }) => [
    ...pfs.flatMap((pf) => [pf, ...pf.vfs]),
    ...others,
  ]);
}

/** The kernel's spelling of an address as people write it: `65:00.2`, `0000:3B:00.1`. */
function pciAddressOf(query: string): string {
  const lower = query.toLowerCase();
  return /^[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(lower) ? `0000:${lower}` : lower;
}
