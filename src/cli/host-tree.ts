import { softwareParentKind } from '../host/vdpa-parent.js';
import type {
  Inventory,
  PciFunction,
  PhysicalFunction,
  SoftwareParentKind,
  VdpaDevice,
  VirtualFunction,
} from '../index.js';

/**
 * An inventory arranged by what stands on what. Every device is in it exactly once: the drawing and
 * the JSON document are both made of this, so they cannot disagree.
 */
export interface HostTree {
  /** Ascending; functions whose node is unknown come last. */
  readonly numaNodes: readonly NumaBranch[];
  readonly software: readonly SoftwareBranch[];
  /** Devices whose parent is not in the inventory: it went away while the host was read. */
  readonly unplaced: readonly VdpaDevice[];
}

export interface NumaBranch {
  readonly numaNode: number | null;
  readonly pfs: readonly PfBranch[];
  /** Functions without a PF on this machine. */
  readonly others: readonly (VfBranch | OtherBranch)[];
}

export interface PfBranch {
  readonly type: 'pf';
  readonly pf: PhysicalFunction;
  readonly vfs: readonly VfBranch[];
  readonly scalableFunctions: readonly SfBranch[];
  /** Those on the PF itself. */
  readonly devices: readonly VdpaDevice[];
}

export interface VfBranch {
  readonly type: 'vf';
  readonly vf: VirtualFunction;
  readonly devices: readonly VdpaDevice[];
}

export interface OtherBranch {
  readonly type: 'other';
  readonly function: PciFunction;
  /** Of a port that is not capable of SR-IOV. */
  readonly scalableFunctions: readonly SfBranch[];
  readonly devices: readonly VdpaDevice[];
}

export interface SfBranch {
  readonly sfNumber: number | null;
  readonly devices: readonly VdpaDevice[];
}

export interface SoftwareBranch {
  readonly kind: SoftwareParentKind;
  /** Handle of the management device; null for devices that none made. */
  readonly managementDevice: string | null;
  readonly devices: readonly VdpaDevice[];
}

export function hostTree({ pfs, vfs, others, devices, managementDevices }: Inventory): HostTree {
  const pfAddresses = new Set<string>(pfs.map(({ address }) => address));
  /** What scalable functions hang below: a port may have them without being capable of SR-IOV. */
  const ports = new Set<string>([...pfs, ...others].map(({ address }) => address));
  const places = new Set<string>([...pfs, ...vfs, ...others].map(({ address }) => address));
  const onFunction = new Map<string, VdpaDevice[]>();
  const onSf = new Map<string, Map<number | null, VdpaDevice[]>>();
  const software = new Map<string, SoftwareBranch & { devices: VdpaDevice[] }>();
  const unplaced: VdpaDevice[] = [];

  for (const { bus, handle, pciAddress, sfNumber } of managementDevices) {
    if (bus === null) {
      software.set(handle, {
        kind: softwareParentKind(handle),
        managementDevice: handle,
        devices: [],
      });
    } else if (sfNumber !== null && pciAddress !== null && ports.has(pciAddress)) {
      // A scalable function that could carry a device has its place, with or without one.
      at(
        at(onSf, pciAddress, () => new Map()),
        sfNumber,
        () => [],
      );
    }
  }
  for (const device of devices) {
    const { kind, pciAddress, pfAddress, sfNumber } = device.parent;
    if (kind === 'sf' && pfAddress !== null && ports.has(pfAddress)) {
      push(
        at(onSf, pfAddress, () => new Map()),
        sfNumber,
        device,
      );
    } else if (pciAddress !== null && places.has(pciAddress)) {
      push(onFunction, pciAddress, device);
    } else if (kind === 'simulator' || kind === 'vduse' || kind === 'other') {
      const { managementDevice } = device;
      const branch = at(software, managementDevice ?? `${kind} without a handle`, () => ({
        kind,
        managementDevice,
        devices: [],
      }));
      branch.devices.push(device);
    } else {
      unplaced.push(device);
    }
  }

  const devicesOf = ({ address }: PciFunction): readonly VdpaDevice[] =>
    onFunction.get(address) ?? [];
  const vfBranch = (vf: VirtualFunction): VfBranch => ({ type: 'vf', vf, devices: devicesOf(vf) });
  const vfsOf = new Map<string, VirtualFunction[]>();
  for (const vf of vfs) push(vfsOf, vf.pfAddress, vf);
  const nodes = new Map<number | null, { pfs: PfBranch[]; others: (VfBranch | OtherBranch)[] }>();
  const nodeOf = ({ numaNode }: PciFunction) =>
    at(nodes, numaNode, () => ({ pfs: [], others: [] }));

  for (const pf of pfs) {
    nodeOf(pf).pfs.push({
      type: 'pf',
      pf,
      vfs: (vfsOf.get(pf.address) ?? []).map(vfBranch),
      scalableFunctions: sfBranches(onSf.get(pf.address)),
      devices: devicesOf(pf),
    });
  }
  for (const vf of vfs) {
    if (!pfAddresses.has(vf.pfAddress)) nodeOf(vf).others.push(vfBranch(vf));
  }
  for (const other of others) {
    nodeOf(other).others.push({
      type: 'other',
      function: other,
      scalableFunctions: sfBranches(onSf.get(other.address)),
      devices: devicesOf(other),
    });
  }
  return {
    numaNodes: [...nodes]
      .map(([numaNode, branches]) => ({ numaNode, ...branches }))
      .sort((a, b) => rank(a.numaNode) - rank(b.numaNode)),
    software: [...software.values()],
    unplaced,
  };
}

function sfBranches(bySf: Map<number | null, VdpaDevice[]> | undefined): SfBranch[] {
  return [...(bySf ?? [])]
    .map(([sfNumber, devices]) => ({ sfNumber, devices }))
    .sort((a, b) => rank(a.sfNumber) - rank(b.sfNumber));
}

/** Unknown comes last; the cap keeps the difference of two unknowns a number. */
function rank(value: number | null): number {
  return value ?? Number.MAX_SAFE_INTEGER;
}

function at<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  at(map, key, () => []).push(value);
}
