import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isVdpaName,
  parseDeviceId,
  pciDeviceId,
  scalableFunctionDeviceId,
  softwareDeviceId,
} from '../../src/host/device-id.js';
import { pciAddresses } from './support/arbitrary.js';

const names = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..');

describe('a device id', () => {
  test('of a PCI function is taken apart into what it was made of', () => {
    fc.assert(
      fc.property(pciAddresses, (address) => {
        expect(parseDeviceId(pciDeviceId(address))).toEqual({ kind: 'pci', pciAddress: address });
      }),
    );
  });

  test('of a scalable function, too', () => {
    fc.assert(
      fc.property(pciAddresses, fc.integer({ min: 0, max: 0xffff_ffff }), (pf, sfNumber) => {
        const id = scalableFunctionDeviceId(pf, sfNumber);
        expect(parseDeviceId(id)).toEqual({ kind: 'sf', pfAddress: pf, sfNumber });
      }),
    );
  });

  test('of a software device, too, whatever its name', () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(parseDeviceId(softwareDeviceId(name))).toEqual({ kind: 'vdpa', name });
      }),
    );
  });

  test('is never two things: any text is refused or means itself', () => {
    const parts = fc.constantFrom('pci/', 'vdpa/', '0000:65:00.2', '/sf/', '88', '\n', '.', ' ');
    fc.assert(
      fc.property(fc.array(fc.oneof(parts, fc.string({ maxLength: 4 }))), (pieces) => {
        const text = pieces.join('');
        let parsed: ReturnType<typeof parseDeviceId>;
        try {
          parsed = parseDeviceId(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        const again =
          parsed.kind === 'pci'
            ? `pci/${parsed.pciAddress}`
            : parsed.kind === 'sf'
              ? `pci/${parsed.pfAddress}/sf/${parsed.sfNumber}`
              : `vdpa/${parsed.name}`;
        expect(again).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test('that is none is named in the error, with the forms there are', () => {
    expect(() => parseDeviceId('0000:65:00.2')).toThrow(
      new TypeError(
        '"0000:65:00.2" is no device id: expected pci/0000:65:00.2, pci/0000:65:00.0/sf/88 or vdpa/NAME',
      ),
    );
  });
});

describe('the name of a vDPA device', { timeout: 60_000 }, () => {
  test('is one exactly when an id can have it', () => {
    fc.assert(
      fc.property(fc.oneof(names, fc.string({ unit: 'binary', maxLength: 300 })), (name) => {
        const parses = (): boolean => {
          try {
            return parseDeviceId(`vdpa/${name}`).kind === 'vdpa';
          } catch {
            return false;
          }
        };
        expect(isVdpaName(name)).toBe(parses());
      }),
    );
  });

  test.each<[string, unknown]>([
    ['empty', ''],
    ['this directory', '.'],
    ['the directory above', '..'],
    ['a path', 'vdpa0/driver'],
    ['cut by the kernel', 'vdpa0\0'],
    ['of 256 bytes', 'x'.repeat(256)],
    ['of 128 letters in two bytes each', 'ä'.repeat(128)],
    ['of 256 bytes that are no text', '\\xff'.repeat(256)],
    ['half a surrogate pair', 'v\udcff'],
    ['a number', 0],
    ['nothing', undefined],
    ['null', null],
    ['a list of one', ['vdpa0']],
  ])('is not %s', (_, name) => {
    expect(isVdpaName(name)).toBe(false);
  });

  const most = ['x'.repeat(255), 'ä'.repeat(127), '\\xff'.repeat(255)];
  test.each(['vdpa0', '...', 'a b', 'x\n', '\u{1f600}', ...most])('can be %j', (name) => {
    expect(isVdpaName(name)).toBe(true);
  });
});
