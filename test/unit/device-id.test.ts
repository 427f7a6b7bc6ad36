import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
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
