import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

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
