import { isPciAddress, type PciAddress } from '../host/pci-address.js';
import { AddressExpression } from './address-expression.js';
import { hexNumber } from './hex-number.js';

/**
 * Which PCI functions an entry of device_spec is about. Its four fields read `*` or hexadecimal
 * digits in a glob, and regular expressions otherwise.
 */
export interface AddressPattern extends Readonly<Record<AddressField, string>> {
  readonly kind: 'glob' | 'regex';
  /** The one function that it names; null for a pattern. */
  readonly single: PciAddress | null;
  /** Whether it excludes nothing: what has no PCI address is only matched by such a glob. */
  readonly any: boolean;
  /** @param address of `packAddress` */
  matches(address: number): boolean;
}

export type AddressField = 'domain' | 'bus' | 'slot' | 'function';

/** Where the field stands in a packed address, and its greatest value. */
interface Layout {
  readonly shift: number;
  readonly most: number;
  readonly digits: number;
}

const layouts: Readonly<Record<AddressField, Layout>> = {
  domain: { shift: 16, most: 0xffff, digits: 4 },
  bus: { shift: 8, most: 0xff, digits: 2 },
  slot: { shift: 3, most: 0x1f, digits: 2 },
  function: { shift: 0, most: 7, digits: 1 },
};
export const addressFields = Object.keys(layouts) as readonly AddressField[];

/** Another form than that of an address: too many fields, no expression, an unknown field. */
export class AddressFormatError extends SyntaxError {}

/**
 * A PCI address as one number, in 32 bits. Null for a text that is none, and for a domain beyond
 * `ffff` (a 32-bit VMD domain), which no device_spec can speak of.
 */
export function packAddress(text: string): number | null {
  const plain = packPlain(text);
  if (plain >= 0) return plain;
  const [, domain, bus, slot, func] = /^([^:]*):([^:]*):([^:]*)\.(.*)$/s.exec(text) ?? [];
  const values = { domain, bus, slot, function: func };
  let packed = 0;
  for (const field of addressFields) {
    const value = hexNumber(values[field] ?? '');
    if (value === null || value > layouts[field].most) return null;
    packed += value * 2 ** layouts[field].shift;
  }
  return packed;
}

/** The same of the kernel's own spelling, which is nearly every one; negative for any other. */
function packPlain(text: string): number {
  if (text.length !== plainLength) return -1;
  let bad = colon ^ text.charCodeAt(4);
  bad |= colon ^ text.charCodeAt(7);
  bad |= dot ^ text.charCodeAt(10);
  const [high, low] = [pair(text, 0), pair(text, 2)];
  const [bus, slot] = [pair(text, 5), pair(text, 8)];
  const func = digit(text, 11);
  if (bad !== 0 || (high | low | bus | slot | func) < 0 || slot > 0x1f || func > 7) return -1;
  return (high * 256 + low) * 0x1_0000 + ((bus << 8) | (slot << 3) | func);
}

const plainLength = '0000:65:00.2'.length;
const colon = ':'.charCodeAt(0);
const dot = '.'.charCodeAt(0);

function pair(text: string, at: number): number {
  return (digit(text, at) << 4) | digit(text, at + 1);
}

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/**
 * Reads `[[[[domain]:]bus:]slot][.function]`; a field that is missing, empty or `*` may be any.
 *
 * @throws {AddressFormatError}
 * @throws {RangeError} naming the field whose value is no number, or too great
 */
export function parseGlob(text: string): AddressPattern {
  const dot = text.indexOf('.');
  const [before, func] = dot < 0 ? [text, ''] : [text.slice(0, dot), text.slice(dot + 1)];
  const given = before.split(':');
  if (given.length > 3) throw new AddressFormatError('more than three colons-separated fields');
  const [domain = '', bus = '', slot = ''] = ['', '', ''].concat(given).slice(-3);
  const written = { domain, bus, slot, function: func };
  const fields = { domain: '*', bus: '*', slot: '*', function: '*' };
  let mask = 0;
  let wanted = 0;
  for (const field of addressFields) {
    const { shift, most, digits } = layouts[field];
    const value = fieldValue(field, written[field].trim(), most);
    if (value === null) continue;
    fields[field] = value.toString(16).padStart(digits, '0');
    mask += most * 2 ** shift;
    wanted += value * 2 ** shift;
  }
  const whole = `${fields.domain}:${fields.bus}:${fields.slot}.${fields.function}`;
  return {
    kind: 'glob',
    ...fields,
    single: isPciAddress(whole) ? whole : null,
    any: mask === 0,
    matches: (address) => (address & mask) >>> 0 === wanted,
  };
}

function fieldValue(field: AddressField, text: string, most: number): number | null {
  if (text === '' || text === '*') return null;
  const value = hexNumber(text);
  if (value === null) throw new RangeError(`the ${field} ${JSON.stringify(text)} is no hex number`);
  if (value > most) {
    throw new RangeError(`the ${field} ${text} is greater than ${most.toString(16).toUpperCase()}`);
  }
  return value;
}

/**
 * Reads the form with a regular expression for each field; a field that is missing may be any.
 *
 * @throws {AddressFormatError}
 */
export function parseRegex(fields: readonly (readonly [string, unknown])[]): AddressPattern {
  const sources = { domain: '.*', bus: '.*', slot: '.*', function: '.*' };
  for (const [name, source] of fields) {
    const field = addressFields.find((known) => known === name);
    if (field === undefined) {
      throw new AddressFormatError(
        `has no field ${JSON.stringify(name)}: expected ${addressFields.join(', ')}`,
      );
    }
    if (typeof source !== 'string') {
      throw new AddressFormatError(`its ${field} is no text: expected a regular expression`);
    }
    sources[field] = source;
  }
  const tests = addressFields.map((field) => fieldTest(field, sources[field]));
  return {
    kind: 'regex',
    ...sources,
    single: null,
    any: false,
    matches: (address) => tests.every((test) => test(address)),
  };
}

/** A field has few values: whether the expression matches is asked once of each that occurs. */
function fieldTest(field: AddressField, source: string): (address: number) => boolean {
  const { shift, most, digits } = layouts[field];
  const expression = expressionOf(field, source);
  const known = new Map<number, boolean>();
  return (address) => {
    const value = (address >>> shift) & most;
    let matches = known.get(value);
    if (matches === undefined) {
      matches = expression.matches(value.toString(16).padStart(digits, '0'));
      known.set(value, matches);
    }
    return matches;
  };
}

function expressionOf(field: AddressField, source: string): AddressExpression {
  try {
    return new AddressExpression(source);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AddressFormatError(
      `its ${field} ${JSON.stringify(source)} is no regular expression: ${error.message}`,
    );
  }
}
