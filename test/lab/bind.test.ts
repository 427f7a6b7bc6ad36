import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
});
afterAll(() => host.close());
lab.eachOnBareHost();

describe('binding a device', () => {
  test('goes from none to vhost_vdpa, to virtio_vdpa and, by force, back and off', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    const bound = await host.bindDriver('sim0', 'vhost_vdpa');
    const { charDevice } = host.resolve('vdpa/sim0');
    expect(bound).toEqual({ name: 'sim0', driver: 'vhost_vdpa', charDevice });
    expect(await host.bindDriver('sim0', 'vhost_vdpa')).toEqual(bound);

    expect(await host.bindDriver('sim0', 'virtio_vdpa')).toMatchObject({ charDevice: null });
    expect(lab.driverOf('sim0')).toBe('virtio_vdpa');
    expect(await lab.failed(host.bindDriver('sim0', 'vhost_vdpa'))).toMatchObject({
      code: 'DEVICE_IN_HOST_USE',
      outcome: 'unchanged',
    });
    await host.bindDriver('sim0', 'vhost_vdpa', { force: true });
    expect(await host.bindDriver('sim0', null)).toMatchObject({ driver: null });
    expect(lab.driverOf('sim0')).toBeNull();
  });

  test('to a driver that is not there, or of a device that is not, is refused', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    expect(await lab.failed(host.bindDriver('sim0', 'no_such'))).toMatchObject({
      code: 'DRIVER_MISSING',
    });
    expect(await lab.failed(host.bindDriver('sim1', 'vhost_vdpa'))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      outcome: 'unchanged',
    });
  });

  test('to another driver than it is reserved for is refused, and it stays as it is', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'vhost_vdpa');
    lab.reserve('sim0', 'vhost_vdpa');
    expect(await lab.failed(host.bindDriver('sim0', 'virtio_vdpa'))).toMatchObject({
      code: 'DEVICE_RESERVED',
      outcome: 'unchanged',
    });
    expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
  });

  test('gives it back when the new driver does not take it', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'vhost_vdpa');
    await lab.withFullFile('/sys/bus/vdpa/drivers/virtio_vdpa/bind', async () => {
      expect(await lab.failed(host.bindDriver('sim0', 'virtio_vdpa'))).toMatchObject({
        errno: 'ENOSPC',
        outcome: 'undone',
        leftovers: [],
      });
    });
    expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
  });

  test('says what stands when it cannot even give it back', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'vhost_vdpa');
    await lab.withFullFile('/sys/bus/vdpa/drivers/virtio_vdpa/bind', () =>
      lab.withFullFile('/sys/bus/vdpa/drivers/vhost_vdpa/bind', async () => {
        expect(await lab.failed(host.bindDriver('sim0', 'virtio_vdpa'))).toMatchObject({
          errno: 'ENOSPC',
          outcome: 'partial',
          leftovers: ['sim0 is bound to no driver'],
        });
      }),
    );
    expect(lab.driverOf('sim0')).toBeNull();
  });
});

describe('setting a MAC', () => {
  test('changes it, and refuses what no device can have or is not there', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    await host.setMac('sim0', '02:00:00:00:00:09');
    expect((await host.deviceConfig('sim0')).net?.mac).toBe('02:00:00:00:00:09');
    for (const mac of ['01:00:00:00:00:09', '00:00:00:00:00:00', '02:00:00:00:00', '']) {
      await expect(host.setMac('sim0', mac)).rejects.toThrow(TypeError);
    }
    expect(await lab.failed(host.setMac('sim1', '02:00:00:00:00:09'))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
    lab.addDevice('blk0', 'vdpasim_blk');
    expect(await lab.failed(host.setMac('blk0', '02:00:00:00:00:09'))).toMatchObject({
      code: 'NOT_SUPPORTED',
      outcome: 'unchanged',
    });
  });
});
