import { closeSync, mkdirSync, openSync, readSync, rmSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
});
afterAll(() => host.close());
lab.eachOnBareHost();

describe('the number of a PF’s VFs', () => {
  test('goes up from 0, stays, is replaced when that is asked for, and goes to 0', async () => {
    const vfs = await host.enableVfs(lab.pfA, 3);
    expect(vfs.map(({ address }) => address)).toEqual([0, 1, 2].map((n) => lab.vfOf(lab.pfA, n)));
    const { name } = await host.createDevice({ managementDevice: `pci/${lab.vfOf(lab.pfA, 1)}` });
    expect(await host.enableVfs(lab.pfA, 3)).toHaveLength(3);
    expect(lab.deviceNames()).toEqual([name]);

    expect(await lab.failed(host.enableVfs(lab.pfA, 2))).toMatchObject({
      code: 'VFS_EXIST',
      outcome: 'unchanged',
    });
    expect(await host.enableVfs(lab.pfA, 2, { replace: true })).toHaveLength(2);
    expect(lab.deviceNames()).toEqual([]);
    expect(await host.enableVfs(lab.pfA, 0)).toEqual([]);
  });

  test('is refused above what the PF can have, and of what has none', async () => {
    expect(await lab.failed(host.enableVfs(lab.pfA, 17))).toMatchObject({
      code: 'NOT_SUPPORTED',
      errno: undefined,
      message: expect.stringContaining('16'),
    });
    expect(await lab.failed(host.enableVfs('0000:10:00.0', 1))).toMatchObject({
      code: 'NOT_SUPPORTED',
    });
    expect(await lab.failed(host.enableVfs('0000:99:00.0', 1))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
  });

  test('stays while one device is held or the host’s own, and no other is touched', async () => {
    await host.enableVfs(lab.pfA, 3);
    const [first, second, third] = [0, 1, 2].map((n) => lab.vfOf(lab.pfA, n));
    for (const address of [first, second]) {
      await host.createDevice({ managementDevice: `pci/${address}` });
    }
    lab.addDevice('vdpa2', `pci/${third}`);
    const holder = await lab.holdAskable(host.resolve(`pci/${second}`).charDevice.path);
    const asBefore = () => {
      expect(lab.driverOf(`${first}`)).toBe('vhost_vdpa');
      expect(lab.reservationOf(`${first}`)).toBe('(null)');
      expect(lab.reservationOf('vdpa2')).toBe('(null)');
    };
    try {
      for (const force of [false, true]) {
        expect(await lab.failed(host.enableVfs(lab.pfA, 0, { force }))).toMatchObject({
          code: 'DEVICE_BUSY',
          outcome: 'unchanged',
          message: expect.stringMatching(new RegExp(`^${second}: .*perl \\(pid ${holder.pid}\\)`)),
        });
        // At once: what was held while the others were tried is free again.
        closeSync(openSync(lab.charNodeOf(`${first}`), 'r+'));
        asBefore();
      }
      expect(await holder.deviceId()).toBe('1');
      expect(lab.vdpaAnswers()).toBe(true);
    } finally {
      await holder.letGo();
    }

    lab.bind('vdpa2', 'virtio_vdpa');
    expect(await lab.failed(host.enableVfs(lab.pfA, 0))).toMatchObject({
      code: 'DEVICE_IN_HOST_USE',
      outcome: 'unchanged',
    });
    asBefore();
    // The PF's driver refuses after the devices were released: they are bound again.
    await lab.withFullFile(`/sys/bus/pci/devices/${lab.pfA}/sriov_numvfs`, async () => {
      expect(await lab.failed(host.enableVfs(lab.pfA, 0, { force: true }))).toMatchObject({
        errno: 'ENOSPC',
        outcome: 'undone',
      });
    });
    asBefore();
    expect(lab.driverOf('vdpa2')).toBe('virtio_vdpa');
    await host.enableVfs(lab.pfA, 0, { force: true });
    expect(lab.deviceNames()).toEqual([]);
  });

  test('stays when a guest gets a VF, or somebody another number, while the devices are released', async () => {
    await host.enableVfs(lab.pfA, 2);
    const name = lab.vfOf(lab.pfA, 0);
    const other = `/sys/bus/pci/devices/${lab.vfOf(lab.pfA, 1)}`;
    // As a VF looks that vfio-pci has: the lab's kernel lacks that driver.
    mkdirSync('/tmp/passed');
    symlinkSync('../../../bus/pci/drivers/vfio-pci', '/tmp/passed/driver');
    /** Comes in between when the helper has taken the only device, and is about to unbind it. */
    const meanwhile = async (act: () => void) => {
      lab.addDevice(name, `pci/${name}`);
      lab.bind(name, 'vhost_vdpa');
      let answer: unknown;
      await lab.withHeldFile('/sys/bus/vdpa/drivers/vhost_vdpa/unbind', async (letThrough) => {
        const call = lab.failed(host.enableVfs(lab.pfA, 0));
        await lab.until(() => lab.reservationOf(name) === 'vdpa-host');
        lab.deleteDevice(name);
        act();
        letThrough();
        answer = await call;
      });
      return answer;
    };
    try {
      expect(await meanwhile(() => lab.run('mount', '--bind', '/tmp/passed', other))).toMatchObject(
        { code: 'DEVICE_BUSY', message: expect.stringContaining('vfio-pci') },
      );
    } finally {
      lab.run('umount', other);
      rmSync('/tmp/passed', { recursive: true });
    }
    expect((await host.inventory()).vfs).toHaveLength(2);
    const changed = await meanwhile(() => {
      lab.enableVfs(lab.pfA, 0);
      lab.enableVfs(lab.pfA, 3);
    });
    expect(changed).toMatchObject({ code: 'DEVICE_CHANGED' });
    expect((await host.inventory()).vfs).toHaveLength(3);
  });

  test('that cannot be changed in time has its devices put back to the last one', async () => {
    const vfs = await host.enableVfs(lab.pfA, 3);
    const names = vfs.map(({ address }) => address as string);
    for (const name of names) {
      lab.addDevice(name, `pci/${name}`);
      lab.bind(name, 'vhost_vdpa');
    }
    const numvfs = `/sys/bus/pci/devices/${lab.pfA}/sriov_numvfs`;
    await lab.withFullFile(numvfs, () =>
      lab.withHeldFile('/sys/bus/vdpa/drivers/vhost_vdpa/bind', async (letThrough) => {
        const call = lab.failed(host.enableVfs(lab.pfA, 0, { timeoutMs: 1500 }));
        // The first that is put back waits for longer than the caller does.
        expect(await call).toMatchObject({
          code: 'KERNEL_TIMEOUT',
          outcome: 'unknown',
          step: `bind ${names[2]} to vhost_vdpa`,
          leftovers: names.map((name) => `${name} is bound to no driver`),
        });
        expect(names.map(lab.reservationOf)).toEqual(['vdpa-host', 'vdpa-host', '(null)']);
        letThrough();
        await lab.until(() => lab.helpers().length === 0);
        const asked = Buffer.alloc(4096);
        const length = readSync(letThrough(), asked);
        expect(asked.toString('latin1', 0, length)).toBe([...names].reverse().join(''));
      }),
    );
    expect(names.map(lab.reservationOf)).toEqual(['(null)', '(null)', '(null)']);
  });
});
