import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPciAddress, type PciAddress, pciFunctionNumber } from '../../src/host/pci-address.js';
import { pciAddresses } from './support/arbitrary.js';

describe('a PCI address', () => {
  test("is one in the kernel's own spelling", () => {
    fc.assert(fc.property(pciAddresses, (address) => isPciAddress(address)));
  });

  test.each([
    '65:00.2',
    '000:65:00.2',
    '0000:65:00.8',
    '0000:65:20.0',
    '0000:6A:00.0',
    '00010000:65:00.0',
    '00000:65:00.0',
    '100000000:65:00.0',
    ' 0000:65:00.0',
    '0000:65:00.0\n',
    '0000:65:00.00',
    '0000-65-00.0',
    '',
  ])('is not %j', (text) => {
    expect(isPciAddress(text)).toBe(false);
  });

  test('ends in its function number', () => {
    expect(pciFunctionNumber('0000:65:1f.7' as PciAddress)).toBe(7);
    expect(pciFunctionNumber('10000:65:00.0' as PciAddress)).toBe(0);
  });
});
