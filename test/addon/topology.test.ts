import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { inventoryOf, only } from './support/read.js';

describe('PCI functions of a captured host', () => {
  test('come in address order, PFs and VFs apart, each with its own NUMA node', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:b3:00.0', totalVfs: 8, numVfs: 1, numaNode: 1 });
    tree.pf({ address: '0000:17:00.0', totalVfs: 8, numVfs: 2, numaNode: 0 });

    const { pfs, vfs, others } = await inventoryOf(tree);

    expect(pfs.map(({ address, numaNode }) => [address, numaNode])).toEqual([
      ['0000:17:00.0', 0],
      ['0000:b3:00.0', 1],
    ]);
    expect(vfs.map(({ address, numaNode, pfAddress }) => [address, numaNode, pfAddress])).toEqual([
      ['0000:17:00.1', 0, '0000:17:00.0'],
      ['0000:17:00.2', 0, '0000:17:00.0'],
      ['0000:b3:00.1', 1, '0000:b3:00.0'],
    ]);
    expect(others).toEqual([]);
  });

  test("have no NUMA node when the kernel's answer is -1 or there is no such file", async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:17:00.0', totalVfs: 8, numVfs: 1, numaNode: -1 });
    tree.pf({ address: '0000:18:00.0', totalVfs: 8, numVfs: 1 });
    tree.vdpa('vdpa0', tree.pciPath('0000:17:00.1'));

    const { pfs, vfs, devices } = await inventoryOf(tree);

    expect([...pfs, ...vfs].map(({ numaNode }) => numaNode)).toEqual([null, null, null, null]);
    expect(only(devices).parent.numaNode).toBeNull();
  });

  test('have IOMMU groups of their own, and none without an IOMMU', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:17:00.0', totalVfs: 8, numVfs: 2, iommuGroup: 70 });
    tree.pf({ address: '0000:18:00.0', totalVfs: 8, numVfs: 1 });

    const { pfs, vfs } = await inventoryOf(tree);

    expect(pfs.map(({ iommuGroup }) => iommuGroup)).toEqual([70, null]);
    expect(vfs.map(({ iommuGroup }) => iommuGroup)).toEqual([71, 72, null]);
  });

  test('may lie in a VMD domain, whose number has more than four digits', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '10000:00:00.0', totalVfs: 4, numVfs: 1 });
    tree.pf({ address: 'ffff:00:00.0', totalVfs: 4, numVfs: 0 });
    tree.vdpa('vdpa0', tree.pciPath('10000:00:00.1'));

    const { pfs, devices } = await inventoryOf(tree);

    expect(pfs.map(({ address }) => address)).toEqual(['ffff:00:00.0', '10000:00:00.0']);
    expect(only(devices)).toMatchObject({
      id: 'pci/10000:00:00.1',
      parent: { kind: 'vf', pfAddress: '10000:00:00.0', vfIndex: 0 },
      usable: true,
    });
  });

  test('VFs follow offset and stride, into the next bus where they reach it', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 200, numVfs: 130, offset: 2, stride: 2 });

    const { vfs } = await inventoryOf(tree);

    expect(vfs).toHaveLength(130);
    expect(vfs.slice(0, 4).map(({ address }) => address)).toEqual([
      '0000:65:00.2',
      '0000:65:00.4',
      '0000:65:00.6',
      '0000:65:01.0',
    ]);
    expect(vfs[126]).toMatchObject({ address: '0000:65:1f.6', vfIndex: 126 });
    expect(vfs[127]).toMatchObject({ address: '0000:66:00.0', vfIndex: 127 });
    expect(vfs[129]).toMatchObject({ address: '0000:66:00.4', vfIndex: 129 });
  });

  test('VFs are found by their links where offset and stride do not lead to them', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 8, numVfs: 3, offset: 4, stride: 1 });
    tree.file(`sys/devices/${tree.pciPath('0000:65:00.0')}/sriov_offset`, '1\n');

    const { vfs } = await inventoryOf(tree);

    expect(vfs.map(({ address, vfIndex }) => [address, vfIndex])).toEqual([
      ['0000:65:00.4', 0],
      ['0000:65:00.5', 1],
      ['0000:65:00.6', 2],
    ]);
  });

  test("show each VF's representor, and keep representors out of the PF's interfaces", async () => {
    using tree = new CapturedHost();
    tree.pf({
      address: '0000:65:00.1',
      totalVfs: 8,
      numVfs: 2,
      netdev: 'ens1f1np1',
      representors: true,
    });
    tree.netdev('ens1f1sf88', '0000:65:00.1', { switchId: 'a1b2', portName: 'pf1sf88' });
    tree.netdev('foreign', '0000:65:00.1', { switchId: 'a1b2', portName: 'pf0vf0' });

    const { pfs, vfs } = await inventoryOf(tree);

    expect(only(pfs).netdevs.map(({ name }) => name)).toEqual(['ens1f1np1']);
    expect(vfs.map(({ representor }) => representor?.name)).toEqual(['ens1f1np1v0', 'ens1f1np1v1']);
  });

  test('without a bound driver are shown as such, with their override', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 8, numVfs: 2 });
    const vf = `sys/devices/${tree.pciPath('0000:65:00.2')}`;
    tree.remove(`${vf}/driver`);
    tree.remove('sys/bus/pci/drivers/labnic_vf/0000:65:00.2');
    tree.file(`${vf}/driver_override`, 'vfio-pci\n');

    const { vfs } = await inventoryOf(tree);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(vfs.map(({ driver }) => driver)).toEqual(['labnic_vf', null]);
    expect(await host.driverOverride('0000:65:00.1')).toBeNull();
    expect(await host.driverOverride('0000:65:00.2')).toBe('vfio-pci');
  });

  test('that neither are nor have VFs appear only when they carry vDPA', async () => {
    using tree = new CapturedHost();
    tree.function('0000:00:03.0', { deviceId: '1041' });
    tree.function('0000:00:04.0', { deviceId: '101e', numaNode: 0 });
    tree.management('pci', '0000:00:04.0');

    const { pfs, vfs, others } = await inventoryOf(tree);

    expect(pfs).toEqual([]);
    expect(vfs).toEqual([]);
    expect(only(others)).toMatchObject({ address: '0000:00:04.0', deviceId: '101e', numaNode: 0 });
  });

  test('whose VF and device links dangle are left out, and the rest is there', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 8, numVfs: 3 });
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
    tree.remove(`sys/devices/${tree.pciPath('0000:65:00.3')}`);
    tree.link('sys/bus/pci/devices/0000:66:00.0', 'sys/devices/pci0000:00/gone');
    tree.remove('sys/bus/pci/drivers');

    const { pfs, vfs, devices } = await inventoryOf(tree);

    expect(only(pfs).numVfs).toBe(3);
    expect(vfs.map(({ address }) => address)).toEqual(['0000:65:00.1', '0000:65:00.2']);
    expect(only(devices)).toMatchObject({ name: 'vdpa0', usable: true });
  });
});
