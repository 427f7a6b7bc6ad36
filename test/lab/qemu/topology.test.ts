// A machine with NUMA nodes and an IOMMU: what a function says of both.
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type PciFunction, VdpaHost } from '../../../src/index.js';
import * as lab from '../../support/lab-host.js';

// The lab is started with pfA on node 0, pfB on node 1, and a third PF on node 1 in a PCI domain
// which no IOMMU serves.
const pfC = '0001:15:00.0';
lab.eachOnBareHost();

function sysfsNode(address: string): number | null {
  const node = Number(readFileSync(`/sys/bus/pci/devices/${address}/numa_node`, 'utf8'));
  return node === -1 ? null : node;
}

function sysfsGroup(address: string): number | null {
  const link = `/sys/bus/pci/devices/${address}/iommu_group`;
  return existsSync(link) ? Number(basename(readlinkSync(link))) : null;
}

const places = (functions: readonly PciFunction[]) =>
  functions.map(({ address, numaNode, iommuGroup }) => [address, numaNode, iommuGroup]);
const sysfsPlaces = (functions: readonly PciFunction[]) =>
  functions.map(({ address }) => [address, sysfsNode(address), sysfsGroup(address)]);

describe('NUMA nodes and IOMMU groups', () => {
  test('of PFs and VFs are those of sysfs', async () => {
    for (const pf of [lab.pfA, lab.pfB, pfC]) lab.enableVfs(pf, 5);
    await using host = await VdpaHost.open();

    const { pfs, vfs } = await host.inventory();

    expect(places(pfs)).toEqual(sysfsPlaces(pfs));
    expect(places(vfs)).toEqual(sysfsPlaces(vfs));
    expect(pfs.map(({ address, numaNode }) => [address, numaNode])).toEqual([
      [lab.pfA, 0],
      [lab.pfB, 1],
      [pfC, 1],
    ]);
    expect(vfs).toHaveLength(15);
    for (const { numaNode, pfAddress } of vfs) {
      expect(numaNode).toBe(pfAddress === lab.pfA ? 0 : 1);
    }
  });

  test('each VF is a group of its own, and there is none without an IOMMU', async () => {
    for (const pf of [lab.pfA, lab.pfB, pfC]) lab.enableVfs(pf, 3);
    await using host = await VdpaHost.open();

    const { pfs, vfs } = await host.inventory();

    const served = [...pfs, ...vfs].filter(({ address }) => address.startsWith('0000:'));
    const groups = served.map(({ iommuGroup }) => iommuGroup);
    expect(groups).toHaveLength(8);
    expect(groups).not.toContain(null);
    expect(new Set(groups).size).toBe(8);
    const unserved = [...pfs, ...vfs].filter(({ address }) => address.startsWith('0001:'));
    expect(unserved.map(({ iommuGroup }) => iommuGroup)).toEqual([null, null, null, null]);
  });

  test('a device stands on the node of its VF', async () => {
    lab.enableVfs(lab.pfA, 2);
    lab.enableVfs(pfC, 2);
    const onA = lab.vfOf(lab.pfA, 1);
    const onC = lab.vfOf(pfC, 1);
    lab.addDevice('vdpa0', `pci/${onA}`);
    lab.addDevice('vdpa1', `pci/${onC}`);
    await using host = await VdpaHost.open();

    const { devices } = await host.inventory();

    expect(devices).toMatchObject([
      { id: `pci/${onA}`, parent: { kind: 'vf', pciAddress: onA, numaNode: 0 } },
      { id: `pci/${onC}`, parent: { kind: 'vf', pciAddress: onC, numaNode: 1 } },
    ]);
  });
});
