import {
  AddressFormatError,
  type AddressPattern,
  parseGlob,
  parseRegex,
} from './address-pattern.js';
import type { DeviceSpecEntry } from './device-spec-entry.js';
import { DeviceSpecError, type DeviceSpecProblem, type EntryPlace } from './device-spec-error.js';
import { hexNumber } from './hex-number.js';
import type { PciFacts } from './pci-facts.js';
import { truth, truthWords } from './truth.js';
import { fieldsOf, shown } from './written.js';

export interface EntryOptions {
  readonly reportInPlacement: boolean;
  readonly pci: PciFacts;
}

/**
 * @param place for error messages
 * @param fields of the object that was written
 * @throws {DeviceSpecError}
 */
export function parseEntry(
  index: number,
  place: EntryPlace,
  fields: readonly (readonly [string, unknown])[],
  options: EntryOptions,
): DeviceSpecEntry {
  return new EntryParser(place, new Map(fields), options).parse(index);
}

const own = new Set(['vendor_id', 'product_id', 'devname', 'address']);

class EntryParser {
  readonly #place: EntryPlace;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #options: EntryOptions;

  constructor(place: EntryPlace, fields: ReadonlyMap<string, unknown>, options: EntryOptions) {
    this.#place = place;
    this.#fields = fields;
    this.#options = options;
  }

  parse(index: number): DeviceSpecEntry {
    const vendorId = this.#id('vendor_id');
    const productId = this.#id('product_id');
    const devname = this.#devname();
    const address = this.#address(devname);
    const tags = this.#tags();
    const managed = this.#flag('managed', tags);
    const migratable = this.#flag('live_migratable', tags);
    if (this.#flag('one_time_use', tags) === 'true' && !this.#options.reportInPlacement) {
      throw this.#error('one_time_use', 'value', 'one_time_use=true requires reportInPlacement');
    }
    const remoteManaged = truth(tags['remote_managed'] ?? '') ?? false;
    const entry: DeviceSpecEntry = {
      index,
      vendorId,
      productId,
      devname,
      address,
      remoteManaged,
      tags,
      enhanced: {
        ...(managed !== null && { managed }),
        ...(migratable !== null && { live_migratable: migratable }),
      },
    };
    if (remoteManaged) this.#checkRemoteManaged(entry);
    return entry;
  }

  #error(key: string, problem: DeviceSpecProblem, reason: string): DeviceSpecError {
    return new DeviceSpecError(this.#place, key, problem, reason);
  }

  /** Left out: `*`. */
  #id(key: 'vendor_id' | 'product_id'): string {
    const written = this.#fields.get(key);
    if (written === undefined) return '*';
    if (typeof written !== 'string') {
      throw this.#error(key, 'value', `expected text such as "15b3", not ${shown(written)}`);
    }
    // Nova takes blanks around the vendor's * alone.
    if ((key === 'vendor_id' ? written.trim() : written) === '*') return '*';
    const value = hexNumber(written);
    if (value === null) {
      throw this.#error(key, 'value', `${shown(written)} is no hex number, nor *`);
    }
    if (value > 0xffff) {
      throw this.#error(key, 'value', `${shown(written)} is greater than FFFF`);
    }
    return value.toString(16).padStart(4, '0');
  }

  #devname(): string | null {
    const written = this.#fields.get('devname') ?? '';
    if (typeof written !== 'string') {
      throw this.#error('devname', 'value', `expected an interface's name, not ${shown(written)}`);
    }
    return written === '' ? null : written;
  }

  #address(devname: string | null): AddressPattern | null {
    const written = this.#fields.get('address') ?? '';
    const fields = fieldsOf(written);
    const given = fields === null ? written !== '' : fields.length > 0;
    if (devname !== null) {
      if (!given) return null;
      throw this.#error(
        'devname',
        'address-and-devname',
        'devname and address cannot be in one entry',
      );
    }
    try {
      if (typeof written === 'string') return parseGlob(written);
      if (fields !== null) return given ? parseRegex(fields) : parseGlob('*');
    } catch (error) {
      if (error instanceof AddressFormatError) {
        throw this.#error('address', 'address', error.message);
      }
      if (error instanceof RangeError) throw this.#error('address', 'value', error.message);
      throw error;
    }
    throw this.#error('address', 'address', `expected text or an object, not ${shown(written)}`);
  }

  #tags(): Record<string, string | null> {
    // Tags are the operator's words, `__proto__` and `constructor` included.
    const tags: Record<string, string | null> = Object.create(null);
    for (const [key, value] of this.#fields) {
      if (!own.has(key) && value !== undefined) tags[key] = this.#tagText(key, value);
    }
    return tags;
  }

  #tagText(key: string, value: unknown): string | null {
    if (value === null || typeof value === 'string') return value;
    if (typeof value === 'boolean' || Number.isFinite(value)) return String(value);
    try {
      if (typeof value === 'object') return JSON.stringify(value);
    } catch {
      // It is nested without end.
    }
    throw this.#error(key, 'value', `${shown(value)} is no value of a tag`);
  }

  /** A tag that means yes or no, written as one of the two; null when it is not given. */
  #flag(key: string, tags: Record<string, string | null>): 'true' | 'false' | null {
    const text = tags[key];
    if (text === undefined || text === null) return null;
    const meant = truth(text);
    if (meant === null) {
      throw this.#error(key, 'value', `${shown(this.#fields.get(key))} is none of ${truthWords}`);
    }
    const written = meant ? 'true' : 'false';
    tags[key] = written;
    return written;
  }

  /** A PF cannot be remote-managed: nobody could control it from its other side. Its VFs can. */
  #checkRemoteManaged({ devname, address, vendorId, productId }: DeviceSpecEntry): void {
    const { pci } = this.#options;
    const place = devname === null ? (address?.single ?? null) : pci.functionOfNetdev(devname);
    if (place === null) {
      if (devname === null) return;
      throw this.#error(
        'devname',
        'remote-device-absent',
        `a remote-managed device must be there, and there is no interface ${shown(devname)}`,
      );
    }
    const pf = pci.physicalFunction(place);
    if (pf === null) return;
    const { vfProductId } = pf;
    const ownVendor = vendorId === pf.vendorId || vendorId === '*';
    if (productId === vfProductId && ownVendor) return;
    if (productId === pf.productId || productId === '*') {
      const advice = `give the product_id of its VFs${vfProductId === null ? '' : `, ${vfProductId}`}`;
      throw this.#error('remote_managed', 'remote-pf', `${place} is a PF: ${advice}`);
    }
    throw this.#error(
      ownVendor ? 'product_id' : 'vendor_id',
      'value',
      `the VFs of ${place} are ${pf.vendorId}:${vfProductId ?? '(unknown)'}, not ${vendorId}:${productId}`,
    );
  }
}
