import { beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
  return async () => host.close();
});
lab.eachOnBareHost();

describe('deviceConfig', () => {
  test('agrees with iproute2 field by field', async () => {
    lab.enableVfs(lab.pfA, 2);
    const attributes = ['mac', '02:11:22:33:44:55', 'mtu', '9000', 'max_vqp', '4'];
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, ...attributes);
    lab.addDevice('vdpa1', `pci/${lab.vfOf(lab.pfA, 1)}`);
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('vdpa1', 'virtio_vdpa');

    for (const name of ['vdpa0', 'vdpa1', 'sim0']) {
      const { net, negotiatedFeatures, negotiatedFeatureNames } = await host.deviceConfig(name);
      // iproute2 writes its keys for the link with a blank at the end.
      expect({
        ...(net?.mac && { mac: net.mac }),
        ...(net?.link && { 'link ': net.link, 'link_announce ': net.announce }),
        ...(net?.maxVqPairs && { max_vq_pairs: net.maxVqPairs }),
        ...(net?.mtu && { mtu: net.mtu }),
        ...(negotiatedFeatures !== null && { negotiated_features: negotiatedFeatureNames }),
      }).toEqual(lab.vdpaJson('dev', 'config', 'show', name)['config']?.[name]);
    }
    expect(await host.deviceConfig('vdpa0')).toMatchObject({
      class: 'net',
      net: { mac: '02:11:22:33:44:55', mtu: 9000, maxVqPairs: 4, link: 'up', announce: false },
      negotiatedFeatures: null,
      negotiatedFeatureNames: [],
    });
  });

  test('tells what iproute2 leaves out: device features and a block device', async () => {
    lab.enableVfs(lab.pfA, 1);
    // VERSION_1, ACCESS_PLATFORM, MAC
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, 'device_features', '0x300000020');
    lab.addDevice('blk0', 'vdpasim_blk');

    expect(await host.deviceConfig('vdpa0')).toMatchObject({
      features: 0x300000020n,
      featureNames: ['MAC', 'VERSION_1', 'ACCESS_PLATFORM'],
    });
    const { class: deviceClass, net, block } = await host.deviceConfig('blk0');
    expect({ deviceClass, net }).toEqual({ deviceClass: 'block', net: null });
    // The simulator's disk of 128 MiB.
    expect(block).toMatchObject({ capacitySectors: 0x40000n, readOnly: false });
  });

  test('shows a driver that has negotiated', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    expect((await host.deviceConfig('vdpa0')).negotiatedFeatures).toBeNull();

    lab.bind('vdpa0', 'virtio_vdpa');

    expect((await host.deviceConfig('vdpa0')).negotiatedFeatureNames).toContain('VERSION_1');
  });

  test('of a name that is not there is DEVICE_NOT_FOUND, with the kernel in its own words', async () => {
    await expect(host.deviceConfig('nothing')).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      errno: 'ENODEV',
      extack: expect.stringContaining('device not found'),
    });
  });
});

describe('vendorStats', () => {
  test('agree with iproute2 once a driver has negotiated', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    await expect(host.vendorStats('vdpa0', 0)).rejects.toMatchObject({
      code: 'FEATURES_NOT_NEGOTIATED',
      errno: 'EAGAIN',
      retry: 'later',
    });

    lab.bind('vdpa0', 'virtio_vdpa');

    const { counters } = await host.vendorStats('vdpa0', 1);
    const theirs = JSON.stringify(lab.vdpaJson('dev', 'vstats', 'show', 'vdpa0', 'qidx', '1'));
    expect(counters.map(({ name }) => name)).toEqual(['received_desc', 'completed_desc']);
    for (const { name, value } of counters) expect(theirs).toContain(`"${name}":${value}`);
    await expect(host.vendorStats('vdpa0', 9)).rejects.toMatchObject({ code: 'KERNEL_REFUSED' });

    const all = await host.queueStats('vdpa0');
    expect(all.map(({ queueIndex }) => queueIndex)).toEqual([0, 1, 2]);
    for (const one of all) expect(one).toEqual(await host.vendorStats('vdpa0', one.queueIndex));
  });

  test('of a block device are NOT_SUPPORTED', async () => {
    lab.addDevice('blk0', 'vdpasim_blk');
    lab.bind('blk0', 'virtio_vdpa');
    for (const asked of [host.vendorStats('blk0', 0), host.queueStats('blk0')]) {
      await expect(asked).rejects.toMatchObject({ code: 'NOT_SUPPORTED', errno: 'EOPNOTSUPP' });
    }
    await expect(host.queueStats('nothing')).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  });
});
