import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { Lease } from './support/lease.js';
import { descriptorsTo, distUrl, eventually, runModule, threads } from './support/process.js';

/** A call that the file holds up in the middle of its netlink part. */
const heldFile = 'netlink/dev-dump.bin';

function smallHost(): CapturedHost {
  const tree = new CapturedHost();
  tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
  tree.netlink.config('vdpa0', [[5, { u32: 1 }]]);
  return tree;
}

describe('a call that the kernel keeps beyond its deadline', () => {
  test('fails with KERNEL_TIMEOUT, and the next one is answered by a new thread', async () => {
    using tree = smallHost();
    const host = await VdpaHost.open({ root: tree.root, timeoutMs: 50 });
    const before = threads();
    {
      await using _ = await Lease.take(join(tree.root, heldFile));
      await expect(host.inventory()).rejects.toMatchObject({
        code: 'KERNEL_TIMEOUT',
        step: 'inventory',
        retry: 'later',
        outcome: 'unchanged',
        message: expect.stringContaining('after 50 ms'),
      });
      expect((await host.deviceConfig('vdpa0')).class).toBe('net');
      expect(threads()).toBe(before + 2);
    }
    expect((await host.inventory()).devices).toHaveLength(1);
    await eventually(threads, (count) => count === before + 1);
    await host.close();
    expect(descriptorsTo(tree.root)).toEqual([]);
  });

  test('does not hold up what needs no kernel lock', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root, timeoutMs: 50 });
    await using _ = await Lease.take(join(tree.root, heldFile));
    const stuck = expect(host.inventory()).rejects.toMatchObject({ code: 'KERNEL_TIMEOUT' });

    expect(host.resolve('vdpa/vdpa0').name).toBe('vdpa0');
    await stuck;
    expect(host.resolve('vdpa/vdpa0').name).toBe('vdpa0');
  });

  test('and three more like it make further calls fail at once, until one comes back', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root, timeoutMs: 20 });
    const before = threads();
    {
      await using _ = await Lease.take(join(tree.root, heldFile));
      for (let i = 0; i < 4; i++) {
        await expect(host.inventory()).rejects.toMatchObject({ code: 'KERNEL_TIMEOUT' });
      }
      expect(threads()).toBe(before + 4);

      const refused = expect.objectContaining({
        code: 'KERNEL_TIMEOUT',
        message: expect.stringContaining('4 earlier requests'),
      });
      await expect(host.inventory()).rejects.toEqual(refused);
      await expect(host.deviceConfig('vdpa0')).rejects.toEqual(refused);
      await expect(host.preflight()).rejects.toEqual(refused);
      expect(threads()).toBe(before + 4);
    }
    await eventually(threads, (count) => count === before);
    expect((await host.inventory()).devices).toHaveLength(1);
  });

  test('can be aborted before the deadline', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root, timeoutMs: 100 });
    await using _ = await Lease.take(join(tree.root, heldFile));
    const controller = new AbortController();
    const asked = host.inventory({ signal: controller.signal });
    setImmediate(() => controller.abort('enough'));

    await expect(asked).rejects.toBe('enough');
    expect((await host.deviceConfig('vdpa0')).class).toBe('net');
  });

  test('does not keep the host from being closed; its root goes with the thread', async () => {
    using tree = smallHost();
    const before = threads();
    const host = await VdpaHost.open({ root: tree.root, timeoutMs: 50 });
    {
      await using _ = await Lease.take(join(tree.root, heldFile));
      const asked = expect(host.inventory()).rejects.toMatchObject({ code: 'KERNEL_TIMEOUT' });
      await Promise.resolve();
      await host.close();
      await asked;
      expect(descriptorsTo(tree.root)).not.toEqual([]);
    }
    await eventually(
      () => descriptorsTo(tree.root).length,
      (count) => count === 0,
    );
    await eventually(threads, (count) => count <= before);
  });

  test('comes back to nobody, and harms nobody', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root, timeoutMs: 20 });
    for (let round = 0; round < 3; round++) {
      const lease = await Lease.take(join(tree.root, heldFile));
      await expect(host.inventory()).rejects.toMatchObject({ code: 'KERNEL_TIMEOUT' });
      const next = host.deviceConfig('vdpa0');
      await lease.release();
      expect((await next).class).toBe('net');
    }
    expect((await host.inventory()).devices).toHaveLength(1);
  });
});

describe('a process with a call that is stuck', () => {
  const start = `
    const { VdpaHost } = await import(${JSON.stringify(distUrl)});
    const [root] = process.argv.slice(1);
    const host = await VdpaHost.open({ root, timeoutMs: 50 });
    const answer = host.inventory().then(() => 'answered', (error) => error.code);
  `;

  test.each([
    ['exits by itself after the deadline', 'console.log(await answer);', 'KERNEL_TIMEOUT\n', 0],
    ['exits when it is told to', 'setImmediate(() => process.exit(7));', '', 7],
    ['exits when the host is closed', 'await host.close(); console.log("end");', 'end\n', 0],
    ['ends at a signal', 'setImmediate(() => process.kill(process.pid, "SIGTERM"));', '', null],
  ])('%s', async (_, rest, stdout, code) => {
    using tree = smallHost();
    await using _lease = await Lease.take(join(tree.root, heldFile));

    const ended = await runModule(start + rest, tree.root);

    expect(ended).toEqual({
      code,
      signal: code === null ? 'SIGTERM' : null,
      stdout,
      stderr: '',
    });
  });
});
