import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import type { TrackerEvent } from '../../../src/tracker/tracker-event.js';
import { ConflictingStore } from '../../support/conflicting-store.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from './support/devices.js';
import { FaultyStore } from './support/faulty-store.js';
import { free, trackerOf } from './support/hosts.js';

const vm = (number: number) => instance(`vm${number}`);
const full = () =>
  new VdpaError('STORE_FULL', 'no space left', { outcome: 'unchanged', retry: 'later' });
const failed = () => new VdpaError('STORE_FAILED', 'the disk is gone', { outcome: 'unknown' });

describe('a store that is full', () => {
  test('takes back that decision and all behind it, and works on when there is room', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 4), { store });
    const kept = await tracker.claim({ instance: vm(0), requests: [vdpaRequest()] });
    const open = store.hold();
    const first = tracker.claim({ instance: vm(1), requests: [vdpaRequest()] });
    await new Promise(setImmediate);
    store.fail({ before: full() });
    const second = tracker.claim({ instance: vm(2), requests: [vdpaRequest()] });
    const released = tracker.release({ claim: kept.id });
    open();
    const error = { code: 'STORE_FULL' };
    await expect(first).rejects.toMatchObject(error);
    await expect(second).rejects.toMatchObject({ ...error, outcome: 'undone' });
    await expect(released).rejects.toMatchObject(error);
    expect(tracker.claims()).toEqual([kept]);
    expect(free(tracker)).toEqual(['pci/0000:06:00.1', 'pci/0000:06:00.2', 'pci/0000:06:00.3']);
    expect(store.commits).toHaveLength(3); // the sync, the claim, the one that failed
    await tracker.claim({ instance: vm(1), requests: [vdpaRequest(3)] });
    expect(tracker.claims()).toHaveLength(2);
    expect(tracker.audit()).toEqual([]);
  });

  test('does not give back a device whose release failed, and gives it back the next time', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const { id } = await tracker.claim({ instance: vm(1), requests: [vdpaRequest()] });
    store.fail({ before: full() });
    await expect(tracker.release({ claim: id })).rejects.toMatchObject({ code: 'STORE_FULL' });
    expect(free(tracker)).toEqual([]);
    expect(await tracker.release({ claim: id })).toEqual(['pci/0000:06:00.1']);
    expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
  });
});

describe('what is being given back', () => {
  test('goes to nobody before that is durable, nor does its PF', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 1), { store });
    const { id } = await tracker.claim({ instance: vm(1), requests: [vdpaRequest()] });
    const open = store.hold();
    const released = tracker.release({ claim: id });
    expect(free(tracker)).toEqual([]);
    await expect(
      tracker.claim({ instance: vm(2), requests: [vdpaRequest()] }),
    ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE' });
    await expect(
      tracker.claim({
        instance: vm(2),
        requests: [vdpaRequest(1, { deviceIds: ['pci/0000:06:00.1' as DeviceId] })],
      }),
    ).rejects.toThrow('it is being given back');
    open();
    await released;
    expect(free(tracker)).toEqual(['pci/0000:06:00.0', 'pci/0000:06:00.1']);
  });
});

describe('claims that come while a commit is under way', () => {
  test('share the next commit', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 64), { store });
    store.commits.length = 0;
    await Promise.all(
      Array.from({ length: 32 }, (_, n) =>
        tracker.claim({ instance: vm(n), requests: [vdpaRequest()] }),
      ),
    );
    expect(store.commits.map((commit) => commit.length)).toEqual([32]);
  });
});

describe('a store that fails in the middle', () => {
  test('is read again before anything else is decided', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 2), { store });
    const heard: TrackerEvent[] = [];
    for (const type of ['resync', 'claim', 'device'] as const) {
      tracker.on(type, (event: TrackerEvent) => heard.push(event));
    }
    store.fail({ after: failed() });
    const asked = { id: claimId('c1'), instance: vm(1), requests: [vdpaRequest()] };
    await expect(tracker.claim(asked)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      outcome: 'unknown',
    });
    // It had been stored: who asks again gets the same, not a second one.
    const claim = await tracker.claim(asked);
    expect(tracker.claims()).toEqual([claim]);
    expect(free(tracker)).toEqual(['pci/0000:06:00.1']);
    expect(heard[0]).toEqual({ type: 'resync', reason: 'store-reread' });
    expect(heard[1]).toEqual({ type: 'claim', before: null, after: claim });
  });

  test('and cannot be read again says so to each call, until it can', async () => {
    const store = new FaultyStore();
    const tracker = await trackerOf(card('06', 2), { store });
    store.fail({ before: failed() });
    store.failOpens = 3; // once by itself
    const asked = { id: claimId('c1'), instance: vm(1), requests: [vdpaRequest()] };
    await expect(tracker.claim(asked)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(tracker.claim(asked)).rejects.toThrow('the store cannot be opened');
    expect(tracker.claims()).toEqual([]);
    await new Promise(setImmediate);
    await expect(tracker.claim(asked)).rejects.toThrow('the store cannot be opened');
    expect((await tracker.claim(asked)).devices).toHaveLength(1);
  });
});

describe('a store that somebody else wrote to', () => {
  test('refuses that decision alone, and is read again', async () => {
    const inner = new MemoryStore();
    const store = new ConflictingStore(inner, [{ commit: 1, change: 1 }]);
    const tracker = await trackerOf([...card('06', 1), ...card('07', 1), ...card('08', 1)], {
      store,
    });
    const claims = [0, 1, 2].map((n) =>
      tracker.claim({ instance: vm(n), requests: [vdpaRequest()] }),
    );
    const [one, two, three] = await Promise.allSettled(claims);
    expect([one?.status, three?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(two).toMatchObject({ reason: { code: 'STORE_CONFLICT', outcome: 'undone' } });
    await tracker.claim({ instance: vm(1), requests: [vdpaRequest()] });
    expect(tracker.claims().map(({ instance: of }) => of)).toEqual(['vm0', 'vm2', 'vm1']);
    expect(tracker.audit()).toEqual([]);
    expect(free(tracker)).toEqual([]);
  });
});
