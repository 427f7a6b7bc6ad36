import type { PoolKeys } from '../policy/pool-keys.js';
import type { DeviceRecord } from './device-record.js';
import { placeIn } from './place-in.js';

/**
 * Devices to be had that are all alike to whoever asks. In the order in which they are given away:
 * that which was released longest ago first, of those never released the one with the highest address.
 */
export class Pool {
  readonly keys: PoolKeys;
  /** Names the pool among all others. */
  readonly signature: string;
  /** Of the PF whose devices these are; null for devices without one, such as software's. */
  readonly address: string | null;
  readonly isPf: boolean;
  /** How many keys it has: those with fewer are used first, to keep the special ones. */
  readonly width: number;
  readonly #folded: ReadonlyMap<string, string>;
  readonly #devices: DeviceRecord[] = [];

  constructor(keys: PoolKeys, signature: string) {
    this.keys = keys;
    this.signature = signature;
    this.address = text(keys['address']);
    this.isPf = keys['dev_type'] === 'type-PF';
    this.#folded = folded(keys);
    this.width = Object.keys(keys).length;
  }

  /** In the order in which they are given away. */
  get devices(): readonly DeviceRecord[] {
    return this.#devices;
  }

  get count(): number {
    return this.#devices.length;
  }

  /** The key's value as requests are compared with it: text in lower case; undefined when there is none. */
  value(key: string): string | undefined {
    return this.#folded.get(key);
  }

  add(record: DeviceRecord): void {
    this.#devices.splice(placeIn(this.#devices, record, givenBefore), 0, record);
  }

  /** @param record as it was added */
  remove(record: DeviceRecord): void {
    const place = placeIn(this.#devices, record, givenBefore);
    if (this.#devices[place] !== record) throw new Error(`${record.device.id} is not in its pool`);
    this.#devices.splice(place, 1);
  }
}

/** Of pools that differ; by fewer keys first, then by PF. */
export function comparePools(a: Pool, b: Pool): number {
  return (
    a.width - b.width ||
    compareText(a.address ?? '', b.address ?? '') ||
    compareText(a.signature, b.signature)
  );
}

/** Of pools with the same keys the same. */
export function signatureOf(keys: PoolKeys): string {
  const names = Object.keys(keys).sort();
  return JSON.stringify(names.map((name) => [name, keys[name]]));
}

function givenBefore(a: DeviceRecord, b: DeviceRecord): number {
  return a.released - b.released || compareText(b.device.id, a.device.id);
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const text = (value: string | number | null | undefined): string | null =>
  value === null || value === undefined ? null : String(value);

function folded(keys: PoolKeys): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(keys)) {
    if (value !== null) values.set(key, String(value).toLowerCase());
  }
  return values;
}
