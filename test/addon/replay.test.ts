import { afterEach, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';

let captured: CapturedHost | undefined;
afterEach(() => captured?.[Symbol.dispose]());

function capture(build: (host: CapturedHost) => void): CapturedHost {
  captured = new CapturedHost();
  build(captured);
  return captured;
}

async function inventoryOf(host: CapturedHost) {
  await using opened = await VdpaHost.open({ root: host.root });
  return await opened.inventory();
}

describe('a captured host', () => {
  test('relates device, management device, VF and PF, with NUMA node and IOMMU group', async () => {
    const host = capture((tree) => {
      tree.pf({
        address: '0000:65:00.0',
        totalVfs: 16,
        numVfs: 4,
        numaNode: 1,
        iommuGroup: 40,
        netdev: 'enp101s0np0',
        representors: true,
      });
      tree.vdpa('vdpa0', tree.pciPath('0000:65:00.3'));
    });

    const inventory = await inventoryOf(host);

    expect(inventory.consistent).toBe(true);
    expect(inventory.pfs).toMatchObject([
      {
        address: '0000:65:00.0',
        vendorId: '15b3',
        deviceId: '101d',
        pciClass: '020000',
        revision: 5,
        driver: 'labnic',
        numaNode: 1,
        iommuGroup: 40,
        totalVfs: 16,
        numVfs: 4,
        netdevs: [{ name: 'enp101s0np0', physPortName: 'p0', physSwitchId: 'a1b2' }],
      },
    ]);
    expect(inventory.vfs.map(({ address, vfIndex }) => [address, vfIndex])).toEqual([
      ['0000:65:00.1', 0],
      ['0000:65:00.2', 1],
      ['0000:65:00.3', 2],
      ['0000:65:00.4', 3],
    ]);
    expect(inventory.vfs[2]).toMatchObject({
      pfAddress: '0000:65:00.0',
      deviceId: '101e',
      numaNode: 1,
      iommuGroup: 43,
      representor: { name: 'enp101s0np0v2', physPortName: 'pf0vf2' },
    });
    expect(inventory.devices).toEqual([
      {
        id: 'pci/0000:65:00.3',
        name: 'vdpa0',
        class: 'net',
        vendorId: '15b3',
        maxVqs: 9,
        maxVqSize: 256,
        minVqSize: 1,
        managementDevice: 'pci/0000:65:00.3',
        parent: {
          kind: 'vf',
          path: host.pciPath('0000:65:00.3'),
          pciAddress: '0000:65:00.3',
          pfAddress: '0000:65:00.0',
          vfIndex: 2,
          sfNumber: null,
          numaNode: 1,
        },
        driver: 'vhost_vdpa',
        charDevice: { path: '/dev/vhost-vdpa-0', major: 250, minor: 0, nodeExists: true },
        usable: true,
        reasons: [],
      },
    ]);
    expect(inventory.managementDevices[0]).toMatchObject({
      handle: 'pci/0000:65:00.1',
      classes: ['net'],
      maxVqs: 65,
      features: 0x3_0000_8020n,
      featureNames: ['MAC', 'MRG_RXBUF', 'VERSION_1', 'ACCESS_PLATFORM'],
    });
  });
});
