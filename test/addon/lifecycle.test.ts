import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { withNativeHost } from './support/native.js';
import {
  collectGarbage,
  descriptorsTo,
  eventually,
  threadNames,
  threads,
} from './support/process.js';

function smallHost(): CapturedHost {
  const tree = new CapturedHost();
  tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
  tree.netlink.config('vdpa0', [[5, { u32: 1 }]]);
  return tree;
}

describe('closing a host', () => {
  test('can be done any number of times, and each waits for the end', async () => {
    using tree = smallHost();
    const host = await VdpaHost.open({ root: tree.root });
    await host.inventory();

    const all = [host.close(), host.close()];
    await all[1];
    expect(descriptorsTo(tree.root)).toEqual([]);
    await Promise.all([...all, host.close(), host[Symbol.asyncDispose]()]);
  });

  test('before any call needs no thread at all', async () => {
    using tree = smallHost();
    const before = threads();
    const host = await VdpaHost.open({ root: tree.root });
    expect(threads()).toBe(before);
    await host.close();
    expect(descriptorsTo(tree.root)).toEqual([]);
  });

  test('ends the thread, which has a name of its own', async () => {
    using tree = smallHost();
    const named = () => threadNames().filter((name) => name === 'vdpa-host').length;
    const host = await VdpaHost.open({ root: tree.root });
    const before = named();
    await host.inventory();
    expect(named()).toBe(before + 1);
    await host.close();
    await eventually(named, (count) => count <= before);
  });

  test('makes every later call fail with CLOSED', async () => {
    using tree = smallHost();
    const host = await VdpaHost.open({ root: tree.root });
    await host.inventory();
    host.resolve('vdpa/vdpa0');
    await host.close();

    const closed = expect.objectContaining({ code: 'CLOSED', retry: 'never' });
    await expect(host.inventory()).rejects.toEqual(closed);
    await expect(host.deviceConfig('vdpa0')).rejects.toEqual(closed);
    await expect(host.vendorStats('vdpa0', 0)).rejects.toEqual(closed);
    await expect(host.preflight()).rejects.toEqual(closed);
    expect(() => host.resolve('vdpa/vdpa0')).toThrow(closed);
  });

  test('happens at the end of the block that holds it', async () => {
    using tree = smallHost();
    let kept: VdpaHost;
    {
      await using host = await VdpaHost.open({ root: tree.root });
      kept = host;
      await host.inventory();
    }
    expect(descriptorsTo(tree.root)).toEqual([]);
    await expect(kept.inventory()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('lets the call in progress finish, and those behind it fail', async () => {
    using tree = smallHost();
    const host = await VdpaHost.open({ root: tree.root });
    const first = host.inventory();
    const second = expect(host.inventory()).rejects.toMatchObject({ code: 'CLOSED' });
    await Promise.resolve();
    await host.close();

    expect((await first).devices).toHaveLength(1);
    await second;
  });

  test('leaves no descriptor and no thread behind, 200 times over', async () => {
    using tree = smallHost();
    const threadsBefore = threads();
    const all = descriptorsTo('').length;
    for (let round = 0; round < 200; round++) {
      await using host = await VdpaHost.open({ root: tree.root });
      await host.inventory();
    }
    expect(descriptorsTo(tree.root)).toEqual([]);
    expect(descriptorsTo('').length).toBeLessThanOrEqual(all);
    await eventually(threads, (count) => count <= threadsBefore);
  });
});

describe('a host that nobody closes', () => {
  test('lets go of its thread and root when it is collected', async () => {
    using tree = smallHost();
    const threadsBefore = threads();
    await (async () => {
      for (let i = 0; i < 5; i++) await (await VdpaHost.open({ root: tree.root })).inventory();
    })();
    expect(descriptorsTo(tree.root).length).toBeGreaterThan(0);

    await eventually(
      () => {
        collectGarbage();
        return descriptorsTo(tree.root).length;
      },
      (count) => count === 0,
    );
    await eventually(threads, (count) => count <= threadsBefore);
  });

  test('still answers the call whose promise alone is held', async () => {
    using tree = smallHost();
    const answers = Array.from({ length: 20 }, async () => {
      const answer = (await VdpaHost.open({ root: tree.root })).inventory();
      collectGarbage();
      return (await answer).devices.length;
    });
    expect(await Promise.all(answers)).toEqual(new Array(20).fill(1));
  });
});

describe('an abort', () => {
  test('before the call rejects with the reason and asks nothing', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root });
    const reason = new Error('not any more');
    const before = threads();

    await expect(host.inventory({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(host.deviceConfig('vdpa0', { signal: AbortSignal.abort() })).rejects.toMatchObject(
      { name: 'AbortError' },
    );
    expect(threads()).toBe(before);
  });

  test('during the call rejects with the reason, and the next call is answered', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root });
    for (const calls of [1, 3]) {
      const controller = new AbortController();
      const reason = { any: 'value' };
      const asked = Array.from({ length: calls }, () =>
        host.inventory({ signal: controller.signal }),
      );
      await Promise.resolve();
      controller.abort(reason);
      const outcomes = await Promise.allSettled(asked);
      expect(outcomes).toEqual(new Array(calls).fill({ status: 'rejected', reason }));
    }
    expect((await host.inventory()).devices).toHaveLength(1);
  });

  test('of a call that waits for its turn leaves those around it alone', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root });
    const controller = new AbortController();
    const calls = [
      host.inventory(),
      host.inventory({ signal: controller.signal }),
      host.inventory(),
    ];
    controller.abort('second');

    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  test('after the answer changes nothing', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root });
    const controller = new AbortController();
    const inventory = await host.inventory({ signal: controller.signal });
    controller.abort();
    expect(inventory.devices).toHaveLength(1);
  });
});

describe('many calls at once', () => {
  test('are answered one after the other, in order, each with its own answer', async () => {
    using tree = smallHost();
    for (let i = 0; i < 30; i++) {
      tree.vdpa(`n${i}`, '', { managementName: 'vdpasim_net' });
      tree.netlink.config(`n${i}`, [
        [5, { u32: 1 }],
        [13, { u16: 1000 + i }],
      ]);
    }
    await using host = await VdpaHost.open({ root: tree.root });
    const order: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const answer = await host.deviceConfig(`n${i % 30}`);
        order.push(i);
        return answer.net?.mtu;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => 1000 + (i % 30)));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('do not fail for the one among them that does', async () => {
    using tree = smallHost();
    await using host = await VdpaHost.open({ root: tree.root });
    const outcomes = await Promise.allSettled([
      host.deviceConfig('vdpa0'),
      host.deviceConfig('none'),
      host.deviceConfig(5 as unknown as string),
      host.deviceConfig('vdpa0'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    expect(outcomes[2]).toMatchObject({ reason: expect.any(TypeError) });
  });

  test('on the native host itself are all answered, abandoned or not', async () => {
    using tree = smallHost();
    await withNativeHost(tree, async (native) => {
      const answers = Array.from({ length: 50 }, (_, i) => {
        if (i % 7 === 0) native.abandon();
        return native.familyLists(1000);
      });
      for (const { vdpaDevices } of await Promise.all(answers)) {
        expect(vdpaDevices).toHaveLength(1);
      }
    });
    expect(descriptorsTo(tree.root)).toEqual([]);
  });
});
