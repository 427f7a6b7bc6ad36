import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
  return async () => host.close();
});
lab.eachOnBareHost();

describe('resolve', () => {
  test('follows a device through deletion, another name and another char device', () => {
    lab.enableVfs(lab.pfA, 2);
    const [vf, other] = [lab.vfOf(lab.pfA, 0), lab.vfOf(lab.pfA, 1)];
    const id = `pci/${vf}`;
    lab.addDevice('first', id);
    lab.bind('first', 'vhost_vdpa');
    const before = host.resolve(id);
    expect(before).toMatchObject({ id, name: 'first' });

    lab.deleteDevice('first');
    expect(() => host.resolve(id)).toThrow(expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }));

    // Another device takes the number that the first one had.
    lab.addDevice('thief', `pci/${other}`);
    lab.bind('thief', 'vhost_vdpa');
    expect(host.resolve(`pci/${other}`).charDevice).toEqual(before.charDevice);
    lab.addDevice('second', id);
    expect(() => host.resolve(id)).toThrow(
      expect.objectContaining({
        code: 'DEVICE_NOT_BOUND',
        message: expect.stringContaining('second'),
      }),
    );
    lab.bind('second', 'vhost_vdpa');

    const after = host.resolve(id);
    expect(after.name).toBe('second');
    expect(after.charDevice).not.toEqual(before.charDevice);
    const { major, minor, path } = after.charDevice;
    expect(
      readFileSync(`/sys/bus/vdpa/devices/second/${path.slice('/dev/'.length)}/dev`, 'utf8').trim(),
    ).toBe(`${major}:${minor}`);
  });

  test('says when the host itself holds the device, or its node is gone', () => {
    lab.enableVfs(lab.pfA, 1);
    const id = `pci/${lab.vfOf(lab.pfA, 0)}`;
    lab.addDevice('vdpa0', id);
    lab.bind('vdpa0', 'virtio_vdpa');
    expect(() => host.resolve(id)).toThrow(
      expect.objectContaining({
        code: 'DEVICE_NOT_BOUND',
        message: expect.stringContaining('virtio_vdpa'),
      }),
    );
    lab.unbind('vdpa0', 'virtio_vdpa');
    lab.bind('vdpa0', 'vhost_vdpa');
    const { path, major, minor } = host.resolve(id).charDevice;
    lab.run('rm', path);
    expect(() => host.resolve(id)).toThrow(
      expect.objectContaining({ code: 'CHAR_DEVICE_MISSING' }),
    );
    lab.run('mknod', path, 'c', `${major}`, `${minor + 1}`);
    expect(() => host.resolve(id)).toThrow(
      expect.objectContaining({ code: 'CHAR_DEVICE_MISMATCH' }),
    );
    lab.run('rm', path);
    lab.run('mknod', path, 'c', `${major}`, `${minor}`);
    expect(host.resolve(id).charDevice).toMatchObject({ path, major, minor });
  });

  test('finds a software device by its name', () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'vhost_vdpa');
    expect(host.resolve('vdpa/sim0')).toMatchObject({ name: 'sim0' });
  });

  test('finds a device whose name is no text by what it is shown as', async () => {
    // Through a shell: no JavaScript string is this argument.
    const odd = "$'v\\xff'";
    lab.run('bash', '-c', `vdpa dev add name ${odd} mgmtdev vdpasim_net`);
    try {
      lab.run('bash', '-c', `echo -n ${odd} > /sys/bus/vdpa/drivers/vhost_vdpa/bind`);
      lab.addDevice('v\ufffd', 'vdpasim_net');
      const { devices } = await host.inventory();
      expect(devices.map(({ name, class: kind }) => [name, kind]).sort()).toEqual([
        ['v\\xff', 'net'],
        ['v\ufffd', 'net'],
      ]);
      expect(host.resolve('vdpa/v\\xff')).toMatchObject({ name: 'v\\xff' });
      expect(await host.deviceConfig('v\\xff')).toMatchObject({ name: 'v\\xff', class: 'net' });
    } finally {
      lab.run('bash', '-c', `vdpa dev del ${odd}`);
    }
  });

  test('never opens the node: a holder is not disturbed and sees no reset', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'vhost_vdpa');
    const { path } = host.resolve('vdpa/sim0').charDevice;
    const holder = await lab.hold(path);
    try {
      expect(host.resolve('vdpa/sim0').charDevice.path).toBe(path);
      expect((await host.inventory()).devices).toMatchObject([{ name: 'sim0' }]);
    } finally {
      await lab.letGo(holder);
    }
  });
});
