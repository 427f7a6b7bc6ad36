import { describe, expect, test } from 'vitest';
import { parseDeclaration } from '../../../src/host/parse-declaration.js';

const address = '0000:65:00.0';
const problem = (declaration: unknown): string => {
  try {
    parseDeclaration(declaration);
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
};
const problemOf = (devices: object, pf: object = {}): string =>
  problem({ pfs: [{ address, vfs: 8, ...pf, devices: [devices] }] });

describe('a declaration', () => {
  test('is read with its defaults, ranges, features and modes', () => {
    expect(
      parseDeclaration({
        pfs: [
          {
            ids: '15b3:101d',
            vfs: 8,
            devices: [{ on: [7, '2-4'], features: ['MAC', 'VERSION_1'], mode: '0640' }],
          },
          { netdev: 'eth0', devices: [{ on: 'all', driver: 'none', features: '0x20' }] },
        ],
      }),
    ).toMatchObject([
      {
        place: 'pfs[0]',
        selector: { by: 'ids', text: '15b3:101d' },
        shrink: false,
        devices: [
          {
            vfs: [7, 2, 3, 4],
            features: 0x1_0000_0020n,
            mode: 0o640,
            driver: 'vhost_vdpa',
            mac: null,
          },
        ],
      },
      { vfs: null, devices: [{ vfs: null, driver: null, features: 0x20n }] },
    ]);
  });

  test.each([
    [{}, 'pfs: '],
    [{ pfs: [] }, 'pfs: '],
    [{ pfs: [{}] }, 'pfs[0]: expected exactly one of address, netdev and ids'],
    [{ pfs: [{ address, netdev: 'eth0' }] }, 'pfs[0]: expected exactly one'],
    [{ pfs: [{ address: 'eth0' }] }, 'pfs[0].address: expected a PCI address'],
    [{ pfs: [{ address, vfs: -1 }] }, 'pfs[0].vfs: '],
    [{ pfs: [{ address, vfs: 8, colour: 'red' }] }, 'pfs[0]: Unrecognized key: "colour"'],
    [[], 'the whole: '],
  ])('%j is refused, by place', (declaration, message) => {
    expect(problem(declaration)).toContain(message);
  });

  test.each([
    [{ on: 'some' }, 'pfs[0].devices[0].on: expected "all"'],
    [{ on: ['4-'] }, 'pfs[0].devices[0].on[0]: expected a range'],
    [{ on: [8] }, 'pfs[0].devices[0].on[0]: there is no VF 8 of 8'],
    [{ on: ['4-2'] }, 'pfs[0].devices[0].on[0]: the range runs backwards'],
    [{ on: [1, '0-2'] }, 'pfs[0].devices[0].on: VF 1 is mentioned twice'],
    [{ on: [1], mtu: 67 }, 'pfs[0].devices[0].mtu: '],
    [{ on: [1], mac: '01:00:00:00:00:00' }, 'pfs[0].devices[0].mac: expected a unicast'],
    [{ on: [1], mac: { base: 'x' } }, 'pfs[0].devices[0].mac.base: expected a unicast'],
    [{ on: [1], mac: { byVf: { 2: '02:00:00:00:00:01' } } }, 'mac.byVf.2: no VF of this entry'],
    [{ on: 'all', mac: '02:00:00:00:00:01' }, 'mac: one address for several VFs'],
    [{ on: 'all', name: 'vdpa' }, 'name: one name for several VFs'],
    [{ on: 'all', name: 'v{vf}{colour}' }, 'pfs[0].devices[0].name: expected'],
    [{ on: [1], features: ['MUC'] }, 'pfs[0].devices[0].features[0]: no feature'],
    [{ on: [1], features: ['MAC'], mtu: 1500 }, 'features: lacks MTU, which mtu needs'],
    [{ on: [1], mode: '8' }, 'pfs[0].devices[0].mode: expected an octal mode'],
    [{ on: [1], mode: 660 }, 'pfs[0].devices[0].mode: '],
    [{ on: [1], driver: 'none', owner: 'root' }, 'which only vhost_vdpa makes'],
    [{ on: [1], driver: 'vfio-pci' }, 'pfs[0].devices[0].driver: '],
  ])('devices of %j are refused, by place', (devices, message) => {
    expect(problemOf(devices)).toContain(message);
  });

  test('has all its problems told at once', () => {
    expect(problem({ pfs: [{ address, vfs: -1, devices: [{ on: [1], mtu: 1, x: 1 }] }] })).toMatch(
      /^declaration: (?=.*pfs\[0\]\.vfs: )(?=.*devices\[0\]\.mtu: )(?=.*"x")/,
    );
  });
});
