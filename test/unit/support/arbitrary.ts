import fc from 'fast-check';
import type { PciAddress } from '../../../src/host/pci-address.js';

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Addresses as the kernel writes them, VMD domains among them. */
export const pciAddresses: fc.Arbitrary<PciAddress> = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0x1_0000, max: 0xffff_ffff }),
    ),
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 31 }),
    fc.integer({ min: 0, max: 7 }),
  )
  .map(
    ([domain, bus, device, fn]) =>
      `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${fn}` as PciAddress,
  );
