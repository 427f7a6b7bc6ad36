import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Inventory } from '../../../src/host/inventory.js';
import type { HostWatch } from '../../../src/host/watch.js';
import { type TrackableHost, TrackedHost } from '../../../src/lifecycle/tracked-host.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';

const empty: Inventory = {
  pfs: [],
  vfs: [],
  others: [],
  managementDevices: [],
  devices: [],
  abi: null,
  consistent: true,
};

/** A PF, whose address says which reading it is of. */
function reading(number: number): Inventory {
  const pf = { address: `0000:0${number}:00.0`, vendorId: '15b3', deviceId: '101d', netdevs: [] };
  return { ...empty, pfs: [{ ...pf, totalVfs: 8, numVfs: 0, numaNode: 0 } as never] };
}

const options = {
  deviceSpec: {},
  follow: false,
  reportInPlacement: false,
  allowSoftwareDevices: false,
  retypeGraceMs: 50,
};

function hostOf(host: Partial<TrackableHost>): TrackableHost {
  return {
    root: '/nowhere',
    isChanging: false,
    inventory: async () => empty,
    watch: () => Promise.reject(new Error('not followed')),
    ...host,
  };
}

const addresses = ({ tracker }: TrackedHost) =>
  tracker.records().map(({ device }) => device.address);

test('a reading that takes long is not reported after a later one', async () => {
  let readings = 0;
  const host = hostOf({
    async inventory() {
      readings += 1;
      const number = readings;
      await sleep(number === 2 ? 50 : 1);
      return reading(number);
    },
  });
  const tracked = await TrackedHost.open(host, { ...options, store: new MemoryStore() });
  await Promise.all([tracked.refresh(), tracked.refresh()]);
  expect(addresses(tracked)).toEqual(['0000:03:00.0']);
  await tracked.close();
  await expect(tracked.refresh()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('a host whose watch ends is followed anew, although a grace is running', async () => {
  const vf = {
    address: '0000:01:00.1',
    pfAddress: '0000:01:00.0',
    vendorId: '15b3',
    deviceId: '101e',
    numaNode: 0,
    netdevs: [],
    vfIndex: 0,
  };
  const device = {
    id: 'pci/0000:01:00.1',
    name: 'vdpa0',
    parent: { kind: 'vf' },
    charDevice: null,
    reasons: [],
  };
  const withDevice = { ...reading(1), vfs: [vf], devices: [device] } as never as Inventory;
  const without: Inventory = { ...withDevice, devices: [] };
  const watches = [withDevice, without].map((inventory) => ({
    inventory,
    ends: () => {},
    close: vi.fn(async () => {}),
  }));
  let opened = 0;
  const host = hostOf({
    async watch() {
      const watch = watches[Math.min(opened, 1)];
      opened += 1;
      const ended = new Promise<void>((resolve) => {
        if (watch !== undefined) watch.ends = resolve;
      });
      return {
        get inventory() {
          return watch?.inventory;
        },
        async close() {
          watch?.ends();
        },
        [Symbol.asyncIterator]: () => ({
          async next() {
            await ended;
            return { done: true, value: undefined };
          },
        }),
      } as never as HostWatch;
    },
  });
  const tracked = await TrackedHost.open(host, {
    ...options,
    retypeGraceMs: 60_000,
    follow: true,
    store: new MemoryStore(),
  });
  const [first] = watches;
  if (first !== undefined) first.inventory = without;
  // The report of a VF that is held back sets the timer of its grace, before and after the end.
  tracked.update();
  await sleep(10);
  first?.ends();
  await sleep(10);
  tracked.update();
  await vi.waitFor(() => expect(opened).toBe(2), { timeout: 10_000 });
  await tracked.close();
});
