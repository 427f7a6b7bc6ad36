import { VdpaError } from '../errors.js';
import type { DeviceRequest, RequestId, RequestSpec } from './device-request.js';
import { type NumaPolicy, numaPolicies } from './numa-policy.js';
import { type RequestOptions, randomRequestId } from './port-requests.js';
import { truth, truthWords } from './truth.js';
import { fieldsOf, shown } from './written.js';

interface Alias {
  readonly numaPolicy: NumaPolicy;
  /** Of entries with the same name: any of them will do. */
  readonly spec: RequestSpec[];
}

const typesForAliases = ['type-PCI', 'type-PF', 'type-VF'];
const mostNameCharacters = 256;

/** What a key of an alias must be; words for the error message if it is not. */
const checks: Readonly<Record<string, (value: unknown) => string | null>> = {
  name: (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= mostNameCharacters
      ? null
      : `expected text of 1 to ${mostNameCharacters} characters`,
  capability_type: (value) => (value === 'pci' ? null : 'expected pci'),
  vendor_id: fourDigits,
  product_id: fourDigits,
  device_type: (value) => {
    if (value === 'vdpa') {
      return 'a vDPA device can only be asked for by a neutron port of vnic_type vdpa';
    }
    return typesForAliases.includes(value as string)
      ? null
      : `expected ${typesForAliases.join(', ')}`;
  },
  numa_policy: (value) =>
    numaPolicies.includes(value as NumaPolicy) ? null : `expected ${numaPolicies.join(', ')}`,
  resource_class: text,
  traits: text,
  live_migratable: (value) =>
    typeof value === 'boolean' || (typeof value === 'string' && truth(value) !== null)
      ? null
      : `expected one of ${truthWords}`,
};

function fourDigits(value: unknown): string | null {
  const fits = typeof value === 'string' && /^[\da-f]{4}$/i.test(value);
  return fits ? null : 'expected four hexadecimal digits, as text';
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? null : 'expected text';
}

/**
 * Names for kinds of PCI device, by which a flavor asks: nova's `[pci] alias`. No alias ever gets a
 * vDPA device.
 */
export class PciAliases {
  readonly #aliases: ReadonlyMap<string, Alias>;

  private constructor(aliases: ReadonlyMap<string, Alias>) {
    this.#aliases = aliases;
  }

  /**
   * Takes what operators write for nova: objects, or their JSON as text.
   *
   * @throws {VdpaError} ALIAS_INVALID, naming the entry, the key and the reason
   */
  static parse(entries: readonly unknown[]): PciAliases {
    const aliases = new Map<string, Alias>();
    for (const [index, entry] of entries.entries()) addAlias(aliases, entry, index);
    return new PciAliases(aliases);
  }

  /**
   * The requests of a flavor's extra spec `pci_passthrough:alias`, such as `gpu:2,nic:1`. A number
   * below one is passed on, to be refused by the claim.
   *
   * @throws {VdpaError} ALIAS_UNKNOWN, ALIAS_INVALID when the text has another form
   */
  requests(
    flavor: string,
    { numaPolicy = null, newRequestId = randomRequestId }: RequestOptions = {},
  ): DeviceRequest[] {
    return flavor.split(',').map((wish) => {
      const [name = '', number, ...more] = wish.split(':').map((part) => part.trim());
      const count = /^[+-]?\d+$/.test(number ?? '') ? Number(number) : Number.NaN;
      if (!Number.isSafeInteger(count) || more.length > 0) {
        throw invalid(`${shown(wish)} is no wish for devices: expected NAME:NUMBER`);
      }
      const alias = this.#aliases.get(name);
      if (alias === undefined) {
        throw new VdpaError('ALIAS_UNKNOWN', `PCI alias ${shown(name)} is not defined`);
      }
      return {
        requestId: newRequestId() as RequestId,
        count,
        spec: alias.spec,
        numaPolicy: numaPolicy ?? alias.numaPolicy,
        alias: name,
        portId: null,
      };
    });
  }
}

function addAlias(aliases: Map<string, Alias>, entry: unknown, index: number): void {
  const problem = (reason: string) =>
    invalid(`alias entry ${index + 1}, ${shown(entry)}: ${reason}`);
  const fields = fieldsOf(typeof entry === 'string' ? jsonOf(entry, problem) : entry);
  if (fields === null) throw problem('expected an object');
  for (const [key, value] of fields) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    const complaint = check === undefined ? 'is no key of an alias' : check(value);
    if (complaint !== null) throw problem(`${key}: ${complaint}`);
  }
  // Every key that an alias can have has been checked, and has no other than these values.
  const written = new Map(fields as [string, string | boolean][]);
  for (const key of ['name', 'vendor_id', 'product_id']) {
    if (!written.has(key)) throw problem(`${key}: is missing`);
  }
  const name = String(written.get('name')).trim();
  const numaPolicy = (written.get('numa_policy') ?? 'legacy') as NumaPolicy;
  const spec = specOf(written);
  const before = aliases.get(name);
  if (before === undefined) {
    aliases.set(name, { numaPolicy, spec: [spec] });
    return;
  }
  if (before.numaPolicy !== numaPolicy) {
    throw problem(`numa_policy: another entry ${shown(name)} has ${before.numaPolicy}`);
  }
  const type = before.spec[0]?.['dev_type'];
  if (type !== spec['dev_type']) {
    throw problem(`device_type: another entry ${shown(name)} has ${type ?? 'none'}`);
  }
  before.spec.push(spec);
}

function specOf(written: ReadonlyMap<string, string | boolean>): RequestSpec {
  const spec: Record<string, string> = {};
  for (const [key, value] of written) {
    // All devices are PCI devices: no pool says so, and none is to be left out for that.
    if (key === 'name' || key === 'numa_policy' || key === 'capability_type') continue;
    if (key === 'device_type') spec['dev_type'] = String(value);
    else if (key === 'live_migratable') spec[key] = truth(String(value)) ? 'true' : 'false';
    else spec[key] = String(value);
  }
  return spec;
}

function jsonOf(text: string, problem: (reason: string) => VdpaError): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw problem(`is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function invalid(message: string): VdpaError {
  return new VdpaError('ALIAS_INVALID', message);
}
