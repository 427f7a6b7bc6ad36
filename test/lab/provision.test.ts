import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeclaredPf, VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
});
afterAll(() => host.close());
lab.eachOnBareHost();

const base = '02:00:00:00:00:10';
const node = { owner: 4711, group: 4712, mode: '0640' } as const;

/** Three VFs of one PF with a device each. */
const three: DeclaredPf = {
  address: lab.pfA,
  vfs: 3,
  devices: [{ on: 'all', name: 'v{vf}', mac: { base }, mtu: 9000, maxVqPairs: 2, ...node }],
};

const provision = (pf: DeclaredPf, check = false) => host.provision({ pfs: [pf] }, { check });

/** What the kernel says of a device, and the node's owner as `stat` has it. */
function facts(name: string): unknown {
  const config = lab.vdpaJson('dev', 'config', 'show', name)['config']?.[name] ?? {};
  const { mac, mtu, max_vq_pairs } = config as Record<string, unknown>;
  const driver = lab.driverOf(name);
  if (driver !== 'vhost_vdpa') return { mac, mtu, max_vq_pairs, driver };
  const { uid, gid, mode } = statSync(lab.charNodeOf(name));
  return { mac, mtu, max_vq_pairs, driver, uid, gid, mode: (mode & 0o777).toString(8) };
}

const asDeclared = (mac: string) => ({
  mac,
  mtu: 9000,
  max_vq_pairs: 2,
  driver: 'vhost_vdpa',
  uid: 4711,
  gid: 4712,
  mode: '640',
});

describe('provisioning', () => {
  test('goes from nothing to all, after a check that changes nothing; then nothing is to do', async () => {
    const planned = await provision(three, true);
    expect(planned).toMatchObject({ check: true, obstacles: [], nodes: [] });
    expect(planned.steps.map(({ action, vf }) => [action, vf])).toEqual([
      ['set-vfs', null],
      ['create', 0],
      ['create', 1],
      ['create', 2],
    ]);
    expect((await host.inventory()).vfs).toEqual([]);

    const done = await provision(three);
    expect(done.steps).toEqual(planned.steps);
    expect(lab.deviceNames()).toEqual(['v0', 'v1', 'v2']);
    expect(facts('v0')).toEqual(asDeclared('02:00:00:00:00:10'));
    expect(facts('v2')).toEqual(asDeclared('02:00:00:00:00:12'));

    const nodes = ['v0', 'v1', 'v2'].map((name) => statSync(lab.charNodeOf(name)).ctimeMs);
    expect(await provision(three, true)).toEqual({ ...done, check: true, steps: [] });
    expect(await provision(three)).toEqual({ ...done, steps: [] });
    expect(['v0', 'v1', 'v2'].map((name) => statSync(lab.charNodeOf(name)).ctimeMs)).toEqual(nodes);
  });

  test('finds PFs by interface and by ids, and leaves other devices alone', async () => {
    lab.enableVfs(lab.pfA, 2);
    const other = lab.vfOf(lab.pfA, 1);
    lab.addDevice('other', `pci/${other}`, 'mtu', '1400');
    const { pfs } = await host.inventory();
    const netdev = pfs.find(({ address }) => address === lab.pfA)?.netdevs[0]?.name ?? '';
    await provision({ netdev, devices: [{ on: [0], driver: 'none' }] });
    expect(lab.deviceNames()).toEqual([lab.vfOf(lab.pfA, 0), 'other'].sort());
    expect(lab.driverOf(lab.vfOf(lab.pfA, 0))).toBeNull();
    expect([lab.driverOf('other'), facts('other')]).toMatchObject([null, { mtu: 1400 }]);

    await provision({ ids: '15b3:101d', devices: [{ on: 'all', driver: 'virtio_vdpa' }] });
    expect(lab.deviceNames().map(lab.driverOf)).toEqual(['virtio_vdpa', 'virtio_vdpa']);
    expect(facts('other')).toMatchObject({ mtu: 1400 });
  });

  test('goes on past a step that fails, and the next run finishes', async () => {
    lab.enableVfs(lab.pfA, 3);
    await provision({ ...three, devices: [{ ...three.devices?.[0], on: [0] }] });
    lab.unbind('v0', 'vhost_vdpa');
    lab.nicParameter('add_error', 5);
    try {
      expect(await lab.failed(provision(three))).toMatchObject({
        code: 'PROVISION_INCOMPLETE',
        outcome: 'partial',
        leftovers: [1, 2].map((vf) =>
          expect.stringMatching(new RegExp(`^vf ${vf} of ${lab.pfA}: create v${vf}.*EIO`)),
        ),
      });
      expect(facts('v0')).toEqual(asDeclared('02:00:00:00:00:10'));
      expect(lab.deviceNames()).toEqual(['v0']);
    } finally {
      lab.nicParameter('add_error', 0);
    }
    expect((await provision(three)).steps.map(({ vf }) => vf)).toEqual([1, 2]);
    expect(facts('v1')).toEqual(asDeclared('02:00:00:00:00:11'));
  });

  test('changes no more of a free device than it must: MAC, driver and node, or all of it', async () => {
    await provision(three);
    const [only] = three.devices ?? [];
    const changed = {
      ...three,
      devices: [
        { ...only, on: [0], mac: '02:00:00:00:00:99' },
        { ...only, on: [1], mac: '02:00:00:00:00:11', mtu: 1500 },
        { ...only, on: [2], mac: '02:00:00:00:00:12', mode: '0600' },
      ],
    };
    const { steps } = await provision(changed);
    expect(steps.map(({ action, text }) => [action, text])).toEqual([
      ['set-mac', 'set the MAC of v0: mac 02:00:00:00:00:10, not 02:00:00:00:00:99'],
      ['recreate', 're-create v1: mtu 9000, not 1500'],
      ['set-node', 'set the node of v2: mode 0640, not 0600'],
    ]);
    expect(facts('v0')).toEqual(asDeclared('02:00:00:00:00:99'));
    expect(facts('v1')).toEqual({ ...asDeclared('02:00:00:00:00:11'), mtu: 1500 });
    expect(facts('v2')).toEqual({ ...asDeclared('02:00:00:00:00:12'), mode: '600' });
    expect((await provision(changed, true)).steps).toEqual([]);
  });
});

describe('a device that somebody has open', () => {
  test('is left as it is, with its node and all VFs of its PF, and the others are changed', async () => {
    await provision(three);
    const path = lab.charNodeOf('v1');
    const holder = await lab.holdAskable(path);
    try {
      chownSync(path, 1, 1); // as its user's supervisor may have done
      const changed = {
        ...three,
        vfs: 2,
        shrink: true,
        devices: [{ ...three.devices?.[0], on: ['0-1'], mac: { base: '02:00:00:00:00:20' } }],
      };
      const { steps, obstacles } = await provision(changed, true);
      expect(steps).toMatchObject([{ action: 'set-mac', device: 'v0' }]);
      expect(obstacles.map(({ text }) => text)).toEqual([
        expect.stringContaining(`v1 (vf 1) would go, and it is in use: its char device is open`),
        expect.stringContaining(`by perl (pid ${holder.pid})`),
      ]);
      expect(await lab.failed(provision(changed))).toMatchObject({
        code: 'PROVISION_INCOMPLETE',
        leftovers: obstacles.map(({ text }) => expect.stringContaining(text)),
      });
      expect((await host.inventory()).vfs).toHaveLength(3);
      expect(facts('v0')).toEqual(asDeclared('02:00:00:00:00:20'));
      expect(facts('v1')).toEqual({ ...asDeclared('02:00:00:00:00:11'), uid: 1, gid: 1 });
      expect([lab.charNodeOf('v1'), await holder.deviceId()]).toEqual([path, '1']);
    } finally {
      await holder.letGo();
    }
  });
});

describe('the number of VFs', () => {
  test('of a PF that has some changes only when they may go, and nothing unmentioned goes', async () => {
    lab.enableVfs(lab.pfA, 2);
    lab.addDevice('other', `pci/${lab.vfOf(lab.pfA, 1)}`);
    const kept = await provision(three, true);
    expect(kept.obstacles.map(({ vf, text }) => [vf, text])).toEqual([
      [null, expect.stringContaining('"shrink": true')],
      [2, expect.stringContaining('no such VF')],
    ]);
    const [only] = three.devices ?? [];
    const without = { ...three, shrink: true, devices: [{ ...only, on: [0, 2] }] };
    expect((await provision(without, true)).obstacles[0]?.text).toContain(
      'which the declaration does not mention',
    );
    await provision({ ...three, shrink: true });
    expect(lab.deviceNames()).toEqual(['v0', 'v1', 'v2']);
    await provision({ address: lab.pfA, vfs: 0, shrink: true });
    expect([(await host.inventory()).vfs.length, lab.deviceNames()]).toEqual([0, []]);
  });
});

describe('the command', () => {
  const command = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['dist/cli/main.js', 'provision', ...args],
      { encoding: 'utf8' },
    );
    return { status, stdout, stderr };
  };

  test('does the documented example, and says 1 before and 0 after', () => {
    const example = 'docs/provision.json';
    expect(command(example, '--check')).toMatchObject({
      status: 1,
      stderr: '',
      stdout: expect.stringContaining('10 steps to do, 0 in the way'),
    });
    expect(lab.deviceNames()).toEqual([]);
    expect(command(example)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('10 steps done; all is as declared'),
    });
    const all = { status: 0, stdout: 'all is as declared\n', stderr: '' };
    expect(command(example)).toEqual(all);
    expect(command(example, '--check')).toEqual(all);
    const name = lab.deviceNames().find((candidate) => /^vdpa-enp19s.*-2$/.test(candidate)) ?? '';
    const group = /^users:[^:]*:(\d+)/m.exec(readFileSync('/etc/group', 'utf8'))?.[1];
    expect(facts(name)).toMatchObject({
      mac: '02:00:00:00:01:02',
      gid: Number(group),
      mode: '660',
    });
  });
});

describe('the program of the udev rule', () => {
  test('gives the node of a device its owner again, whoever bound it', async () => {
    const table = '/run/nodes';
    const declaration = JSON.stringify({ pfs: [{ ...three, devices: [{ on: [1], ...node }] }] });
    execFileSync(process.execPath, ['dist/cli/main.js', 'provision', '-', '--nodes', table], {
      input: declaration,
    });
    try {
      const address = lab.vfOf(lab.pfA, 1);
      expect(readFileSync(table, 'utf8')).toBe(`${address} 4711 4712 0640\n`);
      lab.addDevice('other', `pci/${lab.vfOf(lab.pfA, 0)}`);
      lab.bind('other', 'vhost_vdpa');
      lab.unbind(address, 'vhost_vdpa');
      lab.bind(address, 'vhost_vdpa');
      const before = statSync(lab.charNodeOf('other'));
      expect(facts(address)).toMatchObject({ uid: 0, gid: 0 });
      for (const name of [address, 'other']) {
        // As udev calls it: with the device's path below /sys.
        const path = lab.run('readlink', '-f', `/sys/bus/vdpa/devices/${name}`).trim();
        lab.run('systemd/vdpa-host-node', path.replace('/sys', ''), table);
      }
      expect(facts(address)).toMatchObject({ uid: 4711, gid: 4712, mode: '640' });
      expect(statSync(lab.charNodeOf('other')).ctimeMs).toBe(before.ctimeMs);
      // As of a driver whose vDPA devices stand on an auxiliary device of the VF.
      const node = basename(lab.charNodeOf('other'));
      const stands = `/run/sys/0000:00:02.0/${address}/pds_core.vDPA.1/other`;
      mkdirSync(`${stands}/${node}`, { recursive: true });
      const { rdev } = statSync(lab.charNodeOf('other'));
      writeFileSync(`${stands}/${node}/dev`, `${(rdev >> 8) & 0xfff}:${rdev & 0xff}\n`);
      lab.run('systemd/vdpa-host-node', `/..${stands}`, table);
      expect(facts('other')).toMatchObject({ uid: 4711, gid: 4712, mode: '640' });
    } finally {
      rmSync(table);
      rmSync('/run/sys', { recursive: true, force: true });
    }
  });
});
