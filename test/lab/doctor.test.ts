import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finding, type FindingCode, VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

async function finding(host: VdpaHost, code: FindingCode): Promise<Finding | undefined> {
  return (await host.preflight()).find((candidate) => candidate.code === code);
}

const look = `
  import { mkdtempSync, rmSync } from 'node:fs';
  import { VdpaHost } from '${process.cwd()}/dist/index.js';
  const folder = mkdtempSync('/tmp/vdpa-host-test-');
  const file = folder + '/host.tar.gz';
  const live = await VdpaHost.open();
  await live.capture(file);
  const replay = await VdpaHost.open({ root: file });
  console.log(JSON.stringify([await live.preflight(), await replay.preflight()]));
  await Promise.all([live.close(), replay.close()]);
  rmSync(folder, { recursive: true });`;

/** Programs that answer at once: whatever the machine has would take its time in the lab. */
let programs: string;
beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
  const answers = {
    [`qemu-system-${lab.run('uname', '-m').trim()}`]: 'QEMU emulator version 5.0.9',
    libvirtd: 'libvirtd (libvirt) 9.0.0',
  };
  for (const [name, answer] of Object.entries(answers)) {
    writeFileSync(join(programs, name), `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 });
  }
  chmodSync(programs, 0o755);
});
afterAll(() => rmSync(programs, { recursive: true }));

/** What is found by a process that is started by this command, and by a capture that it makes. */
function foundBy(...wrapper: readonly string[]) {
  const [program = '', ...args] = [...wrapper, ...lab.nodeScript(look)];
  const env = { ...process.env, PATH: `${programs}:${process.env['PATH']}` };
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    cwd: '/tmp',
    env,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [findings = [], replayed] = JSON.parse(stdout) as Finding[][];
  expect(replayed).toEqual(findings);
  return (code: FindingCode) => findings.find((candidate) => candidate.code === code);
}

const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

describe('the doctor', () => {
  test('names the nodes that another user may not open', () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.addDevice('blk0', 'vdpasim_blk');
    for (const name of ['sim0', 'blk0']) lab.bind(name, 'vhost_vdpa');
    const [mine = '', other = ''] = ['sim0', 'blk0'].map(lab.charNodeOf);
    const modes = [mine, other].map((node) => statSync(node).mode);
    chmodSync(mine, 0o666);
    chmodSync(other, 0o664);
    try {
      expect(foundBy(...asNobody)('node-permissions')).toMatchObject({
        severity: 'warning',
        message: `this process may not open ${other}`,
      });
      chmodSync(other, 0o666);
      expect(foundBy(...asNobody)('node-permissions')).toMatchObject({ severity: 'ok' });
    } finally {
      for (const [index, node] of [mine, other].entries()) chmodSync(node, modes[index] ?? 0o600);
    }
  });

  test('tells its own limit of locked memory, and the QEMU that it finds', () => {
    const limited = foundBy('prlimit', '--memlock=65536:65536');
    const unlimited = foundBy('prlimit', '--memlock=unlimited:unlimited');

    expect(limited('memory-lock')).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^0\.06 MiB /),
    });
    expect(unlimited('memory-lock')).toMatchObject({ severity: 'ok' });
    expect(limited('qemu-version')).toMatchObject({
      severity: 'error',
      message: expect.stringMatching(/^QEMU 5\.0\.9 \(qemu-system-/),
    });
    expect(limited('libvirt-version')).toMatchObject({ severity: 'ok' });
  });

  test('tells a card without a switch from one with, and the cure is one', async () => {
    await using host = await VdpaHost.open();
    const device = () => {
      lab.enableVfs(lab.pfA, 2);
      lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    };
    lab.nicParameter('legacy', 1);
    try {
      device();
      expect(await finding(host, 'switchdev-order')).toMatchObject({
        severity: 'warning',
        message: expect.stringContaining(lab.pfA),
        cure: expect.stringContaining(`devlink dev eswitch set pci/${lab.pfA} mode switchdev`),
      });
    } finally {
      lab.nicParameter('legacy', 0);
    }
    lab.reset();
    device();
    expect(await finding(host, 'switchdev-order')).toMatchObject({ severity: 'ok' });
    // This kernel has no IOMMU.
    expect(await finding(host, 'iommu')).toMatchObject({ severity: 'warning' });
  });

  test('tells of VFs that get no driver, and the cure gives them theirs', async () => {
    await using host = await VdpaHost.open();
    const autoprobe = `/sys/bus/pci/devices/${lab.pfA}/sriov_drivers_autoprobe`;
    const vfs = [0, 1].map((index) => lab.vfOf(lab.pfA, index));
    writeFileSync(autoprobe, '0');
    try {
      lab.enableVfs(lab.pfA, 2);
      lab.enableVfs(lab.pfB, 1);
      expect(
        (await host.inventory()).managementDevices.map(({ pciAddress }) => pciAddress),
      ).not.toContain(vfs[0]);
      const found = await finding(host, 'vf-autoprobe');
      expect(found).toMatchObject({
        severity: 'warning',
        message: expect.stringMatching(`^2 VFs have no driver, as .* of ${lab.pfA} is 0`),
        cure: expect.stringContaining(`echo 1 > ${autoprobe}`),
      });
      expect(found?.cure).toContain('/sys/bus/pci/drivers_probe');
    } finally {
      writeFileSync(autoprobe, '1');
    }
    for (const vf of vfs) writeFileSync('/sys/bus/pci/drivers_probe', vf);
    const { managementDevices } = await host.inventory();
    for (const vf of vfs)
      expect(managementDevices).toContainEqual(expect.objectContaining({ pciAddress: vf }));
    expect(await finding(host, 'vf-autoprobe')).toMatchObject({ severity: 'ok' });
    expect(readFileSync(autoprobe, 'utf8')).toBe('1\n');
  });
});
