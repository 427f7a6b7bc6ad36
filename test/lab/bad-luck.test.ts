import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

describe('a PF that is pulled out', () => {
  test('is gone with everything on it, and the other PF is as before', async () => {
    await using host = await VdpaHost.open();
    lab.enableVfs(lab.pfA, 4);
    lab.enableVfs(lab.pfB, 2);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 1)}`);
    lab.addDevice('vdpa1', `pci/${lab.vfOf(lab.pfB, 1)}`);

    lab.nicParameter('pull', 0);
    try {
      await lab.until(() => !lab.exists(`/sys/bus/pci/devices/${lab.pfA}`));
      const { pfs, vfs, devices } = await host.inventory();
      expect(pfs.map(({ address }) => address)).toEqual([lab.pfB]);
      expect(vfs).toHaveLength(2);
      expect(devices.map(({ name }) => name)).toEqual(['vdpa1']);
      expect(() => host.resolve(`pci/${lab.vfOf(lab.pfA, 1)}`)).toThrow(
        expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }),
      );
    } finally {
      lab.nicParameter('put_back', 0);
      writeFileSync('/sys/bus/pci/rescan', '1');
    }
    expect((await host.inventory()).pfs.map(({ address }) => address)).toEqual([lab.pfA, lab.pfB]);
  });

  test('while the host is read never makes an error', async () => {
    await using host = await VdpaHost.open();
    for (let round = 0; round < (lab.long ? 50 : 3); round++) {
      lab.enableVfs(lab.pfA, 16);
      for (let index = 0; index < 4; index++) {
        lab.addDevice(`vdpa${index}`, `pci/${lab.vfOf(lab.pfA, index)}`);
      }
      lab.nicParameter('pull', 0);
      for (let read = 0; lab.exists(`/sys/bus/pci/devices/${lab.pfA}`) || read < 3; read++) {
        const { pfs } = await host.inventory();
        expect(pfs.map(({ address }) => address)).toContain(lab.pfB);
      }
      lab.nicParameter('put_back', 0);
      writeFileSync('/sys/bus/pci/rescan', '1');
    }
  });
});

describe('a device without a management device', () => {
  test('is listed, unmanaged, and its configuration refused', async () => {
    await using host = await VdpaHost.open();
    lab.nicParameter('unmanaged', 0);
    try {
      lab.enableVfs(lab.pfA, 2);
      const { devices } = await host.inventory();
      expect(devices).toMatchObject([
        {
          id: `pci/${lab.vfOf(lab.pfA, 0)}`,
          class: null,
          managementDevice: null,
          parent: { kind: 'vf', vfIndex: 0 },
          reasons: ['unmanaged', 'not-bound'],
        },
      ]);
      await expect(host.deviceConfig(devices[0]?.name ?? '')).rejects.toMatchObject({
        code: 'KERNEL_REFUSED',
        errno: 'EINVAL',
        extack: expect.stringContaining('unmanaged'),
      });
    } finally {
      lab.nicParameter('unmanaged', -1);
      lab.enableVfs(lab.pfA, 0);
    }
  });
});

describe('a kernel that is busy with another command', () => {
  test('is KERNEL_TIMEOUT for the reader, and answers again afterwards', async () => {
    lab.enableVfs(lab.pfA, 1);
    await using host = await VdpaHost.open({ timeoutMs: 300 });
    await host.inventory();
    lab.nicParameter('add_delay_ms', lab.untilMadeZero);
    const slow = lab.start(
      'vdpa',
      'dev',
      'add',
      'name',
      'vdpa0',
      'mgmtdev',
      `pci/${lab.vfOf(lab.pfA, 0)}`,
    );
    try {
      await lab.until(() => lab.sleepsInKernel(slow.pid));
      const error = await host.inventory().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'KERNEL_TIMEOUT', retry: 'later' });
    } finally {
      lab.nicParameter('add_delay_ms', 0);
      await lab.ended(slow);
    }
    const { devices } = await host.inventory();
    expect(devices.map(({ name }) => name)).toEqual(['vdpa0']);
  });
});
