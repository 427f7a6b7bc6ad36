import { describe, expect, test } from 'vitest';
import { representedVf } from '../../src/host/netdev.js';
import { pciFunctions } from '../../src/host/pci-function.js';
import { netdevRow, pciFunctionRow, pfRow } from './support/rows.js';

describe('a port name', () => {
  test.each([
    ['pf0vf3', { pfNumber: 0, vfIndex: 3 }],
    ['pf1vf127', { pfNumber: 1, vfIndex: 127 }],
    ['3', { pfNumber: null, vfIndex: 3 }],
    ['c1pf0vf3', null],
    ['pf0sf88', null],
    ['pf0', null],
    ['p0', null],
    ['', null],
    ['pf0vf', null],
    ['pf0vf3x', null],
    ['-1', null],
  ])('%s represents %o', (name, expected) => {
    expect(representedVf(name)).toEqual(expected);
  });
});

describe('the functions of a host', () => {
  const vf = pciFunctionRow();

  function ports(...names: readonly string[]) {
    const rows = names.map((physPortName) =>
      netdevRow({ name: `port-${physPortName}`, physPortName }),
    );
    const { pfs, vfs } = pciFunctions([pfRow(), vf], rows);
    return {
      own: pfs[0]?.netdevs.map(({ physPortName }) => physPortName),
      representor: vfs[0]?.representor?.physPortName ?? null,
    };
  }

  test('have the representor whose port names their PF and index', () => {
    expect(ports('p0', 'pf0vf0', 'pf0vf1', 'pf0vf2')).toEqual({
      own: ['p0'],
      representor: 'pf0vf1',
    });
  });

  test('have the representor of an old driver, which names the index only', () => {
    expect(ports('p0', '0', '1')).toEqual({ own: ['p0'], representor: '1' });
  });

  test('never have the representor of another PF, nor does the PF', () => {
    expect(ports('p0', 'pf1vf1')).toEqual({ own: ['p0'], representor: null });
  });

  test('never have the representor of another controller: it is a port like any other', () => {
    expect(ports('p0', 'c1pf0vf1')).toEqual({ own: ['p0', 'c1pf0vf1'], representor: null });
  });

  test('keep the interfaces of a VF with the VF, even when their ports look like representors', () => {
    const own = netdevRow({ name: 'eth9', physPortName: 'pf0vf1', pciAddress: vf.address });
    const { vfs } = pciFunctions([pfRow(), vf], [own]);
    expect(vfs[0]?.netdevs.map(({ name }) => name)).toEqual(['eth9']);
    expect(vfs[0]?.representor).toBeNull();
  });

  test('are PFs by their capability, VFs by their PF, and others else', () => {
    const other = pciFunctionRow({ address: '0000:66:00.0', pfAddress: '', vfIndex: null });
    const idle = pfRow({ address: '0000:67:00.0', numVfs: null });
    const { pfs, vfs, others } = pciFunctions([pfRow(), vf, other, idle], []);
    expect(pfs.map(({ address, numVfs }) => [address, numVfs])).toEqual([
      ['0000:65:00.0', 4],
      ['0000:67:00.0', 0],
    ]);
    expect(vfs.map(({ address }) => address)).toEqual(['0000:65:00.2']);
    expect(others.map(({ address }) => address)).toEqual(['0000:66:00.0']);
  });

  test('write ids in hexadecimal of full width, and empty texts as null', () => {
    const row = pciFunctionRow({ vendorId: 1, deviceId: 0, pciClass: 0x200, driver: '' });
    const { vfs } = pciFunctions([row], [netdevRow({ pciAddress: row.address, mac: null })]);
    expect(vfs[0]).toMatchObject({
      vendorId: '0001',
      deviceId: '0000',
      pciClass: '000200',
      driver: null,
      netdevs: [{ mac: null, physSwitchId: null, physPortName: null }],
    });
  });
});
