import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../src/cli/run.js';
import { KernelHost } from '../../src/host/kernel-host.js';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';
import { readEverything } from '../support/reading.js';

lab.eachOnBareHost();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A command line, in this process: to start another takes seconds here. */
async function command(...argv: readonly string[]) {
  const said = { stdout: '', stderr: '' };
  const io = { isTty: false, env: {}, columns: undefined };
  const status = await run(argv, {
    ...io,
    stdout: { write: (text) => (said.stdout += text) },
    stderr: { write: (text) => (said.stderr += text) },
  });
  return { status, ...said };
}

/** The command as its user starts it. */
function started(program: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Devices of every kind and state that this kernel can have. */
function populate(): void {
  lab.enableVfs(lab.pfA, 6);
  lab.enableVfs(lab.pfB, 1);
  const on = (vf: number) => `pci/${lab.vfOf(lab.pfA, vf)}`;
  lab.addDevice('vdpa0', on(0), 'mac', '02:00:00:00:00:01', 'max_vqp', '2');
  lab.addDevice('vdpa1', on(1));
  lab.addDevice('vdpa2', on(2));
  lab.addDevice('sim0', 'vdpasim_net');
  lab.addDevice('blk0', 'vdpasim_blk');
  lab.bind('vdpa0', 'vhost_vdpa');
  lab.bind('vdpa1', 'virtio_vdpa');
  lab.bind('blk0', 'vhost_vdpa');
  writeFileSync(`/sys/bus/pci/devices/${lab.vfOf(lab.pfA, 4)}/driver_override`, 'vfio-pci');
}

describe('a capture of this kernel', () => {
  test('answers every reading call as the kernel did', async () => {
    populate();
    await using host = await VdpaHost.open();
    const file = join(folder, 'host.tar.gz');
    const before = await readEverything(host);

    const capture = await host.capture(file);

    expect(capture).toMatchObject({
      consistent: true,
      devices: 5,
      pciFunctions: 9,
      unanswered: [],
      // What is read and may not be kept would make a replay differ: it belongs on the list.
      withheld: [],
    });
    expect(await readEverything(host)).toEqual(before);
    lab.reset();
    await using replay = await VdpaHost.open({ root: file });
    expect(await readEverything(replay)).toEqual(before);
  });

  test('makes the command print the very same documents', async () => {
    populate();
    const names = ['vdpa0', 'vdpa1', 'blk0', 'sim0', lab.pfA, lab.vfOf(lab.pfA, 4), 'vdpasim_net'];
    const commands = [['list'], ['tree'], ['doctor'], ...names.map((name) => ['show', name])];
    const file = join(folder, 'host.tar.gz');
    const answers = async (...more: readonly string[]) => {
      const all = [];
      for (const args of commands) all.push(await command(...args, '--json', ...more));
      return all;
    };
    const live = await answers();

    expect(started(process.execPath, 'dist/cli/main.js', 'capture', file)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(
        /^\S+host\.tar\.gz: 5 devices, 9 PCI functions, 9 management devices, \d+ bytes\n$/,
      ),
    });

    lab.reset();
    expect(await answers('--root', file)).toEqual(live);
    expect(live.map(({ status }) => status)).toEqual(commands.map(() => 0));
  });

  test('knows a node of another number, and one that is missing', async () => {
    populate();
    await using host = await VdpaHost.open();
    const { devices } = await host.inventory();
    const pathOf = (wanted: string) =>
      devices.find(({ name }) => name === wanted)?.charDevice?.path ?? '';
    const file = join(folder, 'host.tar.gz');
    const [wrong, gone] = [pathOf('vdpa0'), pathOf('blk0')];
    const numbers = [wrong, gone].map((path) => {
      const { rdev } = statSync(path);
      return [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
    });
    rmSync(wrong);
    rmSync(gone);
    lab.run('mknod', wrong, 'c', '1', '3');
    try {
      const before = await readEverything(host);
      await host.capture(file);
      await using replay = await VdpaHost.open({ root: file });

      expect(await readEverything(replay)).toEqual(before);
      expect(
        before.inventory.devices
          .filter(({ charDevice }) => charDevice !== null)
          .map(({ name, reasons }) => [name, reasons]),
      ).toEqual([
        ['blk0', ['software-parent', 'not-virtio-net', 'no-node']],
        ['vdpa0', ['node-mismatch']],
      ]);
    } finally {
      rmSync(wrong);
      for (const [index, path] of [wrong, gone].entries()) {
        lab.run('mknod', path, 'c', ...(numbers[index] ?? []).map(String));
      }
    }
  });

  test('of another network namespace, and without privilege, tells what was seen there', async () => {
    populate();
    chmodSync(folder, 0o777);
    const script = `
      import { run } from '${process.cwd()}/dist/cli/run.js';
      const silent = { write() {} };
      const io = { stdout: process.stdout, stderr: process.stderr, isTty: false, env: {} };
      await run(['capture', process.argv[1]], { ...io, stdout: silent });
      for (const name of ['list', 'tree', 'doctor']) await run([name, '--json'], io);`;
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    for (const [index, wrapper] of [['unshare', '--net'], nobody].entries()) {
      const [program = '', ...args] = wrapper;
      const file = join(folder, `${index}.tar.gz`);
      const node = [process.execPath, '--input-type=module', '-e', script, file];
      const there = started(program, ...args, ...node);
      expect(there).toMatchObject({ status: 0, stderr: '' });
      let here = '';
      for (const name of ['list', 'tree', 'doctor']) {
        here += (await command(name, '--json', '--root', file)).stdout;
      }
      expect(here).toBe(there.stdout);
    }
  });

  test('has no byte of what names this machine or its users', async () => {
    populate();
    lab.run('hostname', 'very-secret-name');
    lab.run('ip', 'link', 'set', 'dev', 'lo', 'alias', 'very-secret-alias');
    vi.stubEnv('SECRET', 'very-secret-variable');
    const file = join(folder, 'host.tar.gz');
    expect(await command('capture', file)).toMatchObject({ status: 0 });
    const plain = gunzipSync(readFileSync(file));
    expect(plain.includes('very-secret')).toBe(false);
    expect(plain.includes(Buffer.from('020000000001', 'hex'))).toBe(true); // MAC addresses are in it
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('a full disk', () => {
  test('is told, with nothing left behind and what was there as it was', async () => {
    lab.run('mount', '-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', folder);
    try {
      const file = join(folder, 'host.tar.gz');
      const precious = Buffer.alloc(8192, 'precious');
      writeFileSync(file, precious);
      await using host = await VdpaHost.open();
      await expect(host.capture(file, { force: true })).rejects.toMatchObject({
        code: 'CAPTURE_NOT_WRITTEN',
        errno: 'ENOSPC',
        outcome: 'unchanged',
      });
      expect(readdirSync(folder)).toEqual(['host.tar.gz']);
      expect(readFileSync(file).equals(precious)).toBe(true);
    } finally {
      lab.run('umount', folder);
    }
  });

  test('has no room to unpack a capture, which is told, and is empty again', async () => {
    const file = join(folder, 'host.tar.gz');
    const full = join(folder, 'full');
    await using host = await VdpaHost.open();
    await host.capture(file);
    mkdirSync(full);
    lab.run('mount', '-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', full);
    vi.stubEnv('TMPDIR', full);
    try {
      await expect(VdpaHost.open({ root: file })).rejects.toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        errno: 'ENOSPC',
      });
      expect(readdirSync(full)).toEqual([]);
    } finally {
      lab.run('umount', full);
    }
  });
});

describe('a host that changes while it is captured', () => {
  const add = () => lab.addDevice('x', 'vdpasim_net');
  const remove = () => lab.deleteDevice('x');
  const addAndRemove = () => {
    add();
    remove();
  };
  const nothing = () => {};

  // What happens to the host in the middle of each attempt.
  test.each([
    ['each time shows that in its capture', [add, remove, add], false],
    ['once is read again', [add, nothing], true],
    ['and changes back is the host it was', [addAndRemove], true],
  ])('%s', async (_, changes, consistent) => {
    populate();
    const attempts = new Set<KernelHost>();
    const { driverOverride } = KernelHost.prototype;
    const spy = vi.spyOn(KernelHost.prototype, 'driverOverride');
    spy.mockImplementation(async function (this: KernelHost, ...args) {
      if (!attempts.has(this)) {
        changes[attempts.size]?.();
        attempts.add(this);
      }
      return await driverOverride.apply(this, args);
    });
    try {
      await using host = await VdpaHost.open();
      const file = join(folder, 'host.tar.gz');

      expect(await host.capture(file)).toMatchObject({ consistent });

      expect(attempts.size).toBe(changes.length);
      await using replay = await VdpaHost.open({ root: file });
      expect(await replay.inventory()).toEqual({ ...(await host.inventory()), consistent });
      const manifest = gunzipSync(readFileSync(file)).toString('latin1').slice(512).split('\0', 1);
      expect(JSON.parse(manifest[0] ?? '')).toMatchObject({ format: 1, consistent });
    } finally {
      spy.mockRestore();
    }
  });
});
