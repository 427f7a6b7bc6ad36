import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';

describe('a root that', () => {
  test.each(['does-not-exist', 'file/below', 'dangling'])(
    'is no directory (%s) is refused when the host is opened',
    async (name) => {
      using tree = new CapturedHost();
      tree.file('file', 'text');
      tree.rawLink('dangling', '/nowhere/at/all');

      await expect(VdpaHost.open({ root: join(tree.root, name) })).rejects.toMatchObject({
        code: 'ROOT_INVALID',
        message: expect.stringContaining(name),
        errno: name.startsWith('file') ? 'ENOTDIR' : 'ENOENT',
      });
    },
  );

  test('is empty has an empty inventory', async () => {
    using tree = new CapturedHost();
    tree.directory('empty');
    await using host = await VdpaHost.open({ root: join(tree.root, 'empty') });

    expect(await host.inventory()).toEqual({
      pfs: [],
      vfs: [],
      others: [],
      managementDevices: [],
      devices: [],
      abi: null,
      consistent: true,
    });
  });

  test('is reached by a link is read like any other', async () => {
    using tree = new CapturedHost();
    tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
    const directory = mkdtempSync(join(tmpdir(), 'vdpa-host-link-'));
    try {
      symlinkSync(tree.root, join(directory, 'link'));
      await using host = await VdpaHost.open({ root: join(directory, 'link') });
      expect((await host.inventory()).devices).toHaveLength(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('is deleted while it is open has nothing left, and fails in no other way', async () => {
    using tree = new CapturedHost();
    tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
    await using host = await VdpaHost.open({ root: tree.root });
    expect((await host.inventory()).devices).toHaveLength(1);

    rmSync(tree.root, { recursive: true });

    expect(await host.inventory()).toMatchObject({ devices: [], abi: null });
    expect(() => host.resolve('vdpa/vdpa0')).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }),
    );
  });
});

describe("the links of a captured root never lead to this machine's files", () => {
  /** Beside the root: what a climbing link would find, were it not held. */
  function decoy(): { readonly tree: CapturedHost; readonly outside: string } {
    const tree = new CapturedHost();
    const outside = `${tree.root}-outside`;
    mkdirSync(join(outside, 'vdpa/devices/stolen'), { recursive: true });
    writeFileSync(join(outside, 'secret'), '6.6.6-secret\n');
    return { tree, outside };
  }

  test('as a file', async () => {
    const { tree, outside } = decoy();
    using _ = tree;
    try {
      for (const target of [join(outside, 'secret'), `../../../../${outside}/secret`]) {
        tree.remove('proc/sys/kernel/osrelease');
        tree.rawLink('proc/sys/kernel/osrelease', target);
        await using host = await VdpaHost.open({ root: tree.root });
        const findings = await host.preflight();
        expect(findings.find(({ code }) => code === 'kernel-version')).toMatchObject({
          severity: 'warning',
          message: 'the kernel version is unknown',
        });
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test('as a directory', async () => {
    const { tree, outside } = decoy();
    using _ = tree;
    try {
      for (const target of [join(outside, 'vdpa'), `${'../'.repeat(20)}${outside}/vdpa`]) {
        tree.remove('sys/bus/vdpa');
        tree.rawLink('sys/bus/vdpa', target);
        await using host = await VdpaHost.open({ root: tree.root });
        expect(await host.inventory()).toMatchObject({ devices: [], abi: null });
        expect(() => host.resolve('vdpa/stolen')).toThrow(
          expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }),
        );
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test('as the netlink recording', async () => {
    using tree = new CapturedHost();
    using other = new CapturedHost();
    other.management('', 'stolen');
    tree.remove('netlink');
    tree.rawLink('netlink', join(other.root, 'netlink'));
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.inventory()).toMatchObject({ abi: null, managementDevices: [] });
  });

  test("but an absolute link is followed inside the root, as the captured machine's own", async () => {
    using tree = new CapturedHost();
    tree.file('elsewhere/osrelease', '5.6.0-captured\n');
    tree.remove('proc/sys/kernel/osrelease');
    tree.rawLink('proc/sys/kernel/osrelease', '/elsewhere/osrelease');
    await using host = await VdpaHost.open({ root: tree.root });

    expect(await host.preflight()).toContainEqual({
      code: 'kernel-version',
      severity: 'error',
      message: 'Linux 5.6.0-captured has no vhost_vdpa',
      cure: 'run Linux 5.7 or later',
    });
  });

  test('nor does a FIFO hold the reader', async () => {
    using tree = new CapturedHost();
    tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
    tree.remove('netlink/dev-dump.bin');
    execFileSync('mkfifo', [join(tree.root, 'netlink/dev-dump.bin')]);
    await using host = await VdpaHost.open({ root: tree.root });

    await expect(host.inventory()).rejects.toMatchObject({
      code: 'KERNEL_MALFORMED',
      extack: 'not a regular file',
    });
  });

  test('nor does a loop of links', async () => {
    using tree = new CapturedHost();
    tree.remove('sys/bus/pci/devices');
    tree.rawLink('sys/bus/pci/devices', '/sys/bus/pci/devices');
    await using host = await VdpaHost.open({ root: tree.root });

    // What leads nowhere is not there; the rest of the tree is readable.
    expect(await host.inventory()).toMatchObject({ pfs: [], vfs: [], others: [] });
  });
});

describe.skipIf(existsSync('/sys/bus/vdpa'))('this machine, which has no vDPA', () => {
  test('has an empty inventory without the family', async () => {
    await using host = await VdpaHost.open();

    expect(await host.inventory()).toMatchObject({ abi: null, devices: [], managementDevices: [] });
    await expect(host.deviceConfig('vdpa0')).rejects.toMatchObject({ code: 'VDPA_MODULE_MISSING' });
    await expect(host.vendorStats('vdpa0', 0)).rejects.toMatchObject({
      code: 'VDPA_MODULE_MISSING',
      retry: 'after-fix',
    });
  });

  test('is told apart from a captured root under any spelling of "/"', async () => {
    await using host = await VdpaHost.open({ root: '/proc/self/root/../' });

    expect(await host.inventory()).toMatchObject({ abi: null, devices: [] });
  });
});
