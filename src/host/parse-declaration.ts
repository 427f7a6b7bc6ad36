import type { z } from 'zod';
import { featureBit } from './features.js';
import { isPciAddress, type PciAddress } from './pci-address.js';
import {
  type CountedMac,
  type DeclaredDevices,
  type DeclaredPf,
  declarationForm,
  type GivenMacs,
  mostVfs,
} from './provision-declaration.js';

/** How a PF is found. */
export type PfSelector =
  | { readonly by: 'address'; readonly text: PciAddress }
  | { readonly by: 'netdev' | 'ids'; readonly text: string };

/** Wanted devices of some VFs. */
export interface WantedDevices {
  /** Null: all there are. */
  readonly vfs: readonly number[] | null;
  readonly mac: string | CountedMac | GivenMacs | null;
  readonly mtu: number | null;
  readonly maxVqPairs: number | null;
  readonly features: bigint | null;
  /** Null: none. */
  readonly driver: string | null;
  readonly name: string | null;
  readonly owner: string | number | null;
  readonly group: string | number | null;
  readonly mode: number | null;
}

export interface WantedPf {
  /** Where it stands in the declaration: `pfs[0]`. */
  readonly place: string;
  readonly selector: PfSelector;
  readonly vfs: number | null;
  readonly shrink: boolean;
  readonly devices: readonly WantedDevices[];
}

/** @throws {TypeError} with every problem, each with its place: `pfs[0].devices[1].mtu: ...` */
export function parseDeclaration(declaration: unknown): readonly WantedPf[] {
  const parsed = declarationForm.safeParse(declaration);
  const problems: string[] = parsed.success
    ? []
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, []));
  const wanted = parsed.success
    ? parsed.data.pfs.map((entry, index) => wantedPf(entry, `pfs[${index}]`, problems))
    : [];
  if (problems.length === 0) return wanted;
  throw new TypeError(`declaration: ${problems.join('; ')}`, { cause: parsed.error });
}

/** A union says what is wrong with the alternative that was meant, when that can be told. */
function problemsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.filter(
      (issues) => !issues.some(({ code, path: at }) => at.length === 0 && /type|value/.test(code)),
    );
    const [only, another] = meant;
    if (only !== undefined && another === undefined) {
      return only.flatMap((inner) => problemsOf(inner, path));
    }
  }
  return [`${textOf(path)}: ${issue.message}`];
}

function textOf(path: readonly PropertyKey[]): string {
  const text = path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
  return text === '' ? 'the whole' : text;
}

function wantedPf(entry: DeclaredPf, place: string, problems: string[]): WantedPf {
  const { address, netdev, ids, vfs = null, shrink = false, devices: list = [] } = entry;
  const selectors: PfSelector[] = [];
  if (isPciAddress(address)) selectors.push({ by: 'address', text: address });
  if (netdev !== undefined) selectors.push({ by: 'netdev', text: netdev });
  if (ids !== undefined) selectors.push({ by: 'ids', text: ids });
  const [selector = { by: 'netdev' as const, text: '' }, ...others] = selectors;
  if (selectors.length === 0 || others.length > 0) {
    problems.push(`${place}: expected exactly one of address, netdev and ids`);
  }
  const seen = new Set<number>();
  const wanted = list.map((entry, index): WantedDevices => {
    const at = `${place}.devices[${index}]`;
    const numbers = vfNumbers(entry.on, vfs, `${at}.on`, problems);
    if (entry.on === 'all' && list.length > 1) {
      problems.push(`${at}.on: "all" leaves no VF for the other entries`);
    }
    for (const number of numbers ?? []) {
      if (entry.on !== 'all' && seen.has(number)) {
        problems.push(`${at}.on: VF ${number} is mentioned twice`);
      }
      seen.add(number);
    }
    return wantedDevices(entry, numbers, at, problems);
  });
  return { place, selector, vfs, shrink, devices: wanted };
}

/** Null: all, however many there are. */
function vfNumbers(
  on: DeclaredDevices['on'],
  vfs: number | null,
  place: string,
  problems: string[],
): readonly number[] | null {
  if (on === 'all') return vfs === null ? null : Array.from({ length: vfs }, (_, index) => index);
  return on.flatMap((item, index): number[] => {
    const [first = 0, last = first] = `${item}`.split('-').map(Number);
    if (last < first || last >= (vfs ?? mostVfs)) {
      problems.push(
        `${place}[${index}]: ${last < first ? 'the range runs backwards' : `there is no VF ${last} of ${vfs ?? mostVfs}`}`,
      );
      return [];
    }
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
}

/** What an attribute needs among the features, when those are declared. */
const neededFeatures = { mac: 'MAC', mtu: 'MTU', maxVqPairs: 'MQ' } as const;

function wantedDevices(
  entry: DeclaredDevices,
  vfs: readonly number[] | null,
  place: string,
  problems: string[],
): WantedDevices {
  const { mac: address = null, mtu = null, maxVqPairs = null, name = null } = entry;
  const { owner = null, group = null, mode, driver = 'vhost_vdpa' } = entry;
  const several = vfs === null || vfs.length > 1;
  if (typeof address === 'string' && several) {
    problems.push(`${place}.mac: one address for several VFs: give {"base": ...} or {"byVf": ...}`);
  }
  if (address !== null && typeof address !== 'string' && 'byVf' in address) {
    for (const key of Object.keys(address.byVf)) {
      if (vfs !== null && !vfs.includes(Number(key))) {
        problems.push(`${place}.mac.byVf.${key}: no VF of this entry`);
      }
    }
  }
  if (name !== null && several && !name.includes('{vf}')) {
    problems.push(`${place}.name: one name for several VFs: it needs {vf}`);
  }
  const features = entry.features === undefined ? null : maskOf(entry.features);
  for (const [key, value] of Object.entries({ mac: address, mtu, maxVqPairs })) {
    const needed = neededFeatures[key as keyof typeof neededFeatures];
    const bit = featureBit(needed, 'net') ?? 0n;
    if (features !== null && value !== null && value !== 1 && (features & bit) === 0n) {
      problems.push(`${place}.features: lacks ${needed}, which ${key} needs`);
    }
  }
  if (driver !== 'vhost_vdpa' && (owner !== null || group !== null || mode !== undefined)) {
    problems.push(`${place}: owner, group and mode are of a node, which only vhost_vdpa makes`);
  }
  return {
    vfs,
    mac: address,
    mtu,
    maxVqPairs,
    features,
    driver: driver === 'none' ? null : driver,
    name,
    owner,
    group,
    mode: mode === undefined ? null : Number.parseInt(mode, 8),
  };
}

function maskOf(features: string | readonly string[]): bigint {
  if (typeof features === 'string') return BigInt(features);
  return features.reduce((mask, name) => mask | (featureBit(name, 'net') ?? 0n), 0n);
}
