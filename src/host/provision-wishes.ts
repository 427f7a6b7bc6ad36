import { VdpaError } from '../errors.js';
import type { Inventory } from './inventory.js';
import { isDeviceMac } from './mac-address.js';
import { isNewName } from './parse-create-request.js';
import type { PfSelector, WantedDevices, WantedPf } from './parse-declaration.js';
import type { PciAddress } from './pci-address.js';
import type { PhysicalFunction } from './pci-function.js';
import type { Obstacle } from './provision-plan.js';

/** Numbers of a node; null where nothing is declared. */
export interface NodeOwner {
  readonly uid: number | null;
  readonly gid: number | null;
  readonly mode: number | null;
}

/** The device that one VF of this host is to have. */
export interface VfWish {
  readonly pf: PciAddress;
  readonly vf: number;
  readonly name: string | null;
  /** Lower case. */
  readonly mac: string | null;
  readonly mtu: number | null;
  readonly maxVqPairs: number | null;
  readonly features: bigint | null;
  readonly driver: string | null;
  readonly node: NodeOwner | null;
}

export interface PfWish {
  readonly pf: PhysicalFunction;
  /** Number of VFs; null: as many as it has. */
  readonly count: number | null;
  readonly shrink: boolean;
  /** In order of VF. */
  readonly vfs: readonly VfWish[];
}

/** A declaration as it applies to one host. */
export interface Wishes {
  readonly pfs: readonly PfWish[];
  /** PFs that are not there. */
  readonly obstacles: readonly Obstacle[];
}

/** Numbers of the users and groups that a declaration names; undefined: there is none such. */
export interface Accounts {
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
}

/**
 * Finds the declared PFs, and says of each of their VFs what it is to have.
 *
 * @throws {VdpaError} `DECLARATION_UNFIT`, with everything that contradicts itself on this host
 */
export function wishesOf(
  declared: readonly WantedPf[],
  { pfs }: Pick<Inventory, 'pfs'>,
  accounts: Accounts,
): Wishes {
  const obstacles: Obstacle[] = [];
  const problems = new Set<string>();
  const claimed = new Map<string, string>();
  const wishes = declared.flatMap((entry): PfWish[] => {
    const { place, selector, vfs: count, shrink, devices } = entry;
    const found = pfs.filter((pf) => isMeant(pf, selector));
    if (found.length === 0) {
      obstacles.push({
        pf: selector.by === 'address' ? selector.text : null,
        vf: null,
        text: `there is no PF with ${selector.by} ${selector.text} (${place})`,
      });
    }
    return found.map((pf, ordinal) => {
      const before = claimed.get(pf.address);
      if (before !== undefined) problems.add(`${place} and ${before} both mean ${pf.address}`);
      claimed.set(pf.address, place);
      const vfs = devices.flatMap((wanted, index) =>
        vfsOf(wanted, count ?? pf.numVfs).map((vf) =>
          vfWish(wanted, pf, ordinal, vf, accounts, `${place}.devices[${index}]`, problems),
        ),
      );
      return { pf, count, shrink, vfs: vfs.toSorted((a, b) => a.vf - b.vf) };
    });
  });
  const all = wishes.flatMap(({ vfs }) => vfs);
  for (const key of ['name', 'mac'] as const) {
    const owners = new Map<string, VfWish>();
    for (const wish of all) {
      const value = wish[key];
      if (value === null) continue;
      const other = owners.get(value);
      if (other !== undefined && (other.pf !== wish.pf || other.vf !== wish.vf)) {
        problems.add(
          `${key} ${value} is given to vf ${other.vf} of ${other.pf} and to vf ${wish.vf} of ${wish.pf}`,
        );
      }
      owners.set(value, wish);
    }
  }
  if (problems.size === 0) return { pfs: wishes, obstacles };
  throw new VdpaError(
    'DECLARATION_UNFIT',
    `provision: the declaration does not fit this host: ${[...problems].join('; ')}`,
  );
}

function isMeant(pf: PhysicalFunction, { by, text }: PfSelector): boolean {
  switch (by) {
    case 'address':
      return pf.address === text;
    case 'netdev':
      return pf.netdevs.some(({ name }) => name === text);
    default:
      return `${pf.vendorId}:${pf.deviceId}` === text;
  }
}

function vfsOf({ vfs }: WantedDevices, count: number): readonly number[] {
  return vfs ?? Array.from({ length: count }, (_, index) => index);
}

function vfWish(
  wanted: WantedDevices,
  pf: PhysicalFunction,
  ordinal: number,
  vf: number,
  accounts: Accounts,
  place: string,
  problems: Set<string>,
): VfWish {
  const { mtu, maxVqPairs, features, driver } = wanted;
  const mac = macOf(wanted.mac, ordinal, vf);
  if (mac !== null && !isDeviceMac(mac)) {
    problems.add(`${place}.mac: vf ${vf} of ${pf.address} would have ${mac}, which no device can`);
  }
  const netdev = pf.netdevs[0]?.name;
  if (wanted.name?.includes('{netdev}') && netdev === undefined) {
    problems.add(`${place}.name: ${pf.address} has no network interface`);
  }
  const name =
    wanted.name
      ?.replaceAll('{pf}', pf.address)
      .replaceAll('{netdev}', () => netdev ?? '')
      .replaceAll('{vf}', `${vf}`) ?? null;
  if (name !== null && !isNewName(name)) {
    problems.add(`${place}.name: vf ${vf} of ${pf.address} would be ${name}, which no device can`);
  }
  return {
    pf: pf.address,
    vf,
    name,
    mac,
    mtu,
    maxVqPairs,
    features,
    driver,
    node: nodeOf(wanted, accounts, place, problems),
  };
}

function macOf(mac: WantedDevices['mac'], ordinal: number, vf: number): string | null {
  if (mac === null) return null;
  if (typeof mac === 'string') return mac.toLowerCase();
  if ('byVf' in mac) return mac.byVf[`${vf}`]?.toLowerCase() ?? null;
  const { base, increment = 1, pfIncrement = 0 } = mac;
  const number =
    Number.parseInt(base.replaceAll(':', ''), 16) + ordinal * pfIncrement + vf * increment;
  const digits = number.toString(16).padStart(12, '0');
  return (
    digits
      .match(/../g)
      ?.join(':')
      .concat(digits.length > 12 ? '…' : '') ?? null
  );
}

function nodeOf(
  { owner, group, mode }: WantedDevices,
  { users, groups }: Accounts,
  place: string,
  problems: Set<string>,
): NodeOwner | null {
  if (owner === null && group === null && mode === null) return null;
  const numberOf = (
    account: string | number | null,
    known: ReadonlyMap<string, number>,
    what: string,
  ): number | null => {
    if (typeof account !== 'string') return account;
    const number = known.get(account);
    if (number === undefined) problems.add(`${place}: there is no ${what} ${account}`);
    return number ?? null;
  };
  return {
    uid: numberOf(owner, users, 'user'),
    gid: numberOf(group, groups, 'group'),
    mode,
  };
}
