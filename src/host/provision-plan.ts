import { whyImpossible } from './creation-limits.js';
import type { DeviceConfig } from './device-config.js';
import type { VdpaName } from './device-id.js';
import { featureNames } from './features.js';
import type { Inventory } from './inventory.js';
import { functionParents, type ManagementDevice } from './management-device.js';
import type { PciAddress } from './pci-address.js';
import type { VirtualFunction } from './pci-function.js';
import type { NodeOwner, PfWish, VfWish, Wishes } from './provision-wishes.js';
import type { VdpaDevice } from './vdpa-device.js';

/** All that planning looks at. */
export interface ProvisionState {
  readonly inventory: Inventory;
  /** Of devices that the declaration says something about; or why one cannot be asked. */
  readonly configs: ReadonlyMap<string, DeviceConfig | Error>;
  /** Of nodes that are there, by path. */
  readonly nodes: ReadonlyMap<string, NodeOwner>;
  /** Who has a device's node open, in words, by the device's name. */
  readonly holders: ReadonlyMap<string, string>;
}

/** One change that leads to the declaration; of each VF at most one. */
export type PlannedStep =
  | {
      readonly action: 'set-vfs';
      readonly pf: PciAddress;
      readonly from: number;
      readonly to: number;
    }
  | { readonly action: 'create'; readonly wish: VfWish }
  | DeviceStep;

/** A change of a device that is there. */
export interface DeviceStep extends Difference {
  readonly wish: VfWish;
  readonly name: VdpaName;
  readonly driver: string | null;
}

interface Difference {
  readonly action: 'recreate' | 'set-mac' | 'bind' | 'set-node';
  /** What is not as declared: `mtu 1500, not 9000`. */
  readonly differs: readonly string[];
}

/** Something declared that planning sees cannot be brought about as the host stands. */
export interface Obstacle {
  readonly pf: PciAddress | null;
  readonly vf: number | null;
  readonly text: string;
}

export interface Plan {
  /** In the order in which they are to be done. */
  readonly steps: readonly PlannedStep[];
  readonly obstacles: readonly Obstacle[];
}

/** DEV_ATTR_SET of uapi/linux/vdpa.h: Linux 6.12. */
const setAttributesCommand = 8;

/** What is to be done so that the host is as declared. Pure: the same state gives the same plan. */
export function planOf(wishes: Wishes, state: ProvisionState): Plan {
  const obstacles: Obstacle[] = [...wishes.obstacles];
  const planner = new Planner(state, obstacles);
  const steps = wishes.pfs.flatMap((wish) => planner.pfSteps(wish));
  return { steps, obstacles };
}

class Planner {
  readonly #state: ProvisionState;
  readonly #obstacles: Obstacle[];
  readonly #devices = new Map<string, VdpaDevice[]>();
  readonly #byName: ReadonlyMap<string, VdpaDevice>;
  readonly #parents: ReadonlyMap<string, readonly ManagementDevice[]>;
  readonly #canSetMac: boolean;

  constructor(state: ProvisionState, obstacles: Obstacle[]) {
    this.#state = state;
    this.#obstacles = obstacles;
    const { devices, managementDevices, abi } = state.inventory;
    for (const device of devices) {
      const { kind, pciAddress } = device.parent;
      if (kind !== 'vf' || pciAddress === null) continue;
      const list = this.#devices.get(pciAddress);
      if (list === undefined) this.#devices.set(pciAddress, [device]);
      else list.push(device);
    }
    this.#byName = new Map(devices.map((device) => [device.name, device]));
    this.#parents = functionParents(managementDevices);
    this.#canSetMac = abi?.commands.includes(setAttributesCommand) ?? false;
  }

  pfSteps(wish: PfWish): PlannedStep[] {
    const { pf, count } = wish;
    const vfs = new Map<number, VirtualFunction>();
    for (const vf of this.#state.inventory.vfs) {
      if (vf.pfAddress === pf.address && vf.vfIndex !== null) vfs.set(vf.vfIndex, vf);
    }
    if (count !== null && count !== pf.numVfs && this.#mayChangeCount(wish, count, vfs)) {
      return [
        { action: 'set-vfs', pf: pf.address, from: pf.numVfs, to: count },
        ...wish.vfs.map((vf): PlannedStep => ({ action: 'create', wish: vf })),
      ];
    }
    return wish.vfs.flatMap((vfWish) => {
      const vf = vfs.get(vfWish.vf);
      const step = vf === undefined ? this.#noVf(vfWish, pf.numVfs) : this.#vfStep(vfWish, vf);
      return step === undefined ? [] : [step];
    });
  }

  /** The kernel makes another number only after it has taken all VFs away. */
  #mayChangeCount(
    { pf, shrink, vfs: wanted }: PfWish,
    count: number,
    vfs: ReadonlyMap<number, VirtualFunction>,
  ): boolean {
    const no = (why: string): false => {
      this.#obstruct(pf.address, null, `${count} VFs are wanted, and it has ${pf.numVfs}: ${why}`);
      return false;
    };
    if (count > pf.totalVfs) return no(`it can have ${pf.totalVfs}`);
    if (pf.numVfs === 0) return true;
    if (!shrink) return no('all of them would go first, which needs "shrink": true');
    const mentioned = new Set(wanted.map(({ vf }) => vf));
    for (const [index, { address }] of vfs) {
      for (const device of this.#devices.get(address) ?? []) {
        const use = this.#useOf(device);
        if (use !== null) return no(`${device.name} (vf ${index}) would go, and ${use}`);
        if (index < count && !mentioned.has(index)) {
          return no(
            `${device.name} (vf ${index}) would go, which the declaration does not mention`,
          );
        }
      }
    }
    return true;
  }

  #noVf({ pf, vf }: VfWish, numVfs: number): undefined {
    this.#obstruct(pf, vf, `there is no such VF: the PF has ${numVfs}`);
  }

  #vfStep(wish: VfWish, vf: VirtualFunction): PlannedStep | undefined {
    const no = (why: string): undefined => this.#obstruct(wish.pf, wish.vf, why);
    const [device, ...others] = this.#devices.get(vf.address) ?? [];
    if (others.length > 0) return no('several vDPA devices stand on it');
    if (device === undefined) {
      const obstacle = this.#whyNotMade(wish, vf, null);
      return obstacle === null ? { action: 'create', wish } : no(obstacle);
    }
    const step = this.#deviceStep(wish, device);
    if (step === null) return undefined;
    if (typeof step === 'string') return no(step);
    const what = `${device.name} differs (${step.differs.join('; ')})`;
    const use = this.#useOf(device);
    if (use !== null) return no(`${what}, and is left as it is: ${use}`);
    const obstacle = step.action === 'recreate' ? this.#whyNotMade(wish, vf, device) : null;
    return obstacle === null
      ? { ...step, wish, name: device.name, driver: device.driver }
      : no(`${what}: ${obstacle}`);
  }

  /** Null: it is as declared. A text: why that cannot be told. */
  #deviceStep(wish: VfWish, device: VdpaDevice): Difference | string | null {
    const lasting: string[] = [];
    const address: string[] = [];
    compare('name', device.name, wish.name, lasting);
    if (asksForConfig(wish)) {
      const config = this.#state.configs.get(device.name);
      if (config === undefined || config instanceof Error) {
        return `the configuration of ${device.name} cannot be read: ${config?.message ?? 'it is new'}`;
      }
      const { net, features } = config;
      compare('mtu', net?.mtu ?? null, wish.mtu, lasting);
      // One without multiqueue does not say a number.
      compare('queue pairs', net?.maxVqPairs ?? 1, wish.maxVqPairs, lasting);
      compare('features', namesOf(features), namesOf(wish.features), lasting);
      compare('mac', net?.mac?.toLowerCase() ?? null, wish.mac, address);
    }
    if (lasting.length > 0) return { action: 'recreate', differs: [...lasting, ...address] };
    if (address.length > 0)
      return { action: this.#canSetMac ? 'set-mac' : 'recreate', differs: address };
    if (device.driver !== wish.driver) {
      return {
        action: 'bind',
        differs: [`driver ${device.driver ?? 'none'}, not ${wish.driver ?? 'none'}`],
      };
    }
    const differs = this.#nodeDiffers(wish, device);
    return differs.length === 0 ? null : { action: 'set-node', differs };
  }

  /** Whoever uses a device may have been given its node, so that one is not looked at. */
  #nodeDiffers({ node }: VfWish, device: VdpaDevice): string[] {
    if (node === null || device.driver !== 'vhost_vdpa' || this.#useOf(device) !== null) return [];
    const { path = '', nodeExists = false } = device.charDevice ?? {};
    const actual = nodeExists ? this.#state.nodes.get(path) : undefined;
    if (actual === undefined) return [`node ${path === '' ? 'missing' : `${path} missing`}`];
    const differs: string[] = [];
    if (node.uid !== null && node.uid !== actual.uid)
      differs.push(`owner ${actual.uid}, not ${node.uid}`);
    if (node.gid !== null && node.gid !== actual.gid)
      differs.push(`group ${actual.gid}, not ${node.gid}`);
    if (node.mode !== null && node.mode !== actual.mode) {
      differs.push(`mode ${octal(actual.mode ?? 0)}, not ${octal(node.mode)}`);
    }
    return differs;
  }

  /** Who uses it, in words; null when nobody is seen to. */
  #useOf({ name, driver }: VdpaDevice): string | null {
    const holder = this.#state.holders.get(name);
    if (holder !== undefined) return `it is in use: its char device is open, by ${holder}`;
    if (driver === null || driver === 'vhost_vdpa') return null;
    return `it is in use: the host itself has it, by the driver ${driver}`;
  }

  /** No device goes for one that cannot be made in its place. */
  #whyNotMade(wish: VfWish, vf: VirtualFunction, own: VdpaDevice | null): string | null {
    const [parent, ...others] = this.#parents.get(vf.address) ?? [];
    if (others.length > 0) return 'several management devices stand on it';
    if (parent === undefined) {
      return `it makes no vDPA devices: its driver is ${vf.driver ?? 'none'}: load the NIC's vDPA driver`;
    }
    const { mac, mtu, maxVqPairs, features } = wish;
    return (
      whyImpossible(parent, {
        mac: mac ?? undefined,
        mtu: mtu ?? undefined,
        maxVqPairs: maxVqPairs ?? undefined,
        features: features ?? undefined,
      }) ?? this.#takenName(wish, own)
    );
  }

  #takenName({ name }: VfWish, own: VdpaDevice | null): string | null {
    const other = name === null ? undefined : this.#byName.get(name);
    if (other === undefined || other === own) return null;
    return `the name ${name} is taken, by the device of ${other.id}`;
  }

  #obstruct(pf: PciAddress, vf: number | null, text: string): undefined {
    this.#obstacles.push({ pf, vf, text });
  }
}

function compare(
  what: string,
  actual: string | number | null,
  wanted: string | number | null,
  differs: string[],
): void {
  if (wanted === null || actual === wanted) return;
  differs.push(`${what} ${actual ?? 'unknown'}, not ${wanted}`);
}

function namesOf(features: bigint | null): string | null {
  return features === null ? null : featureNames(features, 'net').join(' ');
}

/** Whether the wish says anything that only the device's configuration tells. */
export function asksForConfig({ mac, mtu, maxVqPairs, features }: VfWish): boolean {
  return mac !== null || mtu !== null || maxVqPairs !== null || features !== null;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** `vf 3 of 0000:65:00.0` */
export function placeOf({
  pf,
  vf,
}: {
  readonly pf: string | null;
  readonly vf: number | null;
}): string {
  if (pf === null) return 'the host';
  return vf === null ? pf : `vf ${vf} of ${pf}`;
}
