import { describe, expect, test } from 'vitest';
import type { DeviceId } from '../../../src/host/device-id.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import type { Operation } from '../../../src/tracker/operation.js';
import { Tracker } from '../../../src/tracker/tracker.js';
import type { TrackerEvent } from '../../../src/tracker/tracker-event.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, device, everything, instance, migration } from './support/devices.js';
import { FaultyStore } from './support/faulty-store.js';
import { free, statuses, trackerOf } from './support/hosts.js';

const vm1 = instance('vm1');
const vm2 = instance('vm2');

describe('a claim', () => {
  test('takes the highest address first, and makes the PF unclaimable', async () => {
    const tracker = await trackerOf(card('06', 4));
    const claim = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    expect(claim.devices.map(({ deviceId }) => deviceId)).toEqual(['pci/0000:06:00.4']);
    expect(claim).toMatchObject({ status: 'claimed', instance: vm1, migration: null, fence: 1 });
    expect(statuses(tracker)).toMatchObject({
      'pci/0000:06:00.0': 'unclaimable',
      'pci/0000:06:00.4': 'claimed',
      'pci/0000:06:00.3': 'available',
    });
    expect(free(tracker)).toEqual(['pci/0000:06:00.1', 'pci/0000:06:00.2', 'pci/0000:06:00.3']);
  });

  test('takes next what was released longest ago', async () => {
    const tracker = await trackerOf(card('06', 2));
    const next = async (): Promise<DeviceId | undefined> => {
      const claim = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
      await tracker.release({ claim: claim.id });
      return claim.devices[0]?.deviceId;
    };
    expect([await next(), await next(), await next(), await next()]).toEqual([
      'pci/0000:06:00.2',
      'pci/0000:06:00.1',
      'pci/0000:06:00.2',
      'pci/0000:06:00.1',
    ]);
  });

  test('of several requests takes all or nothing', async () => {
    const tracker = await trackerOf(card('06', 2));
    const before = tracker.records();
    await expect(
      tracker.claim({ instance: vm1, requests: [vdpaRequest(2), vdpaRequest(1)] }),
    ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE', outcome: 'unchanged', retry: 'later' });
    expect(tracker.records()).toEqual(before);
    expect(tracker.claims()).toEqual([]);
  });

  test('says which request finds nothing, and why', async () => {
    const tracker = await trackerOf(card('06', 2, { numaNode: 1 }), {
      cells: [
        { id: 0, socket: 0 },
        { id: 1, socket: 1 },
      ],
    });
    const claim = (request: Parameters<typeof vdpaRequest>[1], count = 1): Promise<unknown> =>
      tracker.claim({ instance: vm1, requests: [vdpaRequest(count, request)], numaCells: [0] });
    await expect(claim({ portId: 'p1' as never })).rejects.toThrow(
      "port p1, devices with dev_type=vdpa: 0 of 1 near the guest's NUMA nodes 0 (policy legacy); others are on 1",
    );
    await expect(claim({ alias: 'a', numaPolicy: 'preferred' }, 3)).rejects.toThrow(
      'alias a, devices with dev_type=vdpa: 2 of 3 to be had',
    );
  });

  test('moves an earlier request where that makes room for a later one', async () => {
    // The first request would take from the untagged pool, which alone suits the second.
    const tracker = await trackerOf([
      ...card('06', 1),
      ...card('07', 1, { extra: { physnet: 'net1' } }),
    ]);
    const claim = await tracker.claim({
      instance: vm1,
      requests: [
        vdpaRequest(1),
        vdpaRequest(1, { spec: [{ dev_type: 'vdpa', physical_network: null }] }),
      ],
    });
    expect(claim.devices.map(({ deviceId }) => deviceId)).toEqual([
      'pci/0000:07:00.1',
      'pci/0000:06:00.1',
    ]);
  });

  test('gives no VF and its own PF together', async () => {
    const tracker = await trackerOf(card('06', 1));
    const requests = [vdpaRequest(1), vdpaRequest(1, { spec: [{ dev_type: 'type-PF' }] })];
    expect(tracker.supports({ requests })).toBe(false);
    await expect(tracker.claim({ instance: vm1, requests })).rejects.toMatchObject({
      code: 'CLAIM_UNSATISFIABLE',
    });
    const two = await trackerOf([...card('06', 1), ...card('07', 1)]);
    expect(two.supports({ requests })).toBe(true);
    expect((await two.claim({ instance: vm1, requests })).devices).toHaveLength(2);
  });

  test('takes the very devices that a request names, or none', async () => {
    const tracker = await trackerOf(card('06', 3));
    const named = (id: string) => vdpaRequest(1, { deviceIds: [id as DeviceId] });
    const claim = await tracker.claim({ instance: vm1, requests: [named('pci/0000:06:00.2')] });
    expect(claim.devices[0]?.deviceId).toBe('pci/0000:06:00.2');
    await expect(
      tracker.claim({ instance: vm2, requests: [named('pci/0000:06:00.2')] }),
    ).rejects.toThrow('pci/0000:06:00.2 is not to be had: it is claimed');
    await expect(
      tracker.claim({ instance: vm2, requests: [named('pci/0000:09:00.2')] }),
    ).rejects.toThrow('pci/0000:09:00.2 is not tracked');
  });

  test('takes no device that has a reason against it', async () => {
    const tracker = await trackerOf([
      device('0000:06:00.0'),
      device('0000:06:00.1', { reasons: ['not-bound'] }),
    ]);
    expect(tracker.record('pci/0000:06:00.1' as DeviceId)?.status).toBe('available');
    await expect(tracker.claim({ instance: vm1, requests: [vdpaRequest()] })).rejects.toMatchObject(
      { code: 'CLAIM_UNSATISFIABLE' },
    );
  });

  test('asked for again under its id is the same; with other arguments refused', async () => {
    const tracker = await trackerOf(card('06', 4));
    const request = vdpaRequest();
    const asked = { id: claimId('c1'), instance: vm1, requests: [request] };
    const both = await Promise.all([tracker.claim(asked), tracker.claim(asked)]);
    expect(both[0]).toEqual(both[1]);
    expect(await tracker.claim({ ...asked, requests: [{ ...request }] })).toEqual(both[0]);
    expect(tracker.claims()).toHaveLength(1);
    await expect(tracker.claim({ ...asked, instance: vm2 })).rejects.toMatchObject({
      code: 'CLAIM_CONFLICT',
      retry: 'never',
    });
    await expect(tracker.claim({ ...asked, requests: [vdpaRequest()] })).rejects.toMatchObject({
      code: 'CLAIM_CONFLICT',
    });
  });

  test('that was made for a migration becomes the instance’s own', async () => {
    const tracker = await trackerOf(card('06', 2));
    const requests = [vdpaRequest()];
    const made = await tracker.claim({ instance: vm1, migration: migration('m1'), requests });
    const selection = { claim: made.id, fence: made.fence };
    const own = await tracker.adopt(selection);
    expect(own).toEqual({ ...made, migration: null });
    expect(tracker.claims()).toEqual([own]);
    expect(await tracker.adopt(selection)).toEqual(own);
    // It lives with the instance now, not with the migration.
    expect(await tracker.reconcile({ instances: [vm1] })).toEqual([]);
    const stale = { claim: made.id, fence: made.fence + 1 };
    await expect(tracker.adopt(stale)).rejects.toMatchObject({ code: 'CLAIM_STALE' });
    await expect(tracker.adopt({ claim: claimId('none') })).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
  });

  test('of an instance stands beside others of it, and beside those of its migrations', async () => {
    const tracker = await trackerOf(card('06', 4));
    await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    const moving = await tracker.claim({
      instance: vm1,
      migration: migration('m1'),
      requests: [vdpaRequest()],
    });
    expect(tracker.claims(vm1)).toHaveLength(3);
    await tracker.allocate({ instance: vm1, migration: null });
    expect(tracker.claims(vm1).map(({ status }) => status)).toEqual([
      'allocated',
      'allocated',
      'claimed',
    ]);
    await tracker.release({ instance: vm1, migration: migration('m1') });
    expect(tracker.claims(vm1).map(({ id }) => id)).not.toContain(moving.id);
    expect(tracker.claims(vm1)).toHaveLength(2);
  });

  test('keeps what it was asked for, whatever happens to the caller’s objects', async () => {
    const tracker = await trackerOf(card('06', 2));
    const request = { ...vdpaRequest(), spec: [{ dev_type: 'vdpa' }] };
    const asked = { id: claimId('c1'), instance: vm1, requests: [request] };
    await tracker.claim(asked);
    request.spec.push({ dev_type: 'type-VF' });
    await expect(tracker.claim(asked)).rejects.toMatchObject({ code: 'CLAIM_CONFLICT' });
  });

  test('that is aborted takes nothing, or gives back what it took', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const stop = new AbortController();
    const open = store.hold();
    const claim = tracker.claim({ instance: vm1, requests: [vdpaRequest()], signal: stop.signal });
    stop.abort(new Error('enough'));
    open();
    await expect(claim).rejects.toThrow('enough');
    expect(tracker.claims()).toEqual([]);
    expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
    await expect(
      tracker.claim({ instance: vm1, requests: [vdpaRequest()], signal: stop.signal }),
    ).rejects.toThrow('enough');
  });

  test('that is aborted is left to another who asked for it meanwhile', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] };
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const open = store.hold();
    const first = tracker.claim({ ...asked, signal: one.signal });
    const second = tracker.claim({ ...asked, signal: two.signal });
    const third = tracker.claim({ ...asked, signal: three.signal });
    one.abort(new Error('enough'));
    three.abort(new Error('enough'));
    open();
    await expect(first).rejects.toThrow('enough');
    await expect(third).rejects.toThrow('enough');
    const claim = await second;
    expect(tracker.claims()).toEqual([claim]);
    expect(free(tracker)).toEqual([]);
    await tracker.release({ claim: claim.id });

    const again = store.hold();
    const all = [one, two].map(({ signal }, index) =>
      tracker.claim({ ...asked, signal: index === 0 ? new AbortController().signal : signal }),
    );
    again();
    await Promise.all(all);
    expect(tracker.claims()).toHaveLength(1);
  });

  test('that all give up who asked for it is given back, and no other of its name', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 2), { store });
    const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] };
    const stop = new AbortController();
    const open = store.hold();
    const [first, second] = [1, 2].map(() => tracker.claim({ ...asked, signal: stop.signal }));
    stop.abort(new Error('enough'));
    open();
    await expect(first).rejects.toThrow('enough');
    await expect(second).rejects.toThrow('enough');
    expect(tracker.claims()).toEqual([]);

    const other = new AbortController();
    const openAgain = store.hold();
    const aborted = tracker.claim({ ...asked, signal: other.signal });
    const released = tracker.release({ claim: asked.id });
    const anew = tracker.claim(asked);
    other.abort(new Error('enough'));
    openAgain();
    await expect(aborted).rejects.toThrow('enough');
    await released;
    expect(tracker.claims()).toEqual([await anew]);
  });

  test.each([
    [vdpaRequest(0), 'requests: 0.count: is no whole number from 1'],
    [vdpaRequest(1.5), 'is no whole number from 1'],
    [vdpaRequest(1, { spec: [] }), 'says of no device what it is'],
    [vdpaRequest(1, { deviceIds: ['a', 'b'] as never }), 'names 2 devices and asks for 1'],
  ])('refuses a request that is none', async (request, words) => {
    const tracker = await trackerOf(card('06', 4));
    await expect(tracker.claim({ instance: vm1, requests: [request] })).rejects.toThrow(words);
  });
});

describe('an operation', () => {
  const begun = { instance: vm1, kind: 'suspend', step: 'unplug', detail: { guest: 'qmp:vm1' } };
  const further = { ...begun, step: 'unplugged' };

  test('is kept as it was told last, until it has ended', async () => {
    const store = new MemoryStore();
    const tracker = await trackerOf([], { store });
    await tracker.setOperation(vm1, null, begun);
    await tracker.setOperation(vm1, begun, further);
    expect(tracker.operationOf(vm1)).toEqual(further);
    expect(tracker.operations()).toEqual([further]);
    await tracker.setOperation(vm1, further, null);
    expect(tracker.operationOf(vm1)).toBeNull();
    await tracker.setOperation(vm1, null, null);
  });

  test('is one at a time, and goes on from where it is', async () => {
    const tracker = await trackerOf([]);
    const underWay = { code: 'OPERATION_UNDER_WAY', outcome: 'unchanged' };
    await expect(tracker.setOperation(vm1, begun, further)).rejects.toMatchObject({
      ...underWay,
      message: 'instance vm1 is in no operation any more',
    });
    await tracker.setOperation(vm1, null, begun);
    await expect(tracker.setOperation(vm1, null, further)).rejects.toMatchObject({
      ...underWay,
      message: 'instance vm1 is in operation suspend (unplug)',
    });
    await expect(tracker.setOperation(vm1, further, null)).rejects.toMatchObject(underWay);
    expect(tracker.operationOf(vm1)).toEqual(begun);
  });

  test('of another instance, or of no form, is refused', async () => {
    const tracker = await trackerOf([]);
    await expect(tracker.setOperation(vm2, null, begun)).rejects.toThrow(TypeError);
    await expect(
      tracker.setOperation(vm1, null, { ...begun, detail: null } as never),
    ).rejects.toThrow('detail');
    expect(tracker.operations()).toEqual([]);
  });
});

describe('a release', () => {
  test('gives back all of a claim, and the PF with the last of its VFs', async () => {
    const tracker = await trackerOf(card('06', 2));
    const one = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    const two = await tracker.claim({ instance: vm2, requests: [vdpaRequest()] });
    await tracker.allocate({ claim: one.id, fence: one.fence });
    expect(await tracker.release({ claim: one.id })).toEqual(['pci/0000:06:00.2']);
    expect(free(tracker)).toEqual(['pci/0000:06:00.2']);
    expect(await tracker.release({ claim: two.id })).toEqual(['pci/0000:06:00.1']);
    expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1', 'pci/0000:06:00.2']);
    expect(tracker.claims()).toEqual([]);
  });

  test('may be repeated, and answers when the first is durable', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const { id } = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    const open = store.hold();
    const answers: unknown[] = [];
    const first = tracker.release({ claim: id }).then((ids) => answers.push(ids));
    const second = tracker.release({ claim: id }).then((ids) => answers.push(ids));
    await new Promise(setImmediate);
    expect(answers).toEqual([]);
    open();
    await Promise.all([first, second]);
    expect(answers).toEqual([['pci/0000:06:00.1'], []]);
  });

  test('gives back some devices of a claim, or one whoever has it', async () => {
    const tracker = await trackerOf(card('06', 3));
    const { id } = await tracker.claim({ instance: vm1, requests: [vdpaRequest(3)] });
    await tracker.release({ claim: id, devices: ['pci/0000:06:00.1' as DeviceId] });
    expect(tracker.claims()[0]?.devices).toHaveLength(2);
    await tracker.release({ device: 'pci/0000:06:00.2' as DeviceId });
    expect(tracker.claims()[0]?.devices.map(({ deviceId }) => deviceId)).toEqual([
      'pci/0000:06:00.3',
    ]);
    expect(await tracker.release({ claim: id, devices: ['pci/0000:06:00.1' as DeviceId] })).toEqual(
      [],
    );
    await tracker.release({ device: 'pci/0000:06:00.3' as DeviceId });
    expect(tracker.claims()).toEqual([]);
  });

  test('and an allocation with a stale fence are refused', async () => {
    const tracker = await trackerOf(card('06', 2));
    const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] };
    const old = await tracker.claim(asked);
    await tracker.release({ claim: old.id });
    const anew = await tracker.claim(asked);
    expect(anew.fence).toBeGreaterThan(old.fence);
    const stale = { claim: old.id, fence: old.fence };
    await expect(tracker.release(stale)).rejects.toMatchObject({ code: 'CLAIM_STALE' });
    await expect(tracker.allocate(stale)).rejects.toMatchObject({ code: 'CLAIM_STALE' });
    expect(tracker.claims()).toEqual([anew]);
    await expect(tracker.allocate({ claim: claimId('none') })).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
  });
});

describe('what the host has', () => {
  test('comes and goes', async () => {
    const tracker = await trackerOf(card('06', 2));
    await tracker.sync({ devices: card('07', 1), cells: null });
    expect(free(tracker)).toEqual(['pci/0000:07:00.0', 'pci/0000:07:00.1']);
  });

  test('and vanishes while it is held stays on record, until it is given back', async () => {
    const [pf, ...vfs] = card('06', 2);
    const tracker = await trackerOf([pf, ...vfs] as never);
    const { id } = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.sync({ devices: [pf, vfs[0]] as never, cells: null });
    expect(tracker.record('pci/0000:06:00.2' as DeviceId)).toMatchObject({
      vanished: true,
      status: 'claimed',
    });
    expect(tracker.audit().map(({ code }) => code)).toEqual(['device-vanished']);
    await tracker.release({ claim: id });
    expect(tracker.record('pci/0000:06:00.2' as DeviceId)).toBeNull();
    expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
  });

  test('and changes while it is held is as it was given, until it is given back', async () => {
    const [pf, vf] = card('06', 1);
    const tracker = await trackerOf([pf, vf] as never);
    const { id } = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.sync({ devices: [pf, { ...vf, type: 'type-VF' }] as never, cells: null });
    expect(tracker.record('pci/0000:06:00.1' as DeviceId)?.device.type).toBe('vdpa');
    expect(tracker.audit().map(({ code }) => code)).toEqual(['device-changed']);
    await tracker.release({ claim: id });
    expect(tracker.record('pci/0000:06:00.1' as DeviceId)?.device.type).toBe('type-VF');
    expect(tracker.supports({ requests: [vdpaRequest()] })).toBe(false);
  });

  test('survives a restart with everything that was decided', async () => {
    const store = new MemoryStore();
    const devices = [...card('06', 3), ...card('07', 2)];
    const tracker = await trackerOf(devices, { store });
    const one = await tracker.claim({ instance: vm1, requests: [vdpaRequest(2)] });
    await tracker.allocate({ claim: one.id });
    const two = await tracker.claim({ instance: vm2, requests: [vdpaRequest()] });
    await tracker.release({ claim: two.id });
    await tracker.sync({ devices: devices.slice(0, -1), cells: null });
    const [records, claims, pools] = [tracker.records(), tracker.claims(), tracker.pools()];
    await tracker.close();
    const again = await Tracker.open(store, everything);
    expect([again.records(), again.claims(), again.pools()]).toEqual([records, claims, pools]);
    expect(again.fence).toBe(2);
  });
});

describe('reconciling', () => {
  test('gives back what belongs to nobody who lives', async () => {
    const tracker = await trackerOf(card('06', 4));
    const claims = {
      dead: await tracker.claim({ instance: vm1, requests: [vdpaRequest()] }),
      living: await tracker.claim({ instance: vm2, requests: [vdpaRequest()] }),
      moving: await tracker.claim({
        instance: instance('vm3'),
        migration: migration('m1'),
        requests: [vdpaRequest()],
      }),
      moved: await tracker.claim({
        instance: vm2,
        migration: migration('m0'),
        requests: [vdpaRequest()],
      }),
    };
    const living = {
      instances: [vm2],
      migrations: [{ id: migration('m1'), instance: instance('vm3') }],
    };
    expect(tracker.audit(living).map(({ code }) => code)).toEqual([
      'claim-orphaned',
      'claim-orphaned',
    ]);
    expect(await tracker.reconcile(living)).toEqual([claims.dead, claims.moved]);
    expect(tracker.claims()).toEqual([claims.living, claims.moving]);
    expect(tracker.audit(living)).toEqual([]);
  });

  test('spares what a guest may still have, until it is out of that', async () => {
    const tracker = await trackerOf(card('06', 4));
    const claim = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.setGuest({ claim: claim.id }, 'qmp:/run/vm1.qmp');
    const none = { instances: [] };
    expect(tracker.audit(none)).toMatchObject([
      {
        code: 'claim-orphaned',
        healable: false,
        message: expect.stringContaining('qmp:/run/vm1.qmp'),
      },
    ]);
    expect(await tracker.reconcile(none)).toEqual([]);
    expect(await tracker.heal(none)).toEqual([]);
    expect(tracker.claims()).toMatchObject([{ id: claim.id }]);
    await tracker.setGuest({ claim: claim.id }, null);
    expect(await tracker.heal(none)).toMatchObject([{ code: 'claim-orphaned' }]);
    expect(tracker.claims()).toEqual([]);
  });

  test('spares what was claimed after the lists were read', async () => {
    const tracker = await trackerOf(card('06', 2));
    await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    const asOf = tracker.fence;
    const late = await tracker.claim({ instance: vm2, requests: [vdpaRequest()] });
    await tracker.reconcile({ instances: [], asOf });
    expect(tracker.claims()).toEqual([late]);
  });
});

describe('an operation of an instance that is not there', () => {
  const operation: Operation = { instance: vm1, kind: 'suspend', step: 'unplugged', detail: {} };

  test('spares its claims, and is ended once it has none', async () => {
    const tracker = await trackerOf(card('06', 4));
    const { id } = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.setOperation(vm1, null, operation);
    const none = { instances: [] };
    const found = { code: 'operation-orphaned', claimId: id, healable: false };
    expect(tracker.audit(none)).toMatchObject([found]);
    expect(tracker.audit({ instances: [vm1] })).toEqual([]);
    expect(tracker.audit()).toEqual([]);
    expect(tracker.audit({ ...none, asOf: tracker.fence - 1 })).toEqual([]);
    expect(await tracker.heal(none)).toEqual([]);
    expect(tracker.operations()).toEqual([operation]);
    await tracker.release({ instance: vm1, force: true });
    const healable = { code: 'operation-orphaned', claimId: null, healable: true };
    expect(tracker.audit(none)).toMatchObject([healable]);
    expect(await tracker.heal({ instances: [vm1] })).toEqual([]);
    expect(tracker.operations()).toEqual([operation]);
    expect(await tracker.heal(none)).toMatchObject([healable]);
    expect(tracker.operations()).toEqual([]);
    expect(tracker.audit(none)).toEqual([]);
  });

  test('is let be while somebody is at work, or it may be on its way', async () => {
    const tracker = await trackerOf(card('06', 4));
    const boot = { ...operation, kind: 'boot', step: 'claim' };
    await tracker.setOperation(vm1, null, boot);
    const none = { instances: [] };
    expect(tracker.audit(none)).toEqual([]);
    expect(await tracker.heal(none)).toEqual([]);
    expect(tracker.operations()).toEqual([boot]);
  });
});

describe('what a guest is given', () => {
  test('is kept with the claim’s device, until it is given anew', async () => {
    const tracker = await trackerOf(card('06', 4));
    const { id, devices } = await tracker.claim({ instance: vm1, requests: [vdpaRequest(2)] });
    const [first, second] = devices.map(({ deviceId }) => deviceId);
    const settings = { queuePairs: 4, mtu: 9000 };
    const given = { deviceId: first as DeviceId, settings };
    await tracker.setGuest({ claim: id }, 'qmp:/run/vm1.qmp', [given]);
    await tracker.setGuest({ claim: id }, null);
    expect(tracker.claimOf(id)?.devices).toMatchObject([{ settings }, { deviceId: second }]);
    const others = { queuePairs: 1, mtu: null };
    await tracker.setGuest({ claim: id }, null, [{ ...given, settings: others }]);
    expect(tracker.claimOf(id)?.devices).toMatchObject([{ settings: others }, {}]);
    await tracker.setGuest({ claim: id }, null, [{ ...given, settings: null }]);
    expect(tracker.claimOf(id)?.devices).toEqual(devices);
    for (const wrong of [
      { deviceId: '' },
      { settings: { ...settings, queuePairs: 0 } },
      { settings: { ...settings, mtu: 1 } },
    ]) {
      const call = tracker.setGuest({ claim: id }, null, [{ ...given, ...(wrong as object) }]);
      await expect(call).rejects.toThrow(TypeError);
    }
  });
});

describe('healing', () => {
  test('makes records and claims agree again', async () => {
    const store = new MemoryStore();
    const tracker = await trackerOf(card('06', 3), { store });
    const one = await tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await tracker.claim({ instance: vm2, requests: [vdpaRequest()] });
    await tracker.close();
    // As a tool that knows nothing of records would: one claim is deleted, one device is given away.
    const { state } = await store.open();
    const record = state.devices.find(({ value }) => value.device.id === 'pci/0000:06:00.2');
    await store.commit([
      { devices: [], claims: [{ id: one.id, from: 1, to: null }] },
      {
        devices: [
          {
            id: 'pci/0000:06:00.2' as DeviceId,
            from: record?.version ?? 0,
            to: { ...record?.value, status: 'available', claimId: null } as never,
          },
        ],
        claims: [],
      },
    ]);
    await store.close();
    const again = await Tracker.open(store, everything);
    expect(again.audit().map(({ code, healable }) => [code, healable])).toEqual([
      ['holder-contradiction', true],
      ['holder-contradiction', true],
    ]);
    expect(await again.heal()).toHaveLength(2);
    expect(again.audit()).toEqual([]);
    expect(again.claims()).toEqual([]);
    expect(free(again)).toHaveLength(4);
  });
});

describe('events', () => {
  test('are told once durable, in order, to listeners and loops', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const loop = tracker[Symbol.asyncIterator]();
    const heard: TrackerEvent[] = [];
    tracker.on('claim', (event) => heard.push(event));
    tracker.on('device', (event) => heard.push(event));
    const open = store.hold();
    const claim = tracker.claim({ instance: vm1, requests: [vdpaRequest()] });
    await new Promise(setImmediate);
    expect(heard).toEqual([]);
    expect(tracker.claims()).toEqual([]);
    expect(statuses(tracker)['pci/0000:06:00.1']).toBe('available');
    open();
    const made = await claim;
    expect(heard.map(({ type }) => type)).toEqual(['claim', 'device', 'device']);
    expect(heard[0]).toEqual({ type: 'claim', before: null, after: made });
    expect((await loop.next()).value).toEqual(heard[0]);
    await loop.return?.();
  });
});

test('calls decide in their order', async () => {
  const tracker = await trackerOf(card('06', 3));
  const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] };
  const answers = await Promise.all([
    tracker.claim(asked),
    tracker.release({ claim: asked.id }),
    tracker.claim(asked),
    tracker.allocate({ claim: asked.id }),
    tracker.reconcile({ instances: [] }),
    tracker.claim(asked),
  ]);
  expect(answers).toMatchObject([
    { fence: 1, status: 'claimed' },
    ['pci/0000:06:00.3'],
    { fence: 2, status: 'claimed' },
    [{ fence: 2, status: 'allocated' }],
    [{ fence: 2 }],
    { fence: 3, status: 'claimed' },
  ]);
  expect(tracker.claims()).toMatchObject([{ fence: 3, status: 'claimed' }]);
});

test('a tracker that is being closed gives back what was aborted first', async () => {
  const store = new FaultyStore();
  const tracker = await trackerOf(card('06', 1), { store });
  const stop = new AbortController();
  const open = store.hold();
  const claim = tracker.claim({ instance: vm1, requests: [vdpaRequest()], signal: stop.signal });
  stop.abort(new Error('enough'));
  const closed = tracker.close();
  open();
  await expect(claim).rejects.toThrow('enough');
  await closed;
  const { state } = await store.open();
  expect(state.claims).toEqual([]);
});

test('a call that waited for the store to be read anew is refused when the tracker is closed meanwhile', async () => {
  const store = new FaultyStore();
  const tracker = await trackerOf(card('06', 1), { store });
  store.fail({ after: new Error('lost') });
  store.failOpens = 1;
  await expect(tracker.claim({ instance: vm1, requests: [vdpaRequest()] })).rejects.toThrow('lost');
  await new Promise(setImmediate);
  const late = tracker.release({ instance: vm1 });
  const closed = tracker.close();
  await expect(late).rejects.toMatchObject({ code: 'CLOSED' });
  await closed;
});

test('a tracker that is closed refuses, and its loops end', async () => {
  const tracker = await trackerOf(card('06', 1));
  const loop = tracker[Symbol.asyncIterator]();
  await tracker.close();
  await tracker.close();
  expect(await loop.next()).toEqual({ done: true, value: undefined });
  const closed = { code: 'CLOSED' };
  await expect(tracker.claim({ instance: vm1, requests: [] })).rejects.toMatchObject(closed);
  await expect(tracker.release({ instance: vm1 })).rejects.toMatchObject(closed);
  await expect(tracker.sync({ devices: [], cells: null })).rejects.toMatchObject(closed);
});
