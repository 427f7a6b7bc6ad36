import { describe, expect, test } from 'vitest';
import { PciAliases } from '../../../src/policy/pci-aliases.js';

const gpu = { name: 'gpu', vendor_id: '10de', product_id: '1eb8' };
const requests = (entries: readonly unknown[], flavor: string) =>
  PciAliases.parse(entries).requests(flavor, { newRequestId: () => 'r' });

describe('an alias', () => {
  test('asks for devices of its ids, as many as the flavor says', () => {
    const nic =
      '{"name": " nic ", "vendor_id": "15B3", "product_id": "101d", "device_type": "type-PF", "numa_policy": "socket", "live_migratable": "yes"}';
    expect(requests([{ ...gpu, capability_type: 'pci' }, nic], ' gpu : 2 ,nic:1')).toEqual([
      {
        requestId: 'r',
        count: 2,
        spec: [{ vendor_id: '10de', product_id: '1eb8' }],
        numaPolicy: 'legacy',
        alias: 'gpu',
        portId: null,
      },
      {
        requestId: 'r',
        count: 1,
        spec: [
          { vendor_id: '15B3', product_id: '101d', dev_type: 'type-PF', live_migratable: 'true' },
        ],
        numaPolicy: 'socket',
        alias: 'nic',
        portId: null,
      },
    ]);
  });

  test('of a name that others have asks for a device of any of them', () => {
    const other = { ...gpu, product_id: '1eb9' };
    expect(requests([gpu, other], 'gpu:1')[0]?.spec.map((spec) => spec['product_id'])).toEqual([
      '1eb8',
      '1eb9',
    ]);
  });

  test('yields to the NUMA policy of the instance', () => {
    const aliases = PciAliases.parse([{ ...gpu, numa_policy: 'preferred' }]);
    const policies = [null, 'required' as const].map(
      (numaPolicy) => aliases.requests('gpu:1', { numaPolicy })[0]?.numaPolicy,
    );
    expect(policies).toEqual(['preferred', 'required']);
  });

  test.each([
    [
      { ...gpu, device_type: 'vdpa' },
      /device_type: a vDPA device can only be asked for by a neutron port/,
    ],
    [{ ...gpu, device_type: 'type-XX' }, /device_type: expected type-PCI, type-PF, type-VF/],
    [{ ...gpu, vendor_id: '15b' }, /vendor_id: expected four hexadecimal digits/],
    [{ ...gpu, product_id: 5555 }, /product_id: expected four hexadecimal digits/],
    [{ ...gpu, numa_policy: 'near' }, /numa_policy: expected required/],
    [{ ...gpu, live_migratable: 'maybe' }, /live_migratable: expected one of/],
    [{ ...gpu, live_migratable: null }, /live_migratable: expected one of/],
    [{ ...gpu, traits: ['X'] }, /traits: expected text/],
    [{ ...gpu, capability_type: 'usb' }, /capability_type: expected pci/],
    [{ ...gpu, name: ' ' }, /name: expected text of 1 to 256 characters/],
    [{ ...gpu, name: 'x'.repeat(257) }, /name: expected text/],
    [{ ...gpu, colour: 'red' }, /colour: is no key of an alias/],
    [JSON.parse('{"name":"gpu","__proto__":"x"}'), /__proto__: is no key of an alias/],
    [{ ...gpu, constructor: 'x' }, /constructor: is no key of an alias/],
    [{ name: 'gpu', product_id: '1eb8' }, /vendor_id: is missing/],
    [{ vendor_id: '10de', product_id: '1eb8' }, /name: is missing/],
    [{ ...gpu, device_type: 'type-VF' }, /device_type: another entry "gpu" has none/],
    [{ ...gpu, numa_policy: 'socket' }, /numa_policy: another entry "gpu" has legacy/],
    ['{"name"', /is no JSON/],
    ['[]', /expected an object/],
    [null, /expected an object/],
  ])('that is wrong is refused with its number, key and reason: %#', (entry, reason) => {
    expect(() => PciAliases.parse([gpu, entry])).toThrow(
      expect.objectContaining({ code: 'ALIAS_INVALID', message: expect.stringMatching(reason) }),
    );
    expect(() => PciAliases.parse([gpu, entry])).toThrow(/^alias entry 2, /);
  });
});

describe('what a flavor asks by', () => {
  test.each(['gpu', 'gpu:', 'gpu:x', 'gpu:1.5', 'gpu:1:2', 'gpu:1,', '', `gpu:${'9'.repeat(20)}`])(
    '%j is refused',
    (flavor) => {
      expect(() => requests([gpu], flavor)).toThrow(
        expect.objectContaining({ code: 'ALIAS_INVALID' }),
      );
    },
  );

  test.each(['nic:1', 'constructor:1', '__proto__:1'])('%j is not defined', (flavor) => {
    expect(() => requests([gpu], flavor)).toThrow(
      expect.objectContaining({ code: 'ALIAS_UNKNOWN' }),
    );
  });
});
