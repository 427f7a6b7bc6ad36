import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { MigrationId } from '../../../src/tracker/claim.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { exampleOf } from '../../support/example-of.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { free, trackerOf } from '../tracker/support/hosts.js';
import { AgentHost, atEachCall, killedIn } from './support/agent-host.js';

const vm1 = instance('vm1');
const guest = 'made-up:vm1';
const migration = 'migration-1' as MigrationId;
const requests = ['p1', 'p2'].map((port) =>
  vdpaRequest(1, { requestId: `for-${port}` as never, portId: port as PortId }),
);
const wanted = { migration, requests };

let host: AgentHost;
let tracker: Tracker;
let operations: InstanceOperations;
let freeBefore: string[];
let had: string[];

beforeEach(async () => {
  tracker = await trackerOf(card('06', 5));
  host = new AgentHost(tracker);
  operations = host.started();
  await operations.boot(vm1, { claim: claimId('c1'), requests });
  runs();
  await operations.completeBoot(vm1, guest);
  freeBefore = free(tracker);
  had = inGuest();
});

const runs = () => host.guests.guests.set(vm1, new Map());
const ends = () => host.guests.guests.delete(vm1);
const inGuest = () =>
  host
    .inGuest(vm1)
    .map(({ device }) => String(device))
    .sort();
/** What an agent does. */
const restarted = async (it: InstanceOperations): Promise<void> => {
  ends();
  await it.resize.unplug(vm1, guest);
  runs();
  await it.resize.complete(vm1, guest);
};

/** It runs with what it had before, and nothing else is taken. */
function assertOld(): void {
  expect(inGuest()).toEqual(had);
  expect(tracker.claims()).toMatchObject([{ id: 'c1', status: 'allocated', guest }]);
  expect(free(tracker)).toEqual(freeBefore);
  expect(host.network.plugged.size).toBe(2);
  expect(tracker.operations()).toEqual([]);
}

/** It runs with other devices, which are its own, and those that it had are to be had. */
function assertNew(): void {
  expect(inGuest()).toHaveLength(2);
  expect(inGuest()).not.toEqual(expect.arrayContaining(had));
  expect(tracker.claims()).toMatchObject([
    { id: migration, migration: null, status: 'allocated', guest },
  ]);
  expect(free(tracker)).toHaveLength(freeBefore.length);
  expect(host.network.plugged.size).toBe(2);
  expect(tracker.operations()).toEqual([]);
}

describe('an instance that is resized on its host', () => {
  test('has its old and its new devices until it is confirmed', async () => {
    const { claim, ports } = await operations.resize.prepare(vm1, wanted);
    expect(ports.map(({ port }) => port)).toEqual(['p1', 'p2']);
    expect(await operations.resize.prepare(vm1, wanted)).toEqual({ claim, ports });
    expect(inGuest()).toEqual(had);
    ends();
    const before = await operations.resize.unplug(vm1, guest);
    expect(before.map(({ device }) => String(device)).sort()).toEqual(had);
    expect(await operations.resize.unplug(vm1, guest)).toEqual(before);
    expect(host.network.plugged.size).toBe(0);
    runs();
    const there = await operations.resize.complete(vm1, guest);
    expect(await operations.resize.complete(vm1, guest)).toEqual(there);
    expect(tracker.claims()).toMatchObject([
      { id: 'c1', migration: null, status: 'allocated' },
      { id: migration, migration, status: 'allocated' },
    ]);
    expect(await tracker.reconcile({ instances: [vm1] })).toEqual([]);
    expect(await operations.resumeOperations()).toMatchObject([{ kind: 'resize', state: 'kept' }]);
    await operations.resize.confirm(vm1);
    await operations.resize.confirm(vm1);
    assertNew();
  });

  test.each([true, false])('as docs/operations.md has it (confirmed: %s)', async (confirmed) => {
    const given = {
      ...{ operations, instance: vm1, guest, migration, requests },
      bind: async () => {},
      shutDown: async () => ends(),
      startPaused: async () => runs(),
      run: async () => {},
      isWanted: async () => confirmed,
    };
    const example = await exampleOf(
      'docs/operations.md#Resize on the same host',
      Object.keys(given),
    );
    await example(given);
    if (confirmed) assertNew();
    else assertOld();
  });

  test('gets the queue pairs and MTU that are wanted', async () => {
    const interfaces = [{ requestId: 'for-p2' as never, index: 0, queuePairs: 4, mtu: 1400 }];
    await operations.resize.prepare(vm1, { ...wanted, interfaces });
    await restarted(operations);
    expect(host.inGuest(vm1)).toMatchObject([{ queuePairs: 4, mtu: 1400 }]);
  });

  test('after its guest has ended and was started again gets the new ones again', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    ends();
    runs();
    await operations.resize.complete(vm1, guest);
    await operations.resize.confirm(vm1);
    assertNew();
  });

  test('of which one new interface does not go in has none, and may be tried again', async () => {
    const { claim } = await operations.resize.prepare(vm1, wanted);
    host.guests.failing = (line) =>
      line === `attach ${claim.devices[1]?.deviceId}`
        ? new VdpaError('GUEST_SLOT_MISSING', 'no port')
        : null;
    await expect(restarted(operations)).rejects.toMatchObject({ code: 'GUEST_SLOT_MISSING' });
    expect(inGuest()).toEqual([]);
    host.guests.failing = () => null;
    await operations.resize.complete(vm1, guest);
    await operations.resize.confirm(vm1);
    assertNew();
  });

  test('is refused what is not to be had, and what is out of turn', async () => {
    await expect(operations.resize.prepare(vm1, {} as never)).rejects.toThrow('migration');
    await expect(
      operations.resize.prepare(vm1, { migration, requests: [vdpaRequest(9)] }),
    ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE' });
    await expect(operations.resize.unplug(vm1, guest)).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
    await expect(operations.resize.complete(vm1, guest)).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
    assertOld();
    await operations.resize.prepare(vm1, wanted);
    for (const call of [
      () => operations.resize.complete(vm1, guest),
      () => operations.resize.confirm(vm1),
      () => operations.suspend(vm1, guest),
      () => operations.resize.prepare(vm1, { ...wanted, migration: 'other' as MigrationId }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'OPERATION_UNDER_WAY' });
    }
    await operations.resize.revert(vm1);
    assertOld();
  });

  test('is stopped, and is resized as it is; or is stopped again', async () => {
    await operations.stop(vm1, guest);
    ends();
    await expect(
      operations.resize.prepare(vm1, { migration, requests: [vdpaRequest(9)] }),
    ).rejects.toMatchObject({ code: 'CLAIM_UNSATISFIABLE' });
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'stop', step: 'unplugged' });
    await operations.resize.prepare(vm1, wanted);
    const ports = await operations.resize.revert(vm1);
    expect(ports.map(({ port }) => port)).toEqual(['p1', 'p2']);
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'stop', step: 'unplugged' });
    await operations.resize.prepare(vm1, wanted);
    expect(await operations.resize.unplug(vm1, guest)).toHaveLength(2);
    runs();
    await operations.resize.complete(vm1, guest);
    ends();
    // Also when its guest has ended meanwhile.
    await operations.resize.confirm(vm1);
    runs();
    await operations.start(vm1, guest);
    assertNew();
  });

  test('keeps what it has got since, when it is confirmed', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    const own = await tracker.claim({
      id: claimId('c9'),
      instance: vm1,
      requests: [vdpaRequest(1)],
    });
    await operations.resize.confirm(vm1);
    expect(tracker.claimOf(own.id)).toMatchObject({ id: 'c9' });
  });

  test('whose new claim was given back by force ends all the same, once it is confirmed', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    const later = { id: claimId('c9'), instance: vm1, requests: [vdpaRequest(1)] };
    await tracker.claim(later);
    // Decided, and then the old ones could not be given back.
    host.guests.failing = () => new VdpaError('GUEST_UNREACHABLE', 'busy');
    await tracker.setGuest({ claim: claimId('c1') }, guest);
    await expect(operations.resize.confirm(vm1)).rejects.toThrow('busy');
    expect(tracker.operationOf(vm1)).toMatchObject({ step: 'confirm' });
    await tracker.release({ claim: claimId(migration), force: true });
    host.guests.failing = () => null;
    await operations.resize.confirm(vm1);
    expect(tracker.operations()).toEqual([]);
    expect(tracker.claims()).toMatchObject([{ id: later.id }]);
  });

  test('whose confirmation an earlier version had begun is finished', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    const now = tracker.operationOf(vm1);
    await tracker.setOperation(vm1, now, { ...(now as never as object), step: 'confirm' } as never);
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'finished' }]);
    assertNew();
  });

  test('whose guest nobody knows any more is not taken to have ended', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    const now = tracker.operationOf(vm1);
    await tracker.setOperation(vm1, now, {
      ...(now as never as object),
      step: 'plug',
      detail: { ...now?.detail, guest: 'unknown' },
    } as never);
    expect(await operations.resumeOperations()).toMatchObject([
      { state: 'unknown', error: { code: 'GUEST_NOT_FOUND' } },
    ]);
    expect(tracker.operationOf(vm1)).toMatchObject({ step: 'plug' });
  });

  test('is refused interfaces that no request is for, and other ones than before', async () => {
    const one = { requestId: 'for-p1' as never, index: 0, queuePairs: 1, mtu: null };
    for (const wrong of [{ index: 1 }, { requestId: 'for-p9' as never }]) {
      await expect(
        operations.resize.prepare(vm1, { ...wanted, interfaces: [{ ...one, ...wrong }] }),
      ).rejects.toThrow(TypeError);
    }
    assertOld();
    await operations.resize.prepare(vm1, { ...wanted, interfaces: [one] });
    await expect(
      operations.resize.prepare(vm1, { ...wanted, interfaces: [{ ...one, mtu: 1400 }] }),
    ).rejects.toMatchObject({ code: 'CLAIM_CONFLICT' });
  });

  test('is deleted in the middle of it', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    await operations.delete(vm1);
    expect(tracker.claims()).toEqual([]);
    expect(tracker.operations()).toEqual([]);
    expect(inGuest()).toEqual([]);
    expect(host.network.plugged.size).toBe(0);
  });
});

describe('a resize that is reverted', () => {
  test.each([0, 1, 2, 3])('after %d of its steps leaves what was before', async (count) => {
    const steps = [
      async () => await operations.resize.prepare(vm1, wanted),
      async () => {
        ends();
        await operations.resize.unplug(vm1, guest);
      },
      async () => {
        runs();
        await operations.resize.complete(vm1, guest);
      },
    ];
    for (const step of steps.slice(0, count)) await step();
    const isStopped = count > 1;
    if (isStopped) ends();
    await operations.resize.revert(vm1);
    await operations.resize.revert(vm1);
    if (isStopped) {
      expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'stop', step: 'unplugged' });
      runs();
      await operations.start(vm1, guest);
    }
    await operations.resize.revert(vm1);
    assertOld();
  });

  test('with the guest running takes the new ones out of it', async () => {
    await operations.resize.prepare(vm1, wanted);
    await restarted(operations);
    await operations.resize.revert(vm1);
    expect(inGuest()).toEqual([]);
    await operations.start(vm1, guest);
    assertOld();
  });
});

describe('an agent that is killed in a resize', () => {
  const resumed = async (): Promise<void> => {
    operations = host.started();
    for (const { error } of await operations.resumeOperations()) expect(error).toBeNull();
  };
  const resized = async (it: InstanceOperations): Promise<void> => {
    await it.resize.prepare(vm1, wanted);
    await restarted(it);
    await it.resize.confirm(vm1);
  };
  /** As it was, for the next round. */
  const again = async (): Promise<void> => {
    await operations.delete(vm1);
    ends();
    await operations.boot(vm1, { claim: claimId('c1'), requests });
    runs();
    await operations.completeBoot(vm1, guest);
    had = inGuest();
    freeBefore = free(tracker);
  };

  test.each([false, true])('leaves old or new, never both (call made: %s)', async (made) => {
    await atEachCall(
      async (call) => await killedIn(host, resized, call, made),
      async () => {
        await resumed();
        const now = tracker.operationOf(vm1);
        if (now === null) {
          if (tracker.claimOf(claimId('c1')) === null) assertNew();
          else assertOld();
        } else {
          expect(now).toMatchObject({ kind: 'resize' });
          // Where it was killed it is gone on with from the beginning of that step.
          if (now.step === 'prepared') await restarted(operations);
          if (now.step === 'unplugged') {
            if (!host.guests.guests.has(vm1)) runs();
            await operations.resize.complete(vm1, guest);
          }
          await operations.resize.confirm(vm1);
          assertNew();
        }
        await again();
      },
    );
  });

  test.each([false, true])('leaves old when it is reverted (call made: %s)', async (made) => {
    await atEachCall(
      async (call) => {
        await operations.resize.prepare(vm1, wanted);
        await restarted(operations);
        return await killedIn(host, (it) => it.resize.revert(vm1), call, made);
      },
      async () => {
        await resumed();
        await operations.resize.revert(vm1);
        await operations.start(vm1, guest);
        assertOld();
        await again();
      },
    );
  });
});
