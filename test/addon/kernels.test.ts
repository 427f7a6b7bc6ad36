import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import type { CapturedAbi } from '../support/netlink-recording.js';
import { inventoryOf, only } from './support/read.js';

const features = 0x8000_0003_0040_8020n;
const macBytes = { bytes: Buffer.from([0x02, 0xab, 0, 0, 0, 0x0f]) };

/** A host of software with the device `vdpa0`. */
function hostOf(abi: CapturedAbi = {}, virtioId = 1): CapturedHost {
  const tree = new CapturedHost(abi);
  tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net', virtioId });
  return tree;
}

describe("the kernel's abilities", () => {
  test('are told by the family: last attribute and commands', async () => {
    using tree = new CapturedHost({ maxAttribute: 20, commands: [2, 3, 4, 5, 6, 7] });

    expect((await inventoryOf(tree)).abi).toEqual({
      maxAttribute: 20,
      commands: [2, 3, 4, 5, 6, 7],
    });
  });

  test('are unknown without a netlink recording; sysfs is shown all the same', async () => {
    using tree = hostOf();
    tree.remove('netlink');

    const inventory = await inventoryOf(tree);

    expect(inventory.abi).toBeNull();
    expect(inventory.managementDevices).toEqual([]);
    expect(only(inventory.devices)).toMatchObject({
      name: 'vdpa0',
      class: null,
      reasons: ['software-parent', 'unmanaged'],
    });
    await using host = await VdpaHost.open({ root: tree.root });
    await expect(host.deviceConfig('vdpa0')).rejects.toMatchObject({ code: 'VDPA_FAMILY_MISSING' });
  });

  test('are none without the vdpa bus, whatever the recording holds', async () => {
    using tree = hostOf();
    tree.pf({ address: '0000:65:00.0', totalVfs: 4, numVfs: 1 });
    tree.remove('sys/bus/vdpa');

    const inventory = await inventoryOf(tree);

    expect(inventory).toMatchObject({ abi: null, devices: [], managementDevices: [] });
    expect(inventory.vfs).toHaveLength(1);
  });

  test('before 5.17 leave the limits of management devices open, before 5.16 the queue minimum', async () => {
    using tree = new CapturedHost({ maxAttribute: 9, commands: [2, 3, 4, 5] });
    tree.management('', 'vdpasim_net', 2n, null);
    tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net', minVqSize: null });

    const { managementDevices, devices } = await inventoryOf(tree);

    expect(only(managementDevices)).toMatchObject({
      maxVqs: null,
      features: null,
      featureNames: [],
    });
    expect(only(devices).minVqSize).toBeNull();
    await using host = await VdpaHost.open({ root: tree.root });
    await expect(host.deviceConfig('vdpa0')).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      errno: 'EOPNOTSUPP',
      step: 'DEV_CONFIG_GET',
    });
  });
});

describe('a management device', () => {
  test('names its classes and, when there is one only, its features, all 64 bits exact', async () => {
    using tree = new CapturedHost();
    tree.management('pci', '0000:65:00.1', 2n, 0x8020_0000_0000_0001n);
    tree.management('', 'vduse', 0x8000_0000_0000_0006n, 0x8000_0001_0000_0001n);

    const { managementDevices } = await inventoryOf(tree);

    expect(managementDevices).toMatchObject([
      {
        classes: ['net', 'block', 'virtio-63'],
        features: 0x8000_0001_0000_0001n,
        featureNames: ['BIT_0', 'VERSION_1', 'BIT_63'],
      },
      {
        classes: ['net'],
        features: 0x8020_0000_0000_0001n,
        featureNames: ['CSUM', 'NOTF_COAL', 'SPEED_DUPLEX'],
      },
    ]);
  });
});

describe('the configuration of a device', () => {
  test('of class net has address, size, queue pairs, link and features above 2^53', async () => {
    using tree = hostOf();
    tree.netlink.config('vdpa0', [
      [5, { u32: 1 }],
      [10, macBytes],
      [11, { u16: 3 }],
      [12, { u16: 16 }],
      [13, { u16: 9000 }],
      [14, { u64: 0x1_0000_0020n }],
      [20, { u64: features }],
    ]);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.deviceConfig('vdpa0')).toEqual({
      name: 'vdpa0',
      class: 'net',
      features,
      featureNames: ['MAC', 'MRG_RXBUF', 'MQ', 'VERSION_1', 'ACCESS_PLATFORM', 'SPEED_DUPLEX'],
      negotiatedFeatures: 0x1_0000_0020n,
      negotiatedFeatureNames: ['MAC', 'VERSION_1'],
      net: { mac: '02:ab:00:00:00:0f', mtu: 9000, maxVqPairs: 16, link: 'up', announce: true },
      block: null,
    });
  });

  test('says null for what the device does not offer', async () => {
    using tree = hostOf();
    tree.netlink.config('vdpa0', [[5, { u32: 1 }]]);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.deviceConfig('vdpa0')).toEqual({
      name: 'vdpa0',
      class: 'net',
      features: null,
      featureNames: [],
      negotiatedFeatures: null,
      negotiatedFeatureNames: [],
      net: { mac: null, mtu: null, maxVqPairs: null, link: null, announce: null },
      block: null,
    });
  });

  test('takes attribute 21 as features on 6.1, and as nothing on 6.2', async () => {
    const read = async (maxAttribute: number) => {
      using tree = hostOf({ maxAttribute });
      tree.netlink.config('vdpa0', [
        [5, { u32: 1 }],
        [21, { u64: features }],
      ]);
      await using host = await VdpaHost.open({ root: tree.root });
      return await host.deviceConfig('vdpa0');
    };

    expect((await read(22)).features).toBe(features);
    expect((await read(21)).features).toBeNull();
    expect((await read(37)).features).toBeNull();
  });

  test('of class block is complete on 6.12', async () => {
    using tree = hostOf({}, 2);
    tree.netlink.config('vdpa0', [
      [5, { u32: 2 }],
      [20, { u64: 0x40n }],
      [21, { u64: 0x20_0000_0000_0001n }],
      [22, { u32: 65536 }],
      [23, { u32: 4096 }],
      [24, { u32: 126 }],
      [25, { u16: 4 }],
      [26, { u8: 3 }],
      [27, { u8: 1 }],
      [28, { u16: 8 }],
      [29, { u32: 64 }],
      [30, { u32: 2048 }],
      [31, { u32: 32 }],
      [32, { u32: 16 }],
      [33, { u32: 1024 }],
      [34, { u32: 0xffff_ffff }],
      [35, { u8: 1 }],
      [36, { u8: 0 }],
    ]);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.deviceConfig('vdpa0')).toMatchObject({
      class: 'block',
      featureNames: ['BLK_SIZE'],
      net: null,
      block: {
        capacitySectors: 0x20_0000_0000_0001n,
        sizeMax: 65536,
        blockSize: 4096,
        segMax: 126,
        numQueues: 4,
        physicalBlockExp: 3,
        alignmentOffset: 1,
        minIoSize: 8,
        optIoSize: 64,
        maxDiscardSectors: 2048,
        maxDiscardSeg: 32,
        discardSectorAlignment: 16,
        maxWriteZeroesSectors: 1024,
        maxWriteZeroesSeg: 4_294_967_295,
        readOnly: true,
        flush: false,
      },
    });
  });

  test('of class block is not known before 6.9', async () => {
    using tree = hostOf({ maxAttribute: 21 }, 2);
    tree.netlink.config('vdpa0', [[5, { u32: 2 }]]);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.deviceConfig('vdpa0')).toMatchObject({ class: 'block', block: null });
  });

  test('of a device that is not there is DEVICE_NOT_FOUND', async () => {
    using tree = hostOf();
    await using host = await VdpaHost.open({ root: tree.root });

    await expect(host.deviceConfig('vdpa9')).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      errno: 'ENODEV',
      outcome: 'unchanged',
    });
  });
});

describe('vendor statistics', () => {
  test("are the driver's counters by name, in its order and of 64 bits", async () => {
    using tree = hostOf();
    tree.netlink.vendorStats('vdpa0', 1, [
      [5, { u32: 1 }],
      [12, { u16: 2 }],
      [14, { u64: features }],
      [18, { text: 'received_desc' }],
      [19, { u64: 0xffff_ffff_ffff_ffffn }],
      [18, { text: 'completed_desc' }],
      [19, { u64: 0n }],
    ]);
    await using host = await VdpaHost.open({ root: tree.root });

    const stats = await host.vendorStats('vdpa0', 1);

    expect(stats).toEqual({
      name: 'vdpa0',
      queueIndex: 1,
      negotiatedFeatures: features,
      counters: [
        { name: 'received_desc', value: 0xffff_ffff_ffff_ffffn },
        { name: 'completed_desc', value: 0n },
      ],
    });
  });

  test('may be empty', async () => {
    using tree = hostOf();
    tree.netlink.vendorStats('vdpa0', 0, [[5, { u32: 1 }]]);
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.vendorStats('vdpa0', 0)).toMatchObject({
      counters: [],
      negotiatedFeatures: null,
    });
  });
});
