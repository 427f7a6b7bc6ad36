import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deviceClass, deviceClasses, featureNames } from '../../src/host/features.js';

const words = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

describe('feature names', () => {
  test.each([
    ['net', 0x1_0001_0028n, ['MTU', 'MAC', 'STATUS', 'VERSION_1']],
    ['block', 0x1_0001_0046n, ['SIZE_MAX', 'SEG_MAX', 'BLK_SIZE', 'SECURE_ERASE', 'VERSION_1']],
    ['virtio-20', 0x1_0000_0001n, ['BIT_0', 'VERSION_1']],
    [null, 0x1_0000_0020n, ['BIT_5', 'VERSION_1']],
    ['net', 1n << 63n, ['SPEED_DUPLEX']],
    ['net', 1n << 60n, ['RSS']],
    ['net', 1n << 50n, ['DEVICE_STATS']],
    ['net', 1n << 51n, ['BIT_51']],
    ['block', 1n << 63n, ['BIT_63']],
    ['net', 0n, []],
  ] as const)('of class %s for %o are %o', (kind, features, expected) => {
    expect(featureNames(features, kind)).toEqual(expected);
  });

  test('are as many as bits are set, in their order, none twice', () => {
    for (const kind of ['net', 'block', 'virtio-5', null] as const) {
      const everyBit = Array.from({ length: 64 }, (_, bit) =>
        featureNames(1n << BigInt(bit), kind),
      );
      expect(new Set(everyBit.flat()).size).toBe(64);
      fc.assert(
        fc.property(words, (features) => {
          const expected = everyBit.filter((_, bit) => (features >> BigInt(bit)) & 1n).flat();
          expect(featureNames(features, kind)).toEqual(expected);
        }),
      );
    }
  });
});

describe('a device class', () => {
  test('is a name for network and block, a number for the others', () => {
    expect([1, 2, 0, 20].map(deviceClass)).toEqual(['net', 'block', 'virtio-0', 'virtio-20']);
  });

  test('stands in a mask at the bit of its virtio id', () => {
    expect(deviceClasses(0x8000_0000_0000_0006n)).toEqual(['net', 'block', 'virtio-63']);
    expect(deviceClasses(0n)).toEqual([]);
  });
});
