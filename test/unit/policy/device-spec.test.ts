import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeviceSpec, type DeviceSpecOptions } from '../../../src/policy/device-spec.js';
import { DeviceSpecError } from '../../../src/policy/device-spec-error.js';
import type { PciFacts } from '../../../src/policy/pci-facts.js';
import { at, device, facts, pfAddress } from './device.js';

const parse = (entries: unknown, options: DeviceSpecOptions = {}) =>
  DeviceSpec.parse(entries, { pci: facts, ...options });

function refusal(entries: unknown, options?: DeviceSpecOptions): DeviceSpecError {
  try {
    parse(entries, options);
  } catch (error) {
    if (error instanceof DeviceSpecError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('device_spec is written', () => {
  test('as objects, lists of objects, and text of either, and counted in that order', () => {
    const spec = parse([
      { product_id: '0001' },
      [{ product_id: '0002' }, { product_id: '0003' }],
      '{"product_id": "0004"}',
      '[{"product_id": "0005"}]',
    ]);
    expect(spec.entries.map(({ index, productId }) => [index, productId])).toEqual([
      [0, '0001'],
      [1, '0002'],
      [2, '0003'],
      [3, '0004'],
      [4, '0005'],
    ]);
    expect(parse({ product_id: '0001' }).entries).toHaveLength(1);
    expect(parse('{"product_id": "0001"}').entries).toHaveLength(1);
  });

  test('not at all: then nothing may be used', () => {
    expect(parse([]).match(device())).toBeNull();
    expect(parse([]).poolKeys(device())).toBeNull();
  });

  test.each([
    [[{}, 5], '2', /entry 2, 5: expected an object or a list of objects/],
    [['nonsense'], '1', /entry 1, "nonsense": is no JSON/],
    [[{}, [{}, null]], '2.2', /entry 2.2, null: expected an object/],
    [['["15b3"]'], '1.1', /entry 1.1, "15b3": expected an object/],
    [null, '1', /expected an object/],
    [[new Map([['vendor_id', '15b3']])], '1', /expected an object/],
    [[Symbol('s')], '1', /expected an object/],
  ])('otherwise it is refused with the number of the entry: %#', (entries, entry, reason) => {
    const error = refusal(entries);
    expect(error).toMatchObject({
      code: 'DEVICE_SPEC_INVALID',
      problem: 'entry',
      entry,
      key: null,
      message: expect.stringMatching(reason),
    });
  });
});

describe('a key of an entry', () => {
  test.each([
    [{ vendor_id: 'zz' }, 'vendor_id', 'value', /"zz" is no hex number, nor \*/],
    [{ vendor_id: '10000' }, 'vendor_id', 'value', /"10000" is greater than FFFF/],
    [{ vendor_id: 15 }, 'vendor_id', 'value', /expected text such as "15b3", not 15/],
    [{ vendor_id: null }, 'vendor_id', 'value', /expected text such as "15b3", not null/],
    [{ product_id: ['101e'] }, 'product_id', 'value', /expected text/],
    [{ product_id: '' }, 'product_id', 'value', /"" is no hex number/],
    [{ devname: 5 }, 'devname', 'value', /expected an interface's name, not 5/],
    [
      { devname: 'ens1f0', address: '06' },
      'devname',
      'address-and-devname',
      /cannot be in one entry/,
    ],
    [{ address: '0:0:0:0.0' }, 'address', 'address', /more than three/],
    [{ address: '06:20.0' }, 'address', 'value', /the slot 20 is greater than 1F/],
    [{ address: 6 }, 'address', 'address', /expected text or an object, not 6/],
    [{ address: ['06'] }, 'address', 'address', /expected text or an object/],
    [{ address: { buss: '06' } }, 'address', 'address', /has no field "buss"/],
    [{ address: { bus: '(' } }, 'address', 'address', /no regular expression/],
    [{ managed: 'maybe' }, 'managed', 'value', /"maybe" is none of 0, 1, f, false, n, no/],
    [{ live_migratable: 2 }, 'live_migratable', 'value', /2 is none of/],
    [{ one_time_use: true }, 'one_time_use', 'value', /requires reportInPlacement/],
    [{ physical_network: Number.NaN }, 'physical_network', 'value', /is no value of a tag/],
    [{ tag: Number.POSITIVE_INFINITY }, 'tag', 'value', /is no value of a tag/],
    [{ tag: () => 0 }, 'tag', 'value', /is no value of a tag/],
    [{ tag: Symbol('s') }, 'tag', 'value', /is no value of a tag/],
    [{ tag: 1n }, 'tag', 'value', /is no value of a tag/],
  ])('that is wrong is named: %#', (entry, key, problem, reason) => {
    expect(refusal([{}, entry])).toMatchObject({
      entry: '2',
      key,
      problem,
      message: expect.stringMatching(reason),
    });
    expect(refusal([entry]).message).toMatch(/^device_spec entry 1, /);
  });

  test.each([
    ['0x15b3', '15b3'],
    [' 15B3 ', '15b3'],
    ['0015b3', '15b3'],
    ['１5ｂ3', '15b3'],
    ['*', '*'],
    ['1', '0001'],
  ])('vendor_id may be spelled %j', (written, vendorId) => {
    expect(parse({ vendor_id: written }).entries[0]?.vendorId).toBe(vendorId);
  });

  test.each(['', null, undefined, {}, '*'])('address may be %j: then it is any', (address) => {
    expect(parse({ address }).match(at('ffff:ff:1f.7'))).not.toBeNull();
  });

  test('as a tag means its text: booleans, numbers, and objects in JSON', () => {
    const tags = { a: true, b: 1.5, c: null, d: { e: 'f' }, g: 'Text', h: undefined };
    expect({ ...parse(tags).entries[0]?.tags }).toEqual({
      a: 'true',
      b: '1.5',
      c: null,
      d: '{"e":"f"}',
      g: 'Text',
    });
  });

  test('managed and live_migratable are told of the device, as true or false', () => {
    const enhanced = (entry: object) => parse(entry).match(device())?.enhanced;
    expect(enhanced({ managed: ' YES\n', live_migratable: 0 })).toEqual({
      managed: 'true',
      live_migratable: 'false',
    });
    expect(enhanced({ managed: null })).toEqual({});
  });

  test('one_time_use is taken when devices are reported to placement', () => {
    const { entries } = parse({ one_time_use: 't' }, { reportInPlacement: true });
    expect(entries[0]?.tags['one_time_use']).toBe('true');
    expect(parse({ one_time_use: 'no' }).entries[0]?.tags['one_time_use']).toBe('false');
  });
});

describe('an entry matches', () => {
  const matches = (entry: object, one = device(), pci: PciFacts = facts) =>
    parse(entry, { pci }).match(one) !== null;

  test('a device of its vendor and product', () => {
    expect(matches({ vendor_id: '15b3', product_id: '101e' })).toBe(true);
    expect(matches({ vendor_id: '15b3', product_id: '101d' })).toBe(false);
    expect(matches({ vendor_id: '8086' })).toBe(false);
  });

  test('a device at its address, and every VF of a PF at its address', () => {
    expect(matches({ address: '0000:06:00.2' })).toBe(true);
    expect(matches({ address: '0000:06:00.3' })).toBe(false);
    expect(matches({ address: pfAddress })).toBe(true);
    expect(matches({ address: pfAddress, product_id: '101d' })).toBe(false);
    expect(matches({ address: pfAddress }, device({ parentAddress: null }))).toBe(false);
  });

  test('no VF of what is no PF, nor by a pattern that fits its PF alone', () => {
    const pci = { ...facts, physicalFunction: () => null };
    expect(matches({ address: pfAddress }, device(), pci)).toBe(false);
    expect(matches({ address: '06:00.0' })).toBe(false);
    expect(matches({ address: { function: '0' } })).toBe(false);
  });

  test('the function that has its interface, and every VF of a PF that has it', () => {
    expect(matches({ devname: 'ens1f0v0' })).toBe(true);
    expect(matches({ devname: 'ens1f0v0' }, at('0000:06:00.3'))).toBe(false);
    expect(matches({ devname: 'ens1f0' })).toBe(true);
    expect(matches({ devname: 'ghost' })).toBe(false);
    expect(matches({ devname: '', address: '0000:06:00.2' })).toBe(true);
  });

  test('what the host has by now, not what it had when the entry was read', () => {
    let name = 'ens1f0v0';
    const spec = parse(
      { devname: 'eth7' },
      {
        pci: {
          ...facts,
          functionOfNetdev: (asked) => facts.functionOfNetdev(asked === 'eth7' ? name : asked),
        },
      },
    );
    expect(spec.match(device())).not.toBeNull();
    name = 'ghost';
    expect(spec.match(device())).toBeNull();
  });

  test('a device without a PCI address only when it asks for none', () => {
    const software = { ...device({ parentAddress: null }), address: null };
    expect(matches({}, software)).toBe(true);
    expect(matches({ address: '*:*:*.*' }, software)).toBe(true);
    expect(matches({ address: '0000:*:*.*' }, software)).toBe(false);
    expect(matches({ address: { bus: '.*' } }, software)).toBe(false);
  });

  test('no device of a domain of 32 bits but by its PF', () => {
    expect(matches({}, at('10000:01:00.0'))).toBe(false);
    expect(matches({ address: pfAddress }, at('10000:01:00.0', { parentAddress: pfAddress }))).toBe(
      true,
    );
  });

  test('first: it alone decides, and all are told who ask for them', () => {
    const spec = parse([
      { vendor_id: '8086' },
      { physical_network: 'a' },
      { physical_network: 'b' },
    ]);
    expect(spec.match(device())?.index).toBe(1);
    expect(spec.matches(device()).map(({ index }) => index)).toEqual([1, 2]);
    expect(spec.poolKeys(device())).toMatchObject({ physical_network: 'a' });
  });
});

describe('a remote-managed entry', () => {
  const serial = (card_serial_number: unknown) =>
    device({ extra: { capabilities: JSON.stringify({ vpd: { card_serial_number } }) } });

  test('matches only what a remote end can know, by the serial number of its card', () => {
    const spec = parse({ remote_managed: 'true' });
    expect(spec.match(serial('MT2113X00000'))).not.toBeNull();
    for (const one of [
      serial(''),
      serial(null),
      device(),
      device({ extra: { capabilities: '{' } }),
    ]) {
      expect(spec.match(one)).toBeNull();
    }
    expect(spec.poolKeys(serial('MT2113X00000'))).toMatchObject({ remote_managed: 'true' });
  });

  test('may name the VFs of a PF by their product', () => {
    const vfs = { remote_managed: true, address: pfAddress, product_id: '101e' };
    expect(parse(vfs).match(serial('MT2113X00000'))).not.toBeNull();
    expect(parse({ ...vfs, vendor_id: '15b3' }).entries).toHaveLength(1);
  });

  test.each([
    [{ address: pfAddress, product_id: '101d' }, 'remote-pf'],
    [{ address: pfAddress }, 'remote-pf'],
    [{ devname: 'ens1f0' }, 'remote-pf'],
    [{ address: pfAddress, product_id: '101e', vendor_id: '8086' }, 'value'],
    [{ address: pfAddress, product_id: 'ffff' }, 'value'],
    [{ devname: 'ghost' }, 'remote-device-absent'],
  ])('may not name a PF, nor what is not there: %j', (entry, problem) => {
    expect(refusal({ remote_managed: 'yes', ...entry })).toMatchObject({ problem });
  });

  test('is none that is written otherwise than yes, whatever its tag then says', () => {
    const spec = parse({ remote_managed: 'Nope', address: pfAddress });
    expect(spec.poolKeys(device())).toMatchObject({ remote_managed: 'Nope' });
  });
});

describe('the keys of a pool', () => {
  test('are those of the device and the tags of the entry, without what is for placement', () => {
    const entry = { physical_network: null, managed: 1, resource_class: 'VGPU', traits: 'X' };
    const keys = parse(entry).poolKeys(device({ extra: { parent_ifname: 'ens1f0' } }));
    expect({ ...keys }).toEqual({
      product_id: '101e',
      vendor_id: '15b3',
      numa_node: 0,
      dev_type: 'vdpa',
      physical_network: null,
      managed: 'true',
      address: pfAddress,
      parent_ifname: 'ens1f0',
      remote_managed: 'false',
    });
  });

  test('of a device without PF have its own address, of a plain PCI device no remote_managed', () => {
    const keys = parse({}).poolKeys(at('0000:05:00.0', { type: 'type-PCI' }));
    expect(keys).toMatchObject({ address: '0000:05:00.0' });
    expect(keys).not.toHaveProperty('remote_managed');
  });

  test('are one object for all devices of a pool, that nobody can change', () => {
    const spec = parse({});
    const keys = spec.poolKeys(device());
    expect(spec.poolKeys(at('0000:06:00.3', { parentAddress: pfAddress }))).toBe(keys);
    expect(spec.poolKeys(device({ numaNode: null }))).not.toBe(keys);
    expect(Object.isFrozen(keys)).toBe(true);
  });

  test('take tags of any name', () => {
    const entry = JSON.parse('{"__proto__": "p", "constructor": "c", "toString": null, "": "e"}');
    const keys = parse([entry]).poolKeys(device());
    expect(Object.getPrototypeOf(keys)).toBeNull();
    expect(Object.entries(keys ?? {})).toEqual(
      expect.arrayContaining([
        ['__proto__', 'p'],
        ['constructor', 'c'],
        ['toString', null],
        ['', 'e'],
      ]),
    );
    expect(parse({}).poolKeys(device())).not.toHaveProperty('constructor');
  });
});

describe('hostile entries', () => {
  test('are shown in part, and not at all when they have no end', () => {
    expect(refusal([{ vendor_id: 'z'.repeat(1_000_000) }]).message.length).toBeLessThan(1000);
    const endless: Record<string, unknown> = {};
    endless['self'] = endless;
    expect(refusal([endless]).message).toMatch(/a value that cannot be shown: self:/);
    expect(refusal([`${'['.repeat(100_000)}`]).problem).toBe('entry');
    expect(refusal([`${'['.repeat(5_000)}${']'.repeat(5_000)}`]).problem).toBe('entry');
    let deep: unknown = 'x';
    for (let level = 0; level < 100_000; level++) deep = { deep };
    expect(refusal([{ tag: deep }]).key).toBe('tag');
  });

  test('in great numbers are read one after the other', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => ({ tag: `${index}` }));
    expect(parse([list, JSON.stringify(list)]).entries).toHaveLength(40_000);
  });

  test('of whatever JSON are used, or refused by name', () => {
    const key = fc.constantFrom(
      'vendor_id',
      'address',
      'devname',
      'managed',
      'tag',
      '__proto__',
      'bus',
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, true, 0, -0, Number.NaN, '', '*', '0000:06:00.0', 'ens1f0', '\ud800'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }).map((one) => JSON.stringify(one)),
      ),
    }));
    fc.assert(
      fc.property(value, (written) => {
        try {
          parse(written).poolKeys(device());
        } catch (error) {
          expect(error).toBeInstanceOf(DeviceSpecError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
