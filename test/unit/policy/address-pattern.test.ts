import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packAddress, parseGlob, parseRegex } from '../../../src/policy/address-pattern.js';
import { pciAddresses } from '../support/arbitrary.js';

const globMatches = (glob: string, address: string) => {
  const packed = packAddress(address);
  return packed !== null && parseGlob(glob).matches(packed);
};

describe('a glob', () => {
  test.each(['', '*', '.', '::', '::.', '*:*:*.*', '*.*', '  '])('%j means everything', (glob) => {
    expect(parseGlob(glob)).toMatchObject({ any: true, single: null });
    expect(globMatches(glob, 'ffff:ff:1f.7')).toBe(true);
  });

  test.each([
    ['06:00.1', '1234:06:00.1', '1234:06:00.2'],
    ['0000:06:00', '0000:06:00.7', '0001:06:00.7'],
    ['06', '1234:99:06.3', '1234:06:07.3'],
    ['.1', '1234:99:06.1', '1234:99:06.0'],
    [':00.', '1234:99:00.1', '1234:99:01.1'],
    ['0x06:0x1F.*', '0000:06:1f.0', '0000:06:1e.0'],
    ['ffff:*:*.*', 'ffff:00:00.0', 'fffe:00:00.0'],
  ])('%j matches %s and not %s', (glob, yes, no) => {
    expect([globMatches(glob, yes), globMatches(glob, no)]).toEqual([true, false]);
  });

  test.each([
    ['10000:0:0.0', /domain 10000 is greater than FFFF/],
    ['100:0.0', /bus 100 is greater than FF/],
    ['20.0', /slot 20 is greater than 1F/],
    ['.8', /function 8 is greater than 7/],
    ['0*:00.0', /bus "0\*" is no hex number/],
    ['-1', /slot "-1" is no hex number/],
    ['0_6', /no hex number/],
    ['1.2.3', /function "2.3"/],
    ['1'.repeat(400), /no hex number/],
  ])('%j is refused with the field and the reason', (glob, reason) => {
    expect(() => parseGlob(glob)).toThrow(reason);
    expect(() => parseGlob(glob)).toThrow(RangeError);
  });

  test('of more than three colons is no address', () => {
    expect(() => parseGlob('0:0:0:0.0')).toThrow(SyntaxError);
  });

  test('of one whole address matches that address alone', () => {
    fc.assert(
      fc.property(pciAddresses, pciAddresses, (one, other) => {
        fc.pre(packAddress(one) !== null);
        const glob = parseGlob(one);
        expect([glob.single, glob.any]).toEqual([one, false]);
        expect(globMatches(one, one)).toBe(true);
        expect(globMatches(one, other)).toBe(one === other);
      }),
    );
  });

  test('matches exactly when every field that it names is the same', () => {
    const field = (most: number) => fc.option(fc.integer({ min: 0, max: most }), { nil: null });
    const near = (most: number) => fc.constantFrom(0, 1, most);
    fc.assert(
      fc.property(
        fc.tuple(field(0xffff), field(0xff), field(0x1f), field(7)),
        fc.tuple(near(0xffff), near(0xff), near(0x1f), near(7)),
        fc.boolean(),
        (wanted, values, same) => {
          const named = wanted.map((value, at) => (value === null || !same ? value : values[at]));
          const text = (parts: readonly (number | null | undefined)[]) => {
            const [domain, bus, slot, fn] = parts.map((part) => part?.toString(16) ?? '*');
            return `${domain}:${bus}:${slot}.${fn}`;
          };
          expect(globMatches(text(named), text(values))).toBe(
            named.every((value, at) => value === null || value === values[at]),
          );
        },
      ),
    );
  });

  test('of any text is read or refused, never anything else', () => {
    const unit = fc.constantFrom(...'0123af:.*x -\u0000\u0660é'.split(''));
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        try {
          expect(parseGlob(text).kind).toBe('glob');
        } catch (error) {
          expect(error instanceof RangeError || error instanceof SyntaxError).toBe(true);
        }
        expect(packAddress(text) ?? 0).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('an address as a number', () => {
  test('is the same for every spelling, and another for every other address', () => {
    expect(packAddress('0:3:0.2')).toBe(packAddress('0000:03:00.2'));
    fc.assert(
      fc.property(pciAddresses, pciAddresses, (one, other) => {
        const packed = packAddress(one);
        fc.pre(packed !== null);
        expect(packed === packAddress(other)).toBe(one === other);
      }),
    );
  });

  test('is none for a domain of 32 bits, nor for what is no address', () => {
    for (const text of ['10000:01:00.0', '0000:03:00', '03:00.0', '', 'bogus', '0:0:20.0']) {
      expect(packAddress(text)).toBeNull();
    }
  });
});

describe('an address of regular expressions', () => {
  const matchesAt = (fields: Record<string, unknown>, address: string) =>
    parseRegex(Object.entries(fields)).matches(packAddress(address) ?? 0);

  test('asks each field with its leading zeros, from its beginning', () => {
    expect(matchesAt({ bus: '0', function: '[0-3]' }, '0000:06:00.2')).toBe(true);
    expect(matchesAt({ bus: '6' }, '0000:06:00.2')).toBe(false);
    expect(matchesAt({ domain: '0000$', slot: '1f' }, '0000:06:1f.2')).toBe(true);
  });

  test.each([
    [{ func: '0' }, /has no field "func": expected domain, bus, slot, function/],
    [{ bus: 6 }, /its bus is no text/],
    [{ bus: null }, /its bus is no text/],
    [{ bus: '(' }, /its bus "\(" is no regular expression: missing \)/],
    [{ ['__proto__']: '0' }, /has no field "__proto__"/],
  ])('refuses %j with the reason', (fields, reason) => {
    expect(() => parseRegex(Object.entries(fields))).toThrow(reason);
  });
});
