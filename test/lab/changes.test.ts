import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NativeHost, openNativeHost } from '../../src/native.js';
import * as lab from '../support/lab-host.js';

// The three requests that change something, as the core makes them; nothing public wraps them yet.
const timeoutMs = 10_000;
let native: NativeHost;
beforeAll(() => {
  native = openNativeHost('/');
});
afterAll(() => native.close());
lab.eachOnBareHost();

function request(name: string, vf: string) {
  return {
    name,
    managementBus: 'pci',
    managementName: vf,
    mac: null,
    mtu: null,
    maxVqPairs: null,
    features: null,
  };
}

describe('adding a device', () => {
  test('gives it MAC, MTU, queue pairs and features', async () => {
    lab.enableVfs(lab.pfA, 1);
    const wanted = {
      mac: '02:aa:bb:cc:dd:ee',
      mtu: 9000,
      maxVqPairs: 8,
      features: 0x3_0042_0028n, // MTU, MAC, CTRL_VQ, MQ, VERSION_1, ACCESS_PLATFORM
    };

    await native.addDevice({ ...request('vdpa0', lab.vfOf(lab.pfA, 0)), ...wanted }, timeoutMs);

    expect(lab.vdpaJson('dev', 'config', 'show', 'vdpa0')['config']?.['vdpa0']).toMatchObject({
      mac: wanted.mac,
      mtu: wanted.mtu,
      max_vq_pairs: wanted.maxVqPairs,
    });
    const config = await native.deviceConfig('vdpa0', timeoutMs);
    expect(config.deviceFeatures).toBe(wanted.features);
  });

  test('a second time on one VF is refused by the driver with ENOSPC', async () => {
    lab.enableVfs(lab.pfA, 1);
    const vf = lab.vfOf(lab.pfA, 0);
    await native.addDevice(request('vdpa0', vf), timeoutMs);
    await expect(native.addDevice(request('vdpa1', vf), timeoutMs)).rejects.toMatchObject({
      code: 'KERNEL_REFUSED',
      errno: 'ENOSPC',
    });
  });

  test('under a name that exists is refused with EEXIST', async () => {
    lab.enableVfs(lab.pfA, 2);
    await native.addDevice(request('vdpa0', lab.vfOf(lab.pfA, 0)), timeoutMs);
    await expect(
      native.addDevice(request('vdpa0', lab.vfOf(lab.pfA, 1)), timeoutMs),
    ).rejects.toMatchObject({ errno: 'EEXIST' });
  });

  test('with an attribute that the management device lacks says which, in the kernel’s words', async () => {
    await expect(
      native.addDevice(
        {
          ...request('sim0', 'vdpasim_net'),
          managementBus: '',
          maxVqPairs: 2,
        },
        timeoutMs,
      ),
    ).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      extack: expect.stringContaining('Some provided attributes are not supported: 0x1000'),
    });
  });

  test('to a management device that is not there says so', async () => {
    await expect(
      native.addDevice(request('vdpa0', '0000:99:00.1'), timeoutMs),
    ).rejects.toMatchObject({
      errno: 'ENODEV',
      extack: expect.stringContaining('Fail to find the specified management device'),
    });
  });

  test('with an MTU below 68 names the refused attribute by its offset', async () => {
    lab.enableVfs(lab.pfA, 1);
    const error = await native
      .addDevice({ ...request('vdpa0', lab.vfOf(lab.pfA, 0)), mtu: 10 }, timeoutMs)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ errno: 'ERANGE', extack: 'integer out of range' });
    expect((error as { attributeOffset: number }).attributeOffset).toBeGreaterThan(20);
  });

  test('that the driver fails reports the driver’s errno, and the next one works', async () => {
    lab.enableVfs(lab.pfA, 1);
    const vf = lab.vfOf(lab.pfA, 0);
    lab.nicParameter('add_error', 5);
    try {
      await expect(native.addDevice(request('vdpa0', vf), timeoutMs)).rejects.toMatchObject({
        code: 'KERNEL_REFUSED',
        errno: 'EIO',
      });
    } finally {
      lab.nicParameter('add_error', 0);
    }
    await native.addDevice(request('vdpa0', vf), timeoutMs);
    expect(lab.deviceNames()).toEqual(['vdpa0']);
  });
});

describe('deleting a device', () => {
  test('takes it away', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    await native.deleteDevice('sim0', timeoutMs);
    expect(lab.deviceNames()).toEqual([]);
  });

  test('that is not there is DEVICE_NOT_FOUND', async () => {
    await expect(native.deleteDevice('sim0', timeoutMs)).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      errno: 'ENODEV',
      extack: expect.stringContaining('device not found'),
    });
  });
});

describe('setting a MAC', () => {
  test('changes it', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, 'mac', '02:00:00:00:00:01');
    await native.setMac('vdpa0', '02:00:00:00:00:02', timeoutMs);
    expect(lab.vdpaJson('dev', 'config', 'show', 'vdpa0')['config']?.['vdpa0']).toMatchObject({
      mac: '02:00:00:00:00:02',
    });
  });

  test('of a block device fails although the kernel acknowledges it', async () => {
    lab.addDevice('blk0', 'vdpasim_blk');
    await expect(native.setMac('blk0', '02:00:00:00:00:02', timeoutMs)).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      extack: expect.stringContaining('blk0 device not supported'),
    });
  });
});
