import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../../src/index.js';
import { openNativeHost } from '../../../src/native.js';
import * as lab from '../../support/lab-host.js';

// 8 PFs of 255 VFs, a device on each, and none bound: autoprobe is off.
const pfs = Array.from({ length: 8 }, (_, index) => `0000:${(0x11 + 2 * index).toString(16)}:00.0`);
const perPf = 255;
let host: VdpaHost;

beforeAll(async () => {
  lab.reset();
  host = await VdpaHost.open();
  const native = openNativeHost('/');
  const bare = { mac: null, mtu: null, maxVqPairs: null, features: null };
  for (const [index, pf] of pfs.entries()) {
    lab.enableVfs(pf, perPf);
    for (let vf = 0; vf < perPf; vf++) {
      const managementName = lab.vfOf(pf, vf);
      await native.addDevice(
        { name: `v${index}-${vf}`, managementBus: 'pci', managementName, ...bare },
        10_000,
      );
    }
  }
  await native.close();
}, 120_000);

afterAll(async () => {
  await host.close();
  expect(lab.kernelComplaints()).toEqual([]);
}, 120_000);

describe('8 PFs of 255 VFs with a device each', () => {
  test('are all there, each device on its own VF', async () => {
    const { pfs: found, vfs, devices, consistent } = await host.inventory();
    expect(consistent).toBe(true);
    expect(found.map(({ address, numVfs }) => [address, numVfs])).toEqual(
      pfs.map((address) => [address, perPf]),
    );
    expect(vfs).toHaveLength(8 * perPf);
    expect(devices).toHaveLength(8 * perPf);
    const expected = pfs.flatMap((pf, index) =>
      Array.from({ length: perPf }, (_, vf) => [`v${index}-${vf}`, lab.vfOf(pf, vf), pf, vf]),
    );
    expect(
      devices.map(({ name, parent }) => [
        name,
        parent.pciAddress,
        parent.pfAddress,
        parent.vfIndex,
      ]),
    ).toEqual(expected);
    const representors = new Set(vfs.map(({ representor }) => representor?.ifindex));
    expect(representors.size).toBe(8 * perPf);
    expect(representors.has(undefined)).toBe(false);
  });

  test('agree with iproute2 on every device', async () => {
    const theirs = lab.vdpaJson('dev', 'show')['dev'] ?? {};
    const { devices } = await host.inventory();
    expect(
      Object.fromEntries(
        devices.map((device) => [
          device.name,
          {
            type: 'network',
            mgmtdev: device.managementDevice,
            vendor_id: Number.parseInt(device.vendorId ?? '', 16),
            max_vqs: device.maxVqs,
            max_vq_size: device.maxVqSize,
          },
        ]),
      ),
    ).toEqual(theirs);
  });

  test('bound to vhost_vdpa all have their node, and resolve one by one', async () => {
    for (const name of lab.deviceNames()) lab.bind(name, 'vhost_vdpa');
    const { devices } = await host.inventory();
    expect(devices.filter(({ usable }) => !usable)).toEqual([]);
    const minors = new Set(devices.map(({ charDevice }) => charDevice?.minor));
    expect(minors.size).toBe(8 * perPf);
    for (const { id, name, charDevice } of devices) {
      expect(host.resolve(id)).toEqual({ id, name, charDevice });
    }
  });

  // A minute and a half: every device and function is asked by itself.
  if (lab.long) {
    test('are all in a capture, which shows them again', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
      const file = join(folder, 'host.tar.gz');
      try {
        expect(await host.capture(file)).toMatchObject({ devices: 8 * perPf, consistent: true });
        await using replay = await VdpaHost.open({ root: file, timeoutMs: 60_000 });
        expect(await replay.inventory()).toEqual(await host.inventory());
      } finally {
        rmSync(folder, { recursive: true });
      }
    }, 600_000);
  }

  test('disappear with their PF’s VFs, and the others stay', async () => {
    lab.enableVfs(pfs[3] ?? '', 0);
    const { vfs, devices } = await host.inventory();
    expect(vfs).toHaveLength(7 * perPf);
    expect(devices).toHaveLength(7 * perPf);
    expect(devices.filter(({ parent }) => parent.pfAddress === pfs[3])).toEqual([]);
  });
});
