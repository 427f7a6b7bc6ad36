import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HostEvent, type HostWatch, VdpaHost } from '../../src/index.js';
import {
  addDevice,
  bind,
  deleteDevice,
  deviceNames,
  eachOnBareHost,
  enableVfs,
  long,
  nicParameter,
  nicParameterValue,
  pfA,
  pfB,
  unbind,
  until,
  vfOf,
} from '../support/lab-host.js';

eachOnBareHost();

/** Waits until what the watch knows is what a reading says, and stays so. */
async function settled(host: VdpaHost, watch: HostWatch): Promise<void> {
  for (;;) {
    await sleep(60);
    const { consistent: _, ...known } = watch.inventory;
    const { consistent: quiet, ...fresh } = await host.inventory();
    if (!quiet) continue;
    try {
      expect(known).toEqual(fresh);
      return;
    } catch (error) {
      if (attempts-- <= 0) throw error;
    }
  }
}
let attempts = 0;

/** A watch, and what it told. */
async function watched(options: Parameters<VdpaHost['watch']>[0] = {}) {
  attempts = 100;
  const host = await VdpaHost.open();
  const watch = await host.watch({ rereadMs: 0, ...options });
  const events: HostEvent[] = [];
  const loop = (async () => {
    for await (const event of watch) events.push(event);
  })();
  return {
    host,
    watch,
    events,
    kinds: () =>
      events.map((event) =>
        'device' in event
          ? `${event.type} ${event.device.name}`
          : 'vf' in event
            ? `${event.type} ${event.vf.address}`
            : 'pf' in event
              ? `${event.type} ${event.pf.address}`
              : event.type,
      ),
    async [Symbol.asyncDispose]() {
      await host.close();
      await loop;
    },
  };
}

test('tells of a device from its creation to its end', async () => {
  enableVfs(pfA, 2);
  await using scene = await watched();
  const { watch, kinds } = scene;
  addDevice('vdpa0', `pci/${vfOf(pfA, 1)}`);
  await until(() => kinds().includes('added vdpa0'));
  bind('vdpa0', 'vhost_vdpa');
  await until(() => kinds().includes('ready vdpa0'));
  expect(watch.inventory.devices).toMatchObject([{ name: 'vdpa0', usable: true }]);
  unbind('vdpa0', 'vhost_vdpa');
  await until(() => kinds().includes('unready vdpa0'));
  deleteDevice('vdpa0');
  await until(() => kinds().includes('removed vdpa0'));
  await settled(scene.host, watch);
  expect(kinds()).toEqual([
    'added vdpa0',
    'changed vdpa0',
    'ready vdpa0',
    'changed vdpa0',
    'unready vdpa0',
    'removed vdpa0',
  ]);
  expect(scene.events[1]).toMatchObject({
    changes: expect.arrayContaining(['driver', 'charDevice', 'usable']),
    before: { driver: null },
    device: { driver: 'vhost_vdpa' },
  });
});

test('tells that a device is another one, although it has the same name and place', async () => {
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  await using scene = await watched();
  deleteDevice('vdpa0');
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  await until(() => scene.kinds().includes('added vdpa0'));
  await settled(scene.host, scene.watch);
  expect(scene.kinds()).toEqual(['removed vdpa0', 'added vdpa0']);
});

test('tells of VFs that come and go, although the PF itself is silent', async () => {
  await using scene = await watched();
  enableVfs(pfA, 2);
  await until(() => scene.kinds().filter((kind) => kind.startsWith('vfAdded')).length === 2);
  await settled(scene.host, scene.watch);
  const vf = vfOf(pfA, 0);
  expect(scene.kinds()).toEqual(expect.arrayContaining([`vfAdded ${vf}`, `pfChanged ${pfA}`]));
  scene.events.length = 0;
  enableVfs(pfA, 0);
  await until(() => scene.kinds().includes(`vfRemoved ${vf}`));
  await settled(scene.host, scene.watch);
  expect(scene.events).toContainEqual(
    expect.objectContaining({ type: 'pfChanged', changes: expect.arrayContaining(['numVfs']) }),
  );
});

test('tells of a PF that is pulled with all that stands on it, and of its return', async () => {
  enableVfs(pfB, 1);
  addDevice('vdpa0', `pci/${vfOf(pfB, 0)}`);
  await using scene = await watched();
  nicParameter('pull', 1);
  await until(() => scene.kinds().includes(`pfRemoved ${pfB}`));
  await settled(scene.host, scene.watch);
  const order = scene.kinds();
  expect(order.indexOf('removed vdpa0')).toBeLessThan(order.indexOf(`pfRemoved ${pfB}`));
  nicParameter('put_back', 1);
  writeFileSync('/sys/bus/pci/rescan', '1');
  await until(() => scene.kinds().includes(`pfAdded ${pfB}`));
  await settled(scene.host, scene.watch);
});

test('says that it must be taken anew after the kernel dropped events', async () => {
  enableVfs(pfA, 9);
  await using scene = await watched({ receiveBufferBytes: 2304 });
  for (let i = 0; i < 8; i++) {
    addDevice(`vdpa${i}`, `pci/${vfOf(pfA, i)}`);
    bind(`vdpa${i}`, 'vhost_vdpa');
  }
  await until(() => scene.events.some((event) => event.type === 'resync'));
  await settled(scene.host, scene.watch);
  expect(scene.watch.inventory.devices).toHaveLength(8);
  // And it still listens. An unbound device has no node that could tell of it.
  addDevice('vdpa8', `pci/${vfOf(pfA, 8)}`);
  await until(() => scene.kinds().includes('added vdpa8'));
});

test('of a node that somebody removes or brings back', async () => {
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  bind('vdpa0', 'vhost_vdpa');
  await using scene = await watched();
  const node = scene.watch.inventory.devices[0]?.charDevice;
  const path = node?.path ?? '';
  expect(existsSync(path)).toBe(true);
  const { rmSync } = await import('node:fs');
  const { execFileSync } = await import('node:child_process');
  rmSync(path);
  await until(() => scene.kinds().includes('unready vdpa0'));
  execFileSync('mknod', [path, 'c', `${node?.major}`, `${node?.minor}`]);
  await until(() => scene.kinds().includes('ready vdpa0'));
  await settled(scene.host, scene.watch);
});

test('several may run, and each is closed on its own', async () => {
  enableVfs(pfA, 1);
  await using one = await watched();
  await using other = await watched();
  await other.watch.close();
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  await until(() => one.kinds().includes('added vdpa0'));
  expect(other.kinds()).toEqual([]);
});

test('throws the reason into its loops when it is aborted', async () => {
  const host = await VdpaHost.open();
  const controller = new AbortController();
  const watch = await host.watch({ signal: controller.signal });
  const loop = (async () => {
    for await (const _ of watch);
  })();
  controller.abort(new RangeError('enough'));
  await expect(loop).rejects.toThrow('enough');
  await expect(host.watch({ signal: controller.signal })).rejects.toThrow('enough');
  await host.close();
});

/** What can happen to a host, by chance; impossible steps do nothing. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('vfs' as const), pf: fc.constantFrom(pfA, pfB), n: fc.nat(6) }),
  fc.record({
    kind: fc.constantFrom('add' as const, 'delete', 'bind', 'unbind'),
    n: fc.nat(5),
    pf: fc.constantFrom(pfA, pfB),
  }),
  fc.record({ kind: fc.constant('virtio' as const), n: fc.nat(5), pf: fc.constantFrom(pfA, pfB) }),
  fc.record({
    kind: fc.constantFrom('pull' as const, 'rescan'),
    n: fc.nat(1),
    pf: fc.constant(pfA),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function perform({ kind, pf, n }: Step): Promise<void> {
  // Linux 6.12.117 stands still for good when the number of VFs is written while their PF is being
  // removed: each of the two holds a lock that the other waits for.
  if (kind === 'vfs') await until(() => nicParameterValue('pull') === '0');
  const name = `${pf === pfA ? 'a' : 'b'}${n}`;
  try {
    if (kind === 'vfs') enableVfs(pf, n);
    else if (kind === 'add') addDevice(name, `pci/${vfOf(pf, n)}`);
    else if (kind === 'delete') deleteDevice(name);
    else if (kind === 'bind') bind(name, 'vhost_vdpa');
    else if (kind === 'unbind') unbind(name, 'vhost_vdpa');
    else if (kind === 'virtio') bind(name, 'virtio_vdpa');
    else if (kind === 'pull') nicParameter('pull', n);
    else {
      nicParameter('put_back', n);
      writeFileSync('/sys/bus/pci/rescan', '1');
    }
  } catch {
    // Not possible now.
  }
}

test('comes to what a fresh reading says, whatever happens to the host', async () => {
  await using scene = await watched();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      attempts = 100;
      for (const one of steps) await perform(one);
      await settled(scene.host, scene.watch);
    }),
    { numRuns: long ? 200 : 8, endOnFailure: true },
  );
  // A pull goes on in the background: until both cards are back, and stay.
  for (let back = 0; back < 5; ) {
    for (const n of [0, 1]) await perform({ kind: 'rescan', n, pf: pfA });
    back = [pfA, pfB].every((pf) => existsSync(`/sys/bus/pci/devices/${pf}/sriov_numvfs`))
      ? back + 1
      : 0;
    await sleep(100);
  }
  for (const name of deviceNames()) deleteDevice(name);
});
