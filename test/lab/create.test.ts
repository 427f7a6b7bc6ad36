import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
});
afterAll(() => host.close());
lab.eachOnBareHost();

/** A VF with a management device, of a PF with just enough of them. */
function parentOf(index: number): string {
  return `pci/${lab.vfOf(lab.pfA, index)}`;
}

function configOf(name: string): unknown {
  return lab.vdpaJson('dev', 'config', 'show', name)['config']?.[name];
}

describe('creating a device', () => {
  test('makes one that can be used, named after its VF, with every attribute asked for', async () => {
    lab.enableVfs(lab.pfA, 2);
    const made = await host.createDevice({
      managementDevice: parentOf(0),
      mac: '02:aa:bb:cc:dd:ee',
      mtu: 9000,
      maxVqPairs: 8,
      features: 0x3_0042_0028n, // MTU, MAC, CTRL_VQ, MQ, VERSION_1, ACCESS_PLATFORM
    });

    const name = lab.vfOf(lab.pfA, 0);
    expect(made).toEqual({ ...host.resolve(`pci/${name}`), name });
    expect(lab.driverOf(name)).toBe('vhost_vdpa');
    expect(configOf(name)).toMatchObject({
      mac: '02:aa:bb:cc:dd:ee',
      mtu: 9000,
      max_vq_pairs: 8,
    });
    expect((await host.deviceConfig(name)).features).toBe(0x3_0042_0028n);
    const { devices } = await host.inventory();
    expect(devices).toMatchObject([{ id: made.id, name, usable: true }]);
    // And one with nothing but a name.
    await host.createDevice({ managementDevice: parentOf(1), name: 'vdpa:b%1' });
    expect(lab.deviceNames()).toEqual([name, 'vdpa:b%1']);
  });

  test('of software numbers them, since their parent may have many', async () => {
    const first = await host.createDevice({ managementDevice: 'vdpasim_net' });
    const second = await host.createDevice({ managementDevice: 'vdpasim_net', mtu: 1400 });
    const disk = await host.createDevice({ managementDevice: 'vdpasim_blk' });
    expect([first, second, disk].map(({ id }) => id)).toEqual([
      'vdpa/vdpasim_net0',
      'vdpa/vdpasim_net1',
      'vdpa/vdpasim_blk0',
    ]);
    expect(configOf('vdpasim_net1')).toMatchObject({ mtu: 1400 });
  });

  test('takes it from virtio_vdpa when the kernel gave it there first', async () => {
    // The driver that was registered first takes new devices.
    lab.run('rmmod', 'vhost_vdpa');
    lab.run('modprobe', 'vhost_vdpa');
    lab.autoprobe(true);
    try {
      lab.addDevice('sim0', 'vdpasim_net');
      expect(lab.driverOf('sim0')).toBe('virtio_vdpa');
      const { name } = await host.createDevice({ managementDevice: 'vdpasim_net' });
      expect(lab.driverOf(name)).toBe('vhost_vdpa');
      lab.run('rmmod', 'virtio_vdpa');
      lab.run('modprobe', 'virtio_vdpa');
      const other = await host.createDevice({ managementDevice: 'vdpasim_net' });
      expect(lab.driverOf(other.name)).toBe('vhost_vdpa');
    } finally {
      lab.autoprobe(false);
    }
  });
});

describe('before the kernel is asked, creating is refused', () => {
  test('of what the management device cannot do, in words', async () => {
    lab.enableVfs(lab.pfA, 2);
    const managementDevice = parentOf(0);
    for (const [request, code, words] of [
      [{ managementDevice: 'pci/0000:99:00.1' }, 'DEVICE_NOT_FOUND', 'no such management device'],
      [{ managementDevice, maxVqPairs: 33 }, 'NOT_SUPPORTED', '65 virtqueues at most'],
      [{ managementDevice, features: 1n << 40n }, 'NOT_SUPPORTED', 'does not offer RING_RESET'],
      [
        { managementDevice, mtu: 1500, features: 3n << 32n },
        'NOT_SUPPORTED',
        'need the features MTU',
      ],
      [{ managementDevice: 'vdpasim_blk', mtu: 1500 }, 'NOT_SUPPORTED', 'makes no network devices'],
      [{ managementDevice, name: 'config' }, 'DEVICE_EXISTS', 'name is taken'],
      [{ managementDevice: 'vdpasim_net', name: 'vdpasim_net' }, 'DEVICE_EXISTS', 'name is taken'],
    ] as const) {
      expect([words, await lab.failed(host.createDevice(request))]).toMatchObject([
        words,
        { code, outcome: 'unchanged', errno: undefined, message: expect.stringContaining(words) },
      ]);
    }
    await host.createDevice({ managementDevice, name: 'vdpa0' });
    expect(await lab.failed(host.createDevice({ managementDevice, name: 'vdpa1' }))).toMatchObject({
      code: 'DEVICE_EXISTS',
      message: expect.stringContaining('has its device already, vdpa0'),
    });
    expect(
      await lab.failed(host.createDevice({ managementDevice: parentOf(1), name: 'vdpa0' })),
    ).toMatchObject({ code: 'DEVICE_EXISTS', message: expect.stringContaining('name is taken') });
    expect(lab.deviceNames()).toEqual(['vdpa0']);
  });

  test('without vhost_vdpa', async () => {
    lab.run('rmmod', 'vhost_vdpa');
    try {
      expect(
        await lab.failed(host.createDevice({ managementDevice: 'vdpasim_net' })),
      ).toMatchObject({
        code: 'DRIVER_MISSING',
        outcome: 'unchanged',
      });
    } finally {
      lab.run('modprobe', 'vhost_vdpa');
    }
  });
});

describe('a creation that fails', () => {
  test('in the driver leaves nothing, and says the driver’s errno', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.nicParameter('add_error', 5);
    try {
      expect(await lab.failed(host.createDevice({ managementDevice: parentOf(0) }))).toMatchObject({
        code: 'KERNEL_REFUSED',
        errno: 'EIO',
        outcome: 'unchanged',
      });
    } finally {
      lab.nicParameter('add_error', 0);
    }
    expect(lab.deviceNames()).toEqual([]);
  });

  test('after the kernel has made it deletes it again', async () => {
    lab.enableVfs(lab.pfA, 1);
    // Where its node would be lies a stale file, which devtmpfs leaves alone.
    const path = '/dev/vhost-vdpa-0';
    rmSync(path, { force: true });
    writeFileSync(path, 'stale');
    try {
      expect(await lab.failed(host.createDevice({ managementDevice: parentOf(0) }))).toMatchObject({
        code: 'CHAR_DEVICE_MISMATCH',
        outcome: 'undone',
        leftovers: [],
      });
      expect(lab.deviceNames()).toEqual([]);
    } finally {
      rmSync(path);
    }
    await host.createDevice({ managementDevice: parentOf(0) });
  });

  test('since somebody else put another device in its place leaves that alone', async () => {
    await lab.withHeldFile('/sys/bus/vdpa/drivers/vhost_vdpa/bind', async (letThrough) => {
      const creating = lab.failed(host.createDevice({ managementDevice: 'vdpasim_net' }));
      // The helper and its worker, which waits to bind.
      await lab.until(() => lab.helpers().length === 2);
      lab.deleteDevice('vdpasim_net0');
      lab.addDevice('vdpasim_net0', 'vdpasim_net');
      letThrough();
      expect(await creating).toMatchObject({
        code: expect.stringMatching(/^DEVICE_(CHANGED|NOT_FOUND)$/),
        outcome: 'undone',
      });
    });
    expect(lab.deviceNames()).toEqual(['vdpasim_net0']);
    expect(lab.driverOf('vdpasim_net0')).toBeNull();
  });

  test('since the kernel is too slow is unknown when time is up, and undone after an abort', async () => {
    lab.enableVfs(lab.pfA, 2);
    lab.nicParameter('add_delay_ms', lab.untilMadeZero);
    try {
      const request = { managementDevice: parentOf(0), name: 'late' };
      expect(await lab.failed(host.createDevice(request, { timeoutMs: 300 }))).toMatchObject({
        code: 'KERNEL_TIMEOUT',
        outcome: 'unknown',
      });
      lab.nicParameter('add_delay_ms', 0);
      await lab.until(() => lab.deviceNames().includes('late'));

      lab.nicParameter('add_delay_ms', lab.untilMadeZero);
      const controller = new AbortController();
      const aborted = lab.failed(
        host.createDevice(
          { managementDevice: parentOf(1), name: 'unwanted' },
          { signal: controller.signal },
        ),
      );
      await lab.until(() => lab.threadsInKernel() > 0);
      controller.abort('enough');
      lab.nicParameter('add_delay_ms', 0);
      expect(await aborted).toBe('enough');
      expect(lab.deviceNames()).toEqual(['late']);
    } finally {
      lab.nicParameter('add_delay_ms', 0);
    }
  });

  test('since the host is closed meanwhile is undone before the close answers', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.nicParameter('add_delay_ms', lab.untilMadeZero);
    try {
      const other = await VdpaHost.open();
      const call = lab.failed(other.createDevice({ managementDevice: parentOf(0) }));
      await lab.until(() => lab.threadsInKernel() > 0);
      const closing = other.close();
      lab.nicParameter('add_delay_ms', 0);
      await closing;
      expect(lab.deviceNames()).toEqual([]);
      expect(await call).toMatchObject({ code: 'CLOSED', outcome: 'undone' });
    } finally {
      lab.nicParameter('add_delay_ms', 0);
    }
  });
});
