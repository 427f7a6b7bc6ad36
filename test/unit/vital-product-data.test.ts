import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serialNumberOf } from '../../src/host/vital-product-data.js';

const long = (tag: number, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(tag, value.length & 0xff, value.length >> 8), value]);
const field = (name: string, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(name), Buffer.of(value.length), value]);
const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const name = long(0x82, text('a card'));
const end = Buffer.of(0x78);

const printable = fc
  .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 })
  .filter((value) => !value.endsWith(' '));
/** Other fields, none of them the serial number. */
const otherFields = fc.array(
  fc
    .tuple(fc.constantFrom('PN', 'EC', 'V0', 'MN'), fc.uint8Array({ maxLength: 20 }))
    .map(([key, value]) => field(key, value)),
  { maxLength: 4 },
);

describe('the serial number', () => {
  test('is that of the read-only part, wherever in it, without what fills it up', () => {
    fc.assert(
      fc.property(printable, otherFields, otherFields, fc.nat(3), (serial, before, after, fill) => {
        const value = text(serial + '\0'.repeat(fill));
        const part = long(0x90, Buffer.concat([...before, field('SN', value), ...after]));
        expect(serialNumberOf(Buffer.concat([name, part, end]))).toBe(serial);
      }),
    );
  });

  test('is not that of the part which may be written', () => {
    const written = long(0x91, field('SN', text('mine')));
    expect(serialNumberOf(Buffer.concat([name, written, end]))).toBeNull();
  });

  test('is not looked for behind the end', () => {
    const part = long(0x90, field('SN', text('LAB1')));
    expect(serialNumberOf(Buffer.concat([name, end, part]))).toBeNull();
    expect(serialNumberOf(Buffer.concat([Buffer.of(0x21, 0xff), part, end]))).toBe('LAB1');
  });

  test('is none of data that is cut short', () => {
    const whole = Buffer.concat([name, long(0x90, field('SN', text('LAB1'))), end]);
    const partEnd = whole.length - 1;
    for (let length = 0; length < partEnd; length++) {
      expect(serialNumberOf(whole.subarray(0, length))).toBeNull();
    }
    const short = Buffer.from(whole);
    short[name.length + 5] = 5; // the field says that it is longer than its part
    expect(serialNumberOf(short)).toBeNull();
  });

  test('is none that cannot be shown', () => {
    for (const value of ['', '  ', '\0\0', 'a\nb', 'caf\xe9']) {
      expect(serialNumberOf(long(0x90, field('SN', text(value))))).toBeNull();
    }
  });

  test('of any bytes is a text that can be shown, or none', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 60 }).map((value) => long(0x90, value)),
    );
    fc.assert(
      fc.property(bytes, (data) => {
        expect(serialNumberOf(data) ?? 'none').toMatch(/^[\x20-\x7e]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});
