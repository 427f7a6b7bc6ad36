import { describe, expect, test } from 'vitest';
import { netdev, representedPort } from '../../src/host/netdev.js';
import { pciFunctions } from '../../src/host/pci-function.js';
import { finish } from '../../src/turns.js';
import { netdevRow, pciFunctionRow, pfRow } from './support/rows.js';

const inSwitch = '0011223344556677';

function portOf(physPortName: string, physSwitchId = inSwitch) {
  return netdev(netdevRow({ name: `port-${physPortName}`, physPortName, physSwitchId }));
}

describe('a port name', () => {
  test.each([
    ['pf0vf3', { pfNumber: 0, vfIndex: 3 }],
    ['pf1vf127', { pfNumber: 1, vfIndex: 127 }],
    ['3', { pfNumber: null, vfIndex: 3 }],
    ['c1pf0vf3', { pfNumber: 0, vfIndex: null }],
    ['pf0sf88', { pfNumber: 0, vfIndex: null }],
    ['c1pf0sf88', { pfNumber: 0, vfIndex: null }],
    ['pf0', null],
    ['p0', null],
    ['', null],
    ['pf0vf', null],
    ['pf0vf3x', null],
    ['xpf0vf3', null],
    ['-1', null],
  ])('%s represents %o in a switch, nothing outside of one', (name, expected) => {
    expect(representedPort(portOf(name))).toEqual(expected);
    expect(representedPort(portOf(name, ''))).toBeNull();
  });
});

describe('the functions of a host', () => {
  const vf = pciFunctionRow();

  function ports(names: readonly string[], physSwitchId = inSwitch) {
    const rows = names.map((physPortName) =>
      netdevRow({ name: `port-${physPortName}`, physPortName, physSwitchId }),
    );
    const { pfs, vfs } = finish(pciFunctions([pfRow(), vf], rows));
    return {
      own: pfs[0]?.netdevs.map(({ physPortName }) => physPortName),
      representor: vfs[0]?.representor?.physPortName ?? null,
    };
  }

  test('have the representor whose port names their PF and index', () => {
    expect(ports(['p0', 'pf0vf0', 'pf0vf1', 'pf0vf2'])).toEqual({
      own: ['p0'],
      representor: 'pf0vf1',
    });
  });

  test('have the representor of an old driver, which names the index only', () => {
    expect(ports(['p0', '0', '1'])).toEqual({ own: ['p0'], representor: '1' });
  });

  test.each([
    ["another PF's VF", 'pf1vf1'],
    ['a VF of another controller', 'c1pf0vf1'],
    ['a scalable function', 'pf0sf1'],
    ['a scalable function of another controller', 'c1pf0sf1'],
  ])('never take the port of %s for theirs, PF or VF', (_, name) => {
    expect(ports(['p0', name])).toEqual({ own: ['p0'], representor: null });
    expect(ports([name, 'pf0vf1', name])).toEqual({ own: [], representor: 'pf0vf1' });
  });

  test('own every port outside of a switch, whatever its name', () => {
    const names = ['0', '1', 'p0', 'pf0vf1', 'pf0sf1'];
    expect(ports(names, '')).toEqual({ own: names, representor: null });
  });

  test('keep the interfaces of a VF with the VF, even when their ports look like representors', () => {
    const own = netdevRow({
      name: 'eth9',
      physPortName: 'pf0vf1',
      physSwitchId: inSwitch,
      pciAddress: vf.address,
    });
    const { vfs } = finish(pciFunctions([pfRow(), vf], [own]));
    expect(vfs[0]?.netdevs.map(({ name }) => name)).toEqual(['eth9']);
    expect(vfs[0]?.representor).toBeNull();
  });

  test('are PFs by their capability, VFs by their PF, and others else', () => {
    const other = pciFunctionRow({ address: '0000:66:00.0', pfAddress: '', vfIndex: null });
    const idle = pfRow({ address: '0000:67:00.0', numVfs: null });
    const { pfs, vfs, others } = finish(pciFunctions([pfRow(), vf, other, idle], []));
    expect(pfs.map(({ address, numVfs }) => [address, numVfs])).toEqual([
      ['0000:65:00.0', 4],
      ['0000:67:00.0', 0],
    ]);
    expect(vfs.map(({ address }) => address)).toEqual(['0000:65:00.2']);
    expect(others.map(({ address }) => address)).toEqual(['0000:66:00.0']);
  });

  test('write ids in hexadecimal of full width, and empty texts as null', () => {
    const row = pciFunctionRow({ vendorId: 1, deviceId: 0, pciClass: 0x200, driver: '' });
    const { vfs } = finish(
      pciFunctions([row], [netdevRow({ pciAddress: row.address, mac: null })]),
    );
    expect(vfs[0]).toMatchObject({
      vendorId: '0001',
      deviceId: '0000',
      pciClass: '000200',
      driver: null,
      netdevs: [{ mac: null, physSwitchId: null, physPortName: null }],
    });
    // It takes the device lock, which one busy driver may hold: no part of an inventory.
    expect(vfs[0]).not.toHaveProperty('driverOverride');
  });
});
