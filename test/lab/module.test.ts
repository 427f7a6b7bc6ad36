import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

describe('the module', () => {
  const modules = ['vdpa_sim_net', 'vdpa_sim_blk', 'vdpa_sim', 'vhost_vdpa', 'virtio_vdpa', 'vdpa'];

  test('may go, and come back with another family id, under an open host', async () => {
    await using host = await VdpaHost.open();
    lab.addDevice('sim0', 'vdpasim_net');
    const before = lab.familyId();
    expect((await host.inventory()).devices).toHaveLength(1);
    const nic = lab.nicParameters();
    lab.reset();

    lab.run('rmmod', 'labnic', ...modules);
    try {
      const without = await host.inventory();
      expect(without).toMatchObject({ abi: null, devices: [], managementDevices: [], vfs: [] });
      const bad = (await host.preflight()).filter(({ severity }) => severity === 'error');
      expect(bad.map(({ code }) => code)).toEqual([
        'vdpa-module',
        'vdpa-family',
        'vhost-vdpa-module',
      ]);
      await expect(host.deviceConfig('sim0')).rejects.toMatchObject({
        code: 'VDPA_MODULE_MISSING',
      });
    } finally {
      for (const name of modules.toReversed()) lab.run('modprobe', name);
      lab.loadNic(nic);
      writeFileSync('/sys/bus/vdpa/drivers_autoprobe', '0');
    }

    expect(lab.familyId()).not.toBe(before);
    lab.addDevice('sim0', 'vdpasim_net');
    expect((await host.inventory()).devices).toMatchObject([{ name: 'sim0', class: 'net' }]);
    expect(await host.deviceConfig('sim0')).toMatchObject({ class: 'net' });
  });
});
