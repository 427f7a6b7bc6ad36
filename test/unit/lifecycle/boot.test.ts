import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { exampleOf } from '../../support/example-of.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { free, trackerOf } from '../tracker/support/hosts.js';
import { AgentHost, atEachCall, killedIn } from './support/agent-host.js';

const vm1 = instance('vm1');
const guest = 'made-up:vm1';
const requests = ['p1', 'p2'].map((port) =>
  vdpaRequest(1, { requestId: `for-${port}` as never, portId: port as PortId }),
);
const id = claimId('c1');

let host: AgentHost;
let tracker: Tracker;
let operations: InstanceOperations;
let freeBefore: string[];

beforeEach(async () => {
  tracker = await trackerOf(card('06', 4));
  freeBefore = free(tracker);
  host = new AgentHost(tracker);
  operations = host.started();
});

const runs = () => host.guests.guests.set(vm1, new Map());
const ends = () => host.guests.guests.delete(vm1);
const booted = async (): Promise<void> => {
  await operations.boot(vm1, { claim: id, requests });
  runs();
  await operations.completeBoot(vm1, guest);
  host.log.length = 0;
};

function assertRuns(): void {
  expect(host.inGuest(vm1)).toHaveLength(2);
  expect(host.network.plugged.size).toBe(2);
  expect(tracker.claims()).toMatchObject([{ id, status: 'allocated', migration: null, guest }]);
  expect(tracker.operations()).toEqual([]);
}

function assertNothingLeft(): void {
  expect(host.inGuest(vm1)).toEqual([]);
  expect(host.network.plugged.size).toBe(0);
  expect(tracker.claims()).toEqual([]);
  expect(tracker.operations()).toEqual([]);
  expect(free(tracker)).toEqual(freeBefore);
}

describe('an instance that is booted', () => {
  test('gets devices before its guest is there, and interfaces once it is', async () => {
    const { claim, ports } = await operations.boot(vm1, { requests });
    expect(ports.map(({ port }) => port)).toEqual(['p1', 'p2']);
    expect(await operations.boot(vm1, { requests })).toEqual({ claim, ports });
    expect(tracker.claims()).toMatchObject([{ id: claim.id, status: 'claimed' }]);
    expect(await tracker.reconcile({ instances: [] })).toEqual([]);
    expect(await operations.resumeOperations()).toMatchObject([{ kind: 'boot', state: 'kept' }]);
    runs();
    const there = await operations.completeBoot(vm1, guest);
    expect(there).toMatchObject([
      { claim: claim.id, queuePairs: 1, mtu: null },
      { claim: claim.id, queuePairs: 1, mtu: null },
    ]);
    expect(await operations.completeBoot(vm1, guest)).toEqual(there);
    expect(host.log.map((line) => line.split(' ')[0])).toEqual([
      'plug',
      'attach',
      'plug',
      'attach',
    ]);
    await operations.abortBoot(vm1);
    expect(host.inGuest(vm1)).toHaveLength(2);
  });

  test('gets the queue pairs and MTU that are wanted', async () => {
    const interfaces = [{ requestId: 'for-p2' as never, index: 0, queuePairs: 4, mtu: 1400 }];
    await operations.boot(vm1, { claim: id, requests, interfaces });
    runs();
    await operations.completeBoot(vm1, guest);
    expect(host.inGuest(vm1)).toMatchObject([{ queuePairs: 4, mtu: 1400 }]);
  });

  test.each([false, true])('as docs/operations.md has it (fails: %s)', async (fails) => {
    const said: string[] = [];
    const given = {
      operations,
      instance: vm1,
      guest,
      requests,
      bind: async (ports: readonly { port: string }[]) =>
        said.push(`bind ${ports.map(({ port }) => port)}`),
      startPaused: async () => {
        if (fails) throw new Error('no memory');
        runs();
      },
      run: async () => said.push('run'),
    };
    const example = await exampleOf('docs/operations.md#Boot and delete', Object.keys(given));
    if (fails) {
      await expect(example(given)).rejects.toThrow('no memory');
      expect(said).toEqual(['bind p1,p2']);
      assertNothingLeft();
    } else {
      await example(given);
      expect(said).toEqual(['bind p1,p2', 'run']);
      expect(host.inGuest(vm1)).toHaveLength(2);
    }
  });

  test('that does not come gives everything back', async () => {
    await operations.boot(vm1, { claim: id, requests });
    await expect(operations.completeBoot(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_NOT_FOUND',
    });
    await operations.abortBoot(vm1);
    await operations.abortBoot(vm1);
    assertNothingLeft();
  });

  test('of which one interface does not go in has none, and may be tried again', async () => {
    const { claim } = await operations.boot(vm1, { claim: id, requests });
    runs();
    const second = claim.devices[1]?.deviceId;
    host.guests.failing = (line) =>
      line === `attach ${second}` ? new VdpaError('GUEST_SLOT_MISSING', 'no port') : null;
    await expect(operations.completeBoot(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
    });
    expect(host.inGuest(vm1)).toEqual([]);
    host.guests.failing = () => null;
    await operations.completeBoot(vm1, guest);
    assertRuns();
  });

  test('is refused what is no request, what is not to be had, and to be here twice', async () => {
    await expect(operations.boot(vm1, {} as never)).rejects.toThrow('requests');
    await expect(operations.boot(vm1, { requests: [{}] } as never)).rejects.toThrow(TypeError);
    await expect(operations.boot(vm1, { requests: [vdpaRequest(9)] })).rejects.toMatchObject({
      code: 'CLAIM_UNSATISFIABLE',
    });
    assertNothingLeft();
    await booted();
    await expect(operations.boot(vm1, { requests })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('c1'),
    });
    assertRuns();
  });
});

describe('a boot that fails', () => {
  test('takes nothing from another instance that has a claim of that name', async () => {
    await operations.boot(vm1, { claim: id, requests });
    const vm2 = instance('vm2');
    await expect(operations.boot(vm2, { claim: id, requests })).rejects.toMatchObject({
      code: 'CLAIM_CONFLICT',
      message: expect.stringContaining('vm1'),
    });
    // As a process leaves it that is killed before it has claimed anything.
    const detail = { claim: id, interfaces: [], guest: null };
    await tracker.setOperation(vm2, null, { instance: vm2, kind: 'boot', step: 'claim', detail });
    expect(await operations.resumeOperations()).toMatchObject([
      { instance: vm1, state: 'kept' },
      { instance: vm2, state: 'undone' },
    ]);
    expect(tracker.claims()).toMatchObject([{ id, instance: vm1 }]);
    runs();
    await operations.completeBoot(vm1, guest);
    assertRuns();
  });

  test('with the network in the way leaves no port plugged, once that works', async () => {
    const { claim } = await operations.boot(vm1, { claim: id, requests });
    runs();
    const [first, second] = claim.devices.map(({ deviceId }) => deviceId);
    host.guests.failing = (line) =>
      [`attach ${second}`, `detach ${first}`].includes(line)
        ? new VdpaError('GUEST_REFUSED', '')
        : null;
    await expect(operations.completeBoot(vm1, guest)).rejects.toMatchObject({ outcome: 'partial' });
    host.guests.failing = () => null;
    ends();
    host.network.failing = (line) => (line === 'unplug p1' ? new Error('no switch') : null);
    await expect(operations.abortBoot(vm1)).rejects.toMatchObject({
      code: 'NETWORK_BACKEND_FAILED',
    });
    host.network.failing = () => null;
    await operations.abortBoot(vm1);
    assertNothingLeft();
  });

  test('to have been prepared is told of', async () => {
    runs();
    await expect(operations.completeBoot(vm1, guest)).rejects.toMatchObject({
      code: 'CLAIM_NOT_FOUND',
    });
  });

  test('to be gone on with does not keep others from it', async () => {
    const vm0 = instance('vm0');
    const detail = { claim: claimId('c0'), interfaces: [], guest: 'unknown' };
    await tracker.setOperation(vm0, null, { instance: vm0, kind: 'boot', step: 'plug', detail });
    await booted();
    await operations.stop(vm1, guest);
    expect(await operations.resumeOperations()).toMatchObject([
      { instance: vm0, state: 'unknown', error: { code: 'GUEST_NOT_FOUND' } },
      { instance: vm1, state: 'kept', error: null },
    ]);
  });
});

describe('an instance that is stopped', () => {
  test('keeps its devices, and gets the same when it is started', async () => {
    await booted();
    const before = host.inGuest(vm1);
    const had = await operations.stop(vm1, guest);
    expect(host.network.plugged.size).toBe(0);
    ends();
    expect(await operations.stop(vm1, guest)).toEqual(had);
    expect(tracker.claims()).toMatchObject([{ status: 'allocated', guest: null }]);
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'kept' }]);
    runs();
    host.log.length = 0;
    expect(await operations.start(vm1, guest)).toEqual(had);
    expect(host.log.map((line) => line.split(' ')[0])).toEqual([
      'plug',
      'attach',
      'plug',
      'attach',
    ]);
    expect(await operations.start(vm1, guest)).toEqual(had);
    expect(host.inGuest(vm1)).toEqual(before);
    assertRuns();
  });

  test('after its guest has ended leaves the network, and comes back', async () => {
    await booted();
    ends();
    await operations.stop(vm1, guest);
    expect(host.network.plugged.size).toBe(0);
    runs();
    await operations.start(vm1, guest);
    assertRuns();
  });

  test('after its claim knows no guest any more gets all that it has', async () => {
    await booted();
    ends();
    await tracker.setGuest({ claim: id }, null);
    await operations.stop(vm1, guest);
    runs();
    await operations.start(vm1, guest);
    assertRuns();
  });

  test('after its guest has been started again without anything gets it', async () => {
    await booted();
    ends();
    runs();
    await operations.stop(vm1, guest);
    expect(host.network.plugged.size).toBe(0);
    await operations.start(vm1, guest);
    assertRuns();
  });

  test('with the network in the way is stopped by the next call', async () => {
    await booted();
    ends();
    host.network.failing = (line) => (line === 'unplug p1' ? new Error('no switch') : null);
    await expect(operations.stop(vm1, guest)).rejects.toMatchObject({
      code: 'NETWORK_BACKEND_FAILED',
    });
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'unknown' }]);
    host.network.failing = () => null;
    await operations.stop(vm1, guest);
    expect(host.network.plugged.size).toBe(0);
    runs();
    await operations.start(vm1, guest);
    assertRuns();
  });

  test('of which one port was detached after its end leaves the network with the others', async () => {
    await booted();
    ends();
    const ofPort = { instance: vm1, port: 'p1' as PortId };
    const { network, guests } = host;
    await host
      .plugs()
      .detach(ofPort, { driver: guests, guest: vm1, reference: guest }, { network });
    expect(tracker.claims()).toMatchObject([{ guest, devices: [{}] }]);
    await operations.delete(vm1);
    assertNothingLeft();
  });

  test('and comes back under another reference gets the same there', async () => {
    await booted();
    ends();
    const moved = 'made-up:vm1 elsewhere';
    host.place = (reference) =>
      reference === moved ? { driver: host.guests, guest: again, reference } : null;
    const again = instance('vm1 elsewhere');
    host.guests.guests.set(again, new Map());
    // Nobody knows whether the other has ended.
    await expect(operations.start(vm1, moved)).rejects.toMatchObject({ code: 'GUEST_NOT_FOUND' });
    host.place = AgentHost.prototype.place;
    expect(await operations.start(vm1, moved)).toHaveLength(2);
    expect(host.inGuest(again)).toHaveLength(2);
    expect(tracker.claims()).toMatchObject([{ status: 'allocated', guest: moved }]);
    expect(tracker.operations()).toEqual([]);
  });

  test.each([
    ['runs', async () => {}],
    ['is stopped', async () => void (await operations.stop(vm1, guest))],
  ])('by nobody is started with all that it had, as it had it (%s)', async (_, next) => {
    const interfaces = ['for-p1', 'for-p2'].map((requestId, index) => ({
      ...{ requestId: requestId as never, index: 0 },
      ...{ queuePairs: 2 + index, mtu: 1400 + index },
    }));
    await operations.boot(vm1, { claim: id, requests, interfaces });
    runs();
    await operations.completeBoot(vm1, guest);
    const had = host.inGuest(vm1);
    expect(had).toMatchObject([{ queuePairs: 2 }, { queuePairs: 3 }]);
    ends();
    await next();
    runs();
    await operations.start(vm1, guest);
    expect(host.inGuest(vm1)).toEqual(had);
    assertRuns();
  });
});

describe('an instance that is deleted', () => {
  test.each([
    ['running', () => {}],
    ['ended', () => ends()],
  ])('leaves nothing, its guest %s', async (_, before) => {
    await booted();
    before();
    await operations.delete(vm1);
    await operations.delete(vm1);
    assertNothingLeft();
  });

  test('ends what else was under way', async () => {
    await operations.boot(vm1, { requests });
    await operations.delete(vm1);
    assertNothingLeft();
    await booted();
    await operations.suspend(vm1, guest);
    await operations.delete(vm1);
    assertNothingLeft();
  });

  test('waits for a detach by hand that has begun', async () => {
    await booted();
    const plugs = host.plugs();
    const own = host.started(undefined, false, plugs);
    const { guests, network } = host;
    const detach = guests.detach.bind(guests);
    let go = (): void => {};
    const slow = new Promise<void>((done) => {
      go = done;
    });
    guests.detach = async (...given) => {
      await slow;
      await detach(...given);
    };
    const place = { driver: guests, guest: vm1, reference: guest };
    const byHand = plugs.detach({ claim: id }, place, { network });
    const deleted = own.delete(vm1);
    await expect.poll(() => tracker.operationOf(vm1)?.kind).toBe('delete');
    go();
    await byHand;
    await deleted;
    assertNothingLeft();
  });

  test('whose guest keeps a device stays until it lets go', async () => {
    await booted();
    host.guests.failing = (line) =>
      line.startsWith('detach') ? new VdpaError('GUEST_KEEPS_DEVICE', 'no') : null;
    await expect(operations.delete(vm1)).rejects.toMatchObject({ code: 'GUEST_KEEPS_DEVICE' });
    expect(tracker.claims()).toHaveLength(1);
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'delete' });
    await expect(operations.start(vm1, guest)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    host.guests.failing = () => null;
    expect(await host.started().resumeOperations()).toMatchObject([
      { kind: 'delete', state: 'finished' },
    ]);
    assertNothingLeft();
  });

  test('in a guest that nobody knows is told of', async () => {
    await booted();
    await tracker.setGuest({ claim: id }, null);
    await tracker.setGuest({ claim: id }, 'unknown');
    await expect(operations.delete(vm1)).rejects.toMatchObject({
      code: 'GUEST_NOT_FOUND',
      message: expect.stringContaining('c1'),
    });
    expect(tracker.claims()).toHaveLength(1);
  });
});

describe('an agent that is killed', () => {
  /** Killed at each call; what it left is gone on with, and looked at. */
  async function eachCall(
    before: () => Promise<unknown>,
    work: (killed: InstanceOperations) => Promise<unknown>,
    made: boolean,
    after: () => Promise<void>,
  ): Promise<void> {
    await atEachCall(
      async (call) => {
        await before();
        return await killedIn(host, work, call, made);
      },
      async () => {
        operations = host.started();
        for (const { error } of await operations.resumeOperations()) expect(error).toBeNull();
        await after();
      },
    );
  }

  const deleted = async (): Promise<void> => {
    await operations.delete(vm1);
    assertNothingLeft();
    ends();
  };

  test.each([false, true])('in a boot leaves all or nothing (call made: %s)', async (made) => {
    const boot = async (it: InstanceOperations): Promise<void> => {
      await it.boot(vm1, { claim: id, requests });
      runs();
      await it.completeBoot(vm1, guest);
    };
    await eachCall(
      async () => {},
      boot,
      made,
      async () => {
        if (tracker.claims().length === 0) {
          assertNothingLeft();
        } else {
          if (!host.guests.guests.has(vm1)) runs();
          await operations.completeBoot(vm1, guest);
          assertRuns();
        }
        await deleted();
      },
    );
  });

  test.each([false, true])('in a delete leaves nothing (call made: %s)', async (made) => {
    await eachCall(
      booted,
      (it) => it.delete(vm1),
      made,
      async () => {
        // Killed before its first step it was not begun.
        if (tracker.claims().length > 0) assertRuns();
        await deleted();
      },
    );
  });

  test.each([false, true])('in a stop and a start leaves all or nothing (%s)', async (made) => {
    const work = async (it: InstanceOperations): Promise<void> => {
      await it.stop(vm1, guest);
      await it.start(vm1, guest);
    };
    await eachCall(booted, work, made, async () => {
      if (tracker.operationOf(vm1) !== null) expect(host.inGuest(vm1)).toEqual([]);
      await operations.start(vm1, guest);
      assertRuns();
      await deleted();
    });
  });
});
