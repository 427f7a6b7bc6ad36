import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

beforeEach(() => lab.reset());
afterEach(() => {
  lab.reset();
  expect(lab.kernelComplaints()).toEqual([]);
});

/** Runs a script against the built library in a process of its own and takes its JSON. */
function inProcess(script: string, ...wrapper: readonly string[]): Record<string, unknown> {
  const [command = process.execPath, ...args] = [
    ...wrapper,
    process.execPath,
    '--input-type=module',
    '-e',
    `import { VdpaHost } from '${process.cwd()}/dist/index.js';
     const host = await VdpaHost.open();
     const result = await (async () => { ${script} })();
     await host.close();
     console.log(JSON.stringify(result));`,
  ];
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8' }));
}

const look = `
  const { abi, devices, vfs } = await host.inventory();
  const findings = await host.preflight();
  const bad = findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
  return { abi: abi !== null, devices: devices.length, vfs: vfs.length, bad };`;

describe('another network namespace', () => {
  test('has no family, but shows every device that sysfs shows, and the doctor says why', () => {
    lab.enableVfs(lab.pfA, 2);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    const here = inProcess(look);
    const there = inProcess(look, 'unshare', '--net');
    expect(here).toEqual({ abi: true, devices: 1, vfs: 2, bad: [] });
    expect(there).toEqual({ abi: false, devices: 1, vfs: 2, bad: ['vdpa-family'] });
  });

  test('answers a question about one device with VDPA_FAMILY_MISSING', () => {
    lab.addDevice('sim0', 'vdpasim_net');
    const error = inProcess(
      `return await host.deviceConfig('sim0').catch(({ code, retry }) => ({ code, retry }));`,
      'unshare',
      '--net',
    );
    expect(error).toEqual({ code: 'VDPA_FAMILY_MISSING', retry: 'after-fix' });
  });
});

describe('without privilege', () => {
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

  test('listing and configuration work as for root', () => {
    lab.enableVfs(lab.pfA, 2);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    const script = `
      const { consistent, ...inventory } = await host.inventory();
      const config = await host.deviceConfig('vdpa0');
      return JSON.parse(JSON.stringify([inventory, config],
        (_, value) => (typeof value === 'bigint' ? String(value) : value)));`;
    expect(inProcess(script, ...nobody)).toEqual(inProcess(script));
  });

  test('statistics are PERMISSION_DENIED, and the doctor warns', () => {
    lab.addDevice('sim0', 'vdpasim_net');
    const result = inProcess(
      `const error = await host.vendorStats('sim0', 0).catch(({ code, errno }) => ({ code, errno }));
       const findings = await host.preflight();
       return { error, severity: findings.find(({ code }) => code === 'privilege').severity };`,
      ...nobody,
    );
    expect(result).toEqual({
      error: { code: 'PERMISSION_DENIED', errno: 'EPERM' },
      severity: 'warning',
    });
  });
});

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
    lab.nicParameter('add_delay_ms', 3000);
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
      await lab.ended(slow);
      lab.nicParameter('add_delay_ms', 0);
    }
    const { devices } = await host.inventory();
    expect(devices.map(({ name }) => name)).toEqual(['vdpa0']);
  });
});

describe('the command', () => {
  function command(...args: readonly string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/main.js', ...args], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  test('lists, draws, shows and diagnoses the kernel it runs on', () => {
    lab.enableVfs(lab.pfA, 3);
    const vf = lab.vfOf(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${vf}`);
    lab.bind('vdpa0', 'vhost_vdpa');

    expect(command('list').stdout).toMatch(
      /^vdpa0 .*vhost_vdpa .*\/dev\/vhost-vdpa-\d+ .*usable$/m,
    );
    expect(command('tree').stdout).toMatch(new RegExp(`vf 1 +${vf} .*vdpa0 .*usable`));
    const shown = JSON.parse(command('show', vf, '--json').stdout);
    expect(shown.functions[0].devices[0]).toMatchObject({ name: 'vdpa0', usable: true });
    expect(command('doctor')).toMatchObject({ status: 0, stderr: '' });
    expect(command('show', 'vdpa9')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('vdpa0'),
    });
  });
});
