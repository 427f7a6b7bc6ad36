import { expect, test } from 'vitest';
import type { DeviceId } from '../../../src/host/device-id.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, device, everything, instance } from './support/devices.js';
import { free, statuses, trackerOf } from './support/hosts.js';

// By the letters of docs/nova-differences.md.

const vm1 = instance('vm1');
const vm2 = instance('vm2');
const pfRequest = () => vdpaRequest(1, { spec: [{ dev_type: 'type-PF' }] });

test('a: a second claim of an instance leaves the first as it is', async () => {
  const tracker = await trackerOf(card('06', 3));
  const first = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  const second = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  await tracker.allocate({ instance: vm1 });
  expect(tracker.claims(vm1).map(({ id, status }) => [id, status])).toEqual([
    [first.id, 'allocated'],
    [second.id, 'allocated'],
  ]);
  expect(Object.values(statuses(tracker)).filter((status) => status === 'allocated')).toHaveLength(
    2,
  );
  await tracker.release({ instance: vm1 });
  expect(free(tracker)).toHaveLength(4);
});

test('b: a claim whose last request finds nothing leaves the PF to be had', async () => {
  const tracker = await trackerOf(card('06', 1));
  await expect(
    tracker.claim({ instance: vm1, requests: [vdpaRequest(), vdpaRequest()] }),
  ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE' });
  expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
  expect(tracker.records().map(({ requestId }) => requestId)).toEqual([null, null]);
});

test('c: a claim that cannot be made half-way changes nothing', async () => {
  const tracker = await trackerOf(card('06', 1));
  const [records, pools] = [tracker.records(), tracker.pools()];
  await expect(
    tracker.claim({ instance: vm1, requests: [vdpaRequest(), pfRequest()] }),
  ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE' });
  expect([tracker.records(), tracker.pools(), tracker.claims()]).toEqual([records, pools, []]);
});

test('d: the PF is to be had again when its vanished VF is given back', async () => {
  const [pf, vf] = card('06', 1);
  const tracker = await trackerOf([pf, vf] as never);
  await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  await tracker.sync({ devices: [pf] as never, cells: null });
  await tracker.release({ instance: vm1 });
  expect(statuses(tracker)).toEqual({ 'pci/0000:06:00.0': 'available' });
  expect(free(tracker)).toEqual(['pci/0000:06:00.0']);
});

test('e: a device that vanished and is back stays when it is given back', async () => {
  const [pf, vf] = card('06', 1);
  const tracker = await trackerOf([pf, vf] as never);
  await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  await tracker.sync({ devices: [pf] as never, cells: null });
  await tracker.sync({ devices: [pf, vf] as never, cells: null });
  expect(tracker.audit()).toEqual([]);
  await tracker.release({ instance: vm1 });
  expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
});

test.each([
  ['numa_node', { numaNode: 1 }],
  ['product_id', { productId: 'abcd' }],
  ['vendor_id', { vendorId: 'abcd' }],
  ['parent_ifname', { extra: { parent_ifname: 'ens1' } }],
  ['physical_network', { extra: { physnet: 'net2' } }],
])('f: a device whose %s changes moves to the pool where it belongs', async (_, change) => {
  const [pf, one, two] = card('06', 2);
  const tracker = await trackerOf([pf, one, two] as never);
  await tracker.sync({ devices: [pf, one, { ...two, ...change }] as never, cells: null });
  const pools = tracker.pools().filter(({ keys }) => keys['dev_type'] === 'vdpa');
  expect(pools.map(({ devices }) => devices).sort()).toEqual([
    ['pci/0000:06:00.1'],
    ['pci/0000:06:00.2'],
  ]);
  await tracker.claim({ instance: vm1, requests: [vdpaRequest(2)] });
  expect(free(tracker)).toEqual([]);
});

test('g: a PF that is back while a VF of it is held is not to be had', async () => {
  const [pf, vf, other] = card('06', 2);
  const tracker = await trackerOf([pf, vf, other] as never);
  await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  await tracker.sync({ devices: [vf, other] as never, cells: null });
  expect(tracker.record('pci/0000:06:00.0' as DeviceId)).toBeNull();
  await tracker.sync({ devices: [pf, vf, other] as never, cells: null });
  expect(statuses(tracker)['pci/0000:06:00.0']).toBe('unclaimable');
  expect(tracker.supports({ requests: [pfRequest()] })).toBe(false);
  await tracker.release({ instance: vm1 });
  expect(tracker.supports({ requests: [pfRequest()] })).toBe(true);
});

test('g: a VF that comes while its PF is held is not to be had', async () => {
  const tracker = await trackerOf([device('0000:06:00.0')]);
  await tracker.claim({ instance: vm1, requests: [pfRequest()] });
  await tracker.allocate({ instance: vm1 });
  await tracker.sync({ devices: card('06', 1), cells: null });
  expect(statuses(tracker)['pci/0000:06:00.1']).toBe('unavailable');
  await expect(tracker.claim({ instance: vm2, requests: [vdpaRequest()] })).rejects.toMatchObject({
    code: 'CLAIM_UNSATISFIABLE',
  });
  await tracker.release({ instance: vm1 });
  expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
});

test('h: a PF that was left unavailable without a VF in use is to be had after the next sync', async () => {
  const store = new MemoryStore();
  const tracker = await trackerOf(card('06', 1), { store });
  await tracker.close();
  const { state } = await store.open();
  const pf = state.devices.find(({ value }) => value.device.type === 'type-PF');
  await store.commit([
    {
      devices: [
        {
          id: 'pci/0000:06:00.0' as DeviceId,
          from: pf?.version ?? 0,
          to: { ...pf?.value, status: 'unavailable' } as never,
        },
      ],
      claims: [],
    },
  ]);
  await store.close();
  const again = await Tracker.open(store, everything);
  expect(free(again)).toEqual(['pci/0000:06:00.1']);
  await again.sync({ devices: card('06', 1), cells: null });
  expect(free(again)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
});

test('h: a PF that is called available while a VF of it is in use is not to be had', async () => {
  const store = new MemoryStore();
  const tracker = await trackerOf(card('06', 1), { store });
  await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
  await tracker.close();
  const { state } = await store.open();
  const pf = state.devices.find(({ value }) => value.device.type === 'type-PF');
  const to = { ...pf?.value, status: 'available' } as never;
  const id = 'pci/0000:06:00.0' as DeviceId;
  await store.commit([{ devices: [{ id, from: pf?.version ?? 0, to }], claims: [] }]);
  await store.close();
  const again = await Tracker.open(store, everything);
  expect(free(again)).toEqual([]);
  expect(again.audit().map(({ code }) => code)).toEqual(['family-contradiction']);
  await again.heal();
  expect(statuses(again)['pci/0000:06:00.0']).toBe('unclaimable');
});
