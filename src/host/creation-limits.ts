import { type DeviceClass, featureNames } from './features.js';
import type { CreateRequest } from './parse-create-request.js';

/** What a management device says of the devices it can make. */
interface Offer {
  readonly handle: string;
  readonly classes: readonly DeviceClass[];
  readonly maxVqs: number | null;
  readonly features: bigint | null;
}

/** virtio feature bits without which the kernel refuses an attribute. */
const neededFeatures = { mac: 1n << 5n, mtu: 1n << 3n, maxVqPairs: 1n << 22n } as const;

/** Why a management device makes no such device, in words; null when nothing it says rules it out. */
export function whyImpossible(
  { handle, classes, maxVqs, features: offered }: Offer,
  {
    mac,
    mtu,
    maxVqPairs,
    features,
  }: Pick<CreateRequest, 'mac' | 'mtu' | 'maxVqPairs' | 'features'>,
): string | null {
  const attributes = Object.entries({ mac, mtu, maxVqPairs }).filter(
    ([, value]) => value !== undefined,
  );
  const [attribute] = attributes[0] ?? [];
  if (attribute !== undefined && !classes.includes('net')) {
    return `${handle} makes no network devices (${classes.join(', ')}), so none with ${attribute}`;
  }
  if (maxVqPairs !== undefined && maxVqs !== null && maxVqPairs * 2 > maxVqs) {
    return `${handle} has ${maxVqs} virtqueues at most, too few for ${maxVqPairs} pairs`;
  }
  if (features === undefined) return null;
  const [only = null, second] = classes;
  const names = (mask: bigint): string =>
    featureNames(mask, second === undefined ? only : null).join(' ');
  if (offered !== null && (features & ~offered) !== 0n) {
    return `${handle} does not offer ${names(features & ~offered)}`;
  }
  const needed =
    (mac === undefined ? 0n : neededFeatures.mac) |
    (mtu === undefined ? 0n : neededFeatures.mtu) |
    (maxVqPairs === undefined || maxVqPairs === 1 ? 0n : neededFeatures.maxVqPairs);
  if ((needed & ~features) === 0n) return null;
  return `the attributes asked for need the features ${names(needed & ~features)} as well`;
}
