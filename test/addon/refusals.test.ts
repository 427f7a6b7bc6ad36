import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaError, VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { attributes, message } from '../support/netlink-bytes.js';
import { inventoryOf } from './support/read.js';

function hostWithDevice(): CapturedHost {
  const tree = new CapturedHost();
  tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
  return tree;
}

async function failure(tree: CapturedHost): Promise<VdpaError> {
  await using host = await VdpaHost.open({ root: tree.root });
  const error: unknown = await host.deviceConfig('vdpa0').then(
    () => undefined,
    (e) => e,
  );
  if (!(error instanceof VdpaError)) throw new Error(`no VdpaError but ${String(error)}`);
  return error;
}

describe("the kernel's refusal", () => {
  test.each([
    [1, 'EPERM', 'PERMISSION_DENIED', 'after-fix'],
    [11, 'EAGAIN', 'FEATURES_NOT_NEGOTIATED', 'later'],
    [16, 'EBUSY', 'KERNEL_REFUSED', 'later'],
    [19, 'ENODEV', 'DEVICE_NOT_FOUND', 'later'],
    [22, 'EINVAL', 'KERNEL_REFUSED', 'never'],
    [95, 'EOPNOTSUPP', 'NOT_SUPPORTED', 'never'],
  ])('of errno %i is %s and becomes %s', async (errno, name, code, retry) => {
    using tree = hostWithDevice();
    tree.netlink.refuse('config-vdpa0', errno, 'vdpa: words of the kernel');

    const error = await failure(tree);

    expect(error).toMatchObject({
      code,
      retry,
      errno: name,
      extack: 'vdpa: words of the kernel',
      step: 'DEV_CONFIG_GET',
      outcome: 'unchanged',
      leftovers: [],
    });
    expect(error.message).toContain('vdpa: words of the kernel');
    expect(error.message).toContain(name);
  });

  test('of the errno that the kernel keeps to itself, 524, is NOT_SUPPORTED', async () => {
    using tree = hostWithDevice();
    tree.netlink.refuse('config-vdpa0', 524);

    const error = await failure(tree);

    expect(error.code).toBe('NOT_SUPPORTED');
    expect(error.errno).toBe('ENOTSUPP');
    expect(error.extack).toBeUndefined();
  });

  test.each([1, 4096, -2147483648])(
    'with the impossible status %i is malformed',
    async (status) => {
      using tree = hostWithDevice();
      const body = Buffer.alloc(20);
      body.writeInt32LE(status, 0);
      body.writeUInt32LE(16, 4);
      tree.netlink.write('config-vdpa0', message(2, 0x100, body));

      expect(await failure(tree)).toMatchObject({ code: 'KERNEL_MALFORMED', retry: 'never' });
    },
  );

  test('says which attribute it is about', async () => {
    using tree = hostWithDevice();
    const body = Buffer.alloc(20);
    body.writeInt32LE(-22, 0);
    body.writeUInt32LE(16, 4);
    const offset = attributes([[2, { u32: 36 }]]);
    tree.netlink.write('config-vdpa0', message(2, 0x300, Buffer.concat([body, offset])));

    expect(await failure(tree)).toMatchObject({ code: 'KERNEL_REFUSED', attributeOffset: 36 });
  });
});

describe('a netlink recording that is', () => {
  const kernelCodes = /^KERNEL_(MALFORMED|TIMEOUT|OVERRUN|REFUSED)$/;

  test.each(['getfamily', 'dev-dump', 'mgmtdev-dump', 'link-dump'])(
    'cut short at any byte of %s makes no inventory, or the whole one',
    async (name) => {
      using tree = hostWithDevice();
      tree.management('', 'vdpasim_net');
      tree.pf({ address: '0000:65:00.0', totalVfs: 1, numVfs: 1 });
      const whole = readFileSync(join(tree.root, `netlink/${name}.bin`));
      const expected = await inventoryOf(tree);
      let failures = 0;

      for (let length = 0; length < whole.length; length++) {
        tree.netlink.write(name, whole.subarray(0, length));
        const outcome = await inventoryOf(tree).catch((error: unknown) => error);
        if (outcome instanceof VdpaError) {
          expect(outcome.code).toMatch(kernelCodes);
          failures++;
        } else {
          expect(outcome).toEqual(expected);
        }
      }

      expect(failures).toBeGreaterThan(whole.length / 2);
    },
  );

  test('of a dump without its end times out at once: a recording never grows', async () => {
    using tree = hostWithDevice();
    const whole = readFileSync(join(tree.root, 'netlink/dev-dump.bin'));
    tree.netlink.write('dev-dump', whole.subarray(0, whole.length - 20));
    await using host = await VdpaHost.open({ root: tree.root });

    await expect(host.inventory()).rejects.toMatchObject({
      code: 'KERNEL_TIMEOUT',
      retry: 'later',
    });
  });

  test('of random bytes is malformed, and does no harm', async () => {
    using tree = hostWithDevice();
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + 13) & 255));
    tree.netlink.write('dev-dump', noise);
    await using host = await VdpaHost.open({ root: tree.root });

    await expect(host.inventory()).rejects.toMatchObject({ code: 'KERNEL_MALFORMED' });
  });

  test('no file but a directory is the error of that file', async () => {
    using tree = hostWithDevice();
    tree.remove('netlink/dev-dump.bin');
    tree.directory('netlink/dev-dump.bin');
    await using host = await VdpaHost.open({ root: tree.root });

    await expect(host.inventory()).rejects.toMatchObject({
      code: 'KERNEL_MALFORMED',
      step: 'open netlink/dev-dump.bin',
    });
  });
});
