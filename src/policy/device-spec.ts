import { packAddress } from './address-pattern.js';
import { type Candidate, type DeviceSpecEntry, entryMatches } from './device-spec-entry.js';
import { DeviceSpecError } from './device-spec-error.js';
import { type EntryOptions, parseEntry } from './parse-device-spec-entry.js';
import { noPciFacts, type PciFacts } from './pci-facts.js';
import { ofOnePool, type PoolKeys, poolKeys, poolName } from './pool-keys.js';
import type { ReportedDevice } from './reported-device.js';
import { fieldsOf, shown } from './written.js';

export interface DeviceSpecOptions {
  /** Whether devices are reported to placement: `one_time_use` needs it. Default false. */
  readonly reportInPlacement?: boolean | undefined;
  /** Needed where an entry names a network interface or a PF. Default: a host that has neither. */
  readonly pci?: PciFacts | undefined;
}

/**
 * Which devices may be used, and what they are tagged with: nova's `[pci] device_spec`. The first
 * entry that matches a device decides.
 */
export class DeviceSpec {
  readonly entries: readonly DeviceSpecEntry[];
  readonly #pci: PciFacts;
  readonly #pools = new Map<string, PoolKeys>();
  #last: { device: ReportedDevice; entry: DeviceSpecEntry; keys: PoolKeys } | null = null;

  private constructor(entries: readonly DeviceSpecEntry[], pci: PciFacts) {
    this.entries = entries;
    this.#pci = pci;
  }

  /**
   * Takes what operators write for nova: an object, a list of objects, or such as JSON text; or a
   * list of these, as the option may be given several times. Nothing matches an empty list.
   *
   * @throws {DeviceSpecError} at the first entry that cannot be used
   */
  static parse(
    entries: unknown,
    { reportInPlacement = false, pci = noPciFacts }: DeviceSpecOptions = {},
  ): DeviceSpec {
    return new DeviceSpec(parseEntries(entries, { reportInPlacement, pci }), pci);
  }

  /** Whether some entry is only about devices of cards whose serial number is known. */
  get asksForSerialNumbers(): boolean {
    return this.entries.some(({ remoteManaged }) => remoteManaged);
  }

  /** The first entry that is about the device. Null: it may not be used. */
  match(device: ReportedDevice): DeviceSpecEntry | null {
    const candidate = candidateOf(device);
    for (const entry of this.entries) {
      if (entryMatches(entry, candidate, this.#pci)) return entry;
    }
    return null;
  }

  /** The device with what its entry says of it in `extra`; null when it may not be used. */
  admitted(device: ReportedDevice): ReportedDevice | null {
    const entry = this.match(device);
    if (entry === null) return null;
    const { enhanced } = entry;
    for (const _ in enhanced) return { ...device, extra: { ...device.extra, ...enhanced } };
    return device;
  }

  /** Every entry that is about the device, to explain a decision: only the first decides. */
  matches(device: ReportedDevice): DeviceSpecEntry[] {
    const candidate = candidateOf(device);
    return this.entries.filter((entry) => entryMatches(entry, candidate, this.#pci));
  }

  /** The keys of the pool that the device belongs to: of one pool the same object. Null: of none. */
  poolKeys(device: ReportedDevice): PoolKeys | null {
    const entry = this.match(device);
    if (entry === null) return null;
    // Thousands of devices make few pools, and those of one PF follow one another.
    const last = this.#last;
    if (last !== null && entry === last.entry && ofOnePool(device, last.device)) return last.keys;
    const pool = poolName(device, entry);
    let keys = this.#pools.get(pool);
    if (keys === undefined) {
      // PFs that come and go over a long time are not to be remembered for good.
      if (this.#pools.size >= mostPools) this.#pools.clear();
      keys = Object.freeze(poolKeys(device, entry));
      this.#pools.set(pool, keys);
    }
    this.#last = { device, entry, keys };
    return keys;
  }
}

const mostPools = 4096;

function candidateOf(device: ReportedDevice): Candidate {
  return {
    device,
    own: device.address === null ? null : packAddress(device.address),
    parent: device.parentAddress === null ? null : packAddress(device.parentAddress),
  };
}

function parseEntries(written: unknown, options: EntryOptions): DeviceSpecEntry[] {
  const entries: DeviceSpecEntry[] = [];
  const add = (number: string, entry: unknown): void => {
    const fields = fieldsOf(entry);
    const place = { number, written: entry };
    if (fields === null) throw new DeviceSpecError(place, null, 'entry', 'expected an object');
    entries.push(parseEntry(entries.length, place, fields, options));
  };
  const values: readonly unknown[] = Array.isArray(written) ? written : [written];
  for (const [index, value] of values.entries()) {
    const number = `${index + 1}`;
    const meant = typeof value === 'string' ? parseText(number, value) : value;
    if (Array.isArray(meant)) {
      for (const [at, entry] of meant.entries()) add(`${number}.${at + 1}`, entry);
    } else if (fieldsOf(meant) !== null) add(number, meant);
    else {
      const reason = `expected an object or a list of objects, not ${shown(meant)}`;
      throw new DeviceSpecError({ number, written: value }, null, 'entry', reason);
    }
  }
  return entries;
}

function parseText(number: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = `is no JSON: ${error instanceof Error ? error.message : error}`;
    throw new DeviceSpecError({ number, written: text }, null, 'entry', reason);
  }
}
