import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import type { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { MigrationId } from '../../../src/tracker/claim.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { free, trackerOf } from '../tracker/support/hosts.js';
import { AgentHost, atEachCall, killedIn } from './support/agent-host.js';

const vm1 = instance('vm1');
const guest = 'made-up:vm1';
const migration = 'migration-1' as MigrationId;
const port = (name: string): PortId => name as PortId;

let source: AgentHost;
let destination: AgentHost;
let from: InstanceOperations;
let to: InstanceOperations;
let devices: DeviceId[];
/** As the source is when nobody has anything of it. */
let sourceAlone: Tracker;

beforeEach(async () => {
  sourceAlone = await trackerOf(card('06', 4));
  source = new AgentHost(await trackerOf(card('06', 4)));
  destination = new AgentHost(await trackerOf(card('81', 3)));
  source.guests.guests.set(vm1, new Map());
  const { tracker, guests, network } = source;
  const requests = [1, 2].map((each) =>
    vdpaRequest(1, { requestId: `r${each}` as never, portId: port(`p${each}`) }),
  );
  await tracker.claim({ id: claimId('c1'), instance: vm1, requests });
  devices = tracker.claims(vm1).flatMap((claim) => claim.devices.map(({ deviceId }) => deviceId));
  const place = { driver: guests, guest: vm1, reference: guest };
  for (const [at, mtu] of [1400, null].entries()) {
    const selection = { claim: claimId('c1'), devices: devices.slice(at, at + 1) };
    await source.plugs().attach(selection, place, { network, queuePairs: at + 1, mtu });
  }
  source.log.length = 0;
  from = source.started();
  to = destination.started();
});

const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));
const offered = async () => json(await from.liveMigration.offer(vm1, guest, migration));
const prepared = async () => json(await to.liveMigration.prepare(await offered()));

/** The hypervisors' part: one guest, which has no vDPA interface meanwhile. */
function move(): void {
  expect(source.inGuest(vm1)).toEqual([]);
  source.guests.guests.delete(vm1);
  destination.guests.guests.set(vm1, new Map());
}

const freeOf = ({ tracker }: AgentHost) => free(tracker).length;

function assertStayed(): void {
  expect(source.inGuest(vm1)).toEqual(
    expect.arrayContaining([
      { device: devices[0], queuePairs: 1, mtu: 1400 },
      { device: devices[1], queuePairs: 2, mtu: null },
    ]),
  );
  expect(source.network.plugged.size).toBe(2);
  expect(source.tracker.claims()).toMatchObject([{ id: 'c1', status: 'allocated', guest }]);
  expect(source.tracker.operations()).toEqual([]);
  expect(destination.inGuest(vm1)).toEqual([]);
  expect(destination.network.plugged.size).toBe(0);
  expect(destination.tracker.operations()).toEqual([]);
  expect(destination.tracker.claims()).toEqual([]);
}

function assertMoved(): void {
  const own = destination.tracker.claims(vm1);
  expect(own).toMatchObject([{ status: 'allocated', migration: null, guest }]);
  expect(destination.inGuest(vm1)).toEqual(
    expect.arrayContaining([
      { device: own[0]?.devices[0]?.deviceId, queuePairs: 1, mtu: 1400 },
      { device: own[0]?.devices[1]?.deviceId, queuePairs: 2, mtu: null },
    ]),
  );
  expect(destination.network.plugged.size).toBe(2);
  expect(destination.tracker.operations()).toEqual([]);
  expect(source.tracker.operations()).toEqual([]);
  expect(source.network.plugged.size).toBe(0);
  expect(source.tracker.claims()).toEqual([]);
  expect(freeOf(source)).toBe(free(sourceAlone).length);
}

describe('a live migration', () => {
  test('takes the interfaces out, and gives others at the destination', async () => {
    const offer = await offered();
    expect(offer).toMatchObject({
      instance: vm1,
      migration,
      requests: [{ requestId: 'r1' }, { requestId: 'r2' }],
      interfaces: [
        { requestId: 'r1', index: 0, queuePairs: 1, mtu: 1400 },
        { requestId: 'r2', index: 0, queuePairs: 2, mtu: null },
      ],
    });
    expect(await to.liveMigration.check(offer)).toBe(true);
    expect(destination.tracker.operations()).toEqual([]);
    const answer = await to.liveMigration.prepare(offer);
    const inactive = { host: 'host-of-test', active: 'on-complete' };
    expect(answer.ports).toEqual([
      {
        port: 'p1',
        ...inactive,
        profile: expect.objectContaining({ physical_network: 'physnet4' }),
      },
      {
        port: 'p2',
        ...inactive,
        profile: expect.objectContaining({ pci_slot: expect.any(String) }),
      },
    ]);
    expect(await to.liveMigration.prepare(offer)).toEqual(answer);
    expect(destination.tracker.claims()).toMatchObject([{ status: 'claimed', migration }]);
    // Nobody's claim is cleaned meanwhile, on neither side.
    expect(await destination.tracker.reconcile({ instances: [] })).toEqual([]);
    expect(source.log).toEqual([]);

    const taken = await from.liveMigration.unplug(json(answer), guest);
    expect(taken.map(({ device }) => device)).toEqual(devices);
    expect(source.log).toEqual([
      `detach ${devices[1]}`,
      'unplug p2',
      `detach ${devices[0]}`,
      'unplug p1',
    ]);
    expect(await from.liveMigration.unplug(json(answer), guest)).toEqual(taken);
    expect(await source.tracker.reconcile({ instances: [] })).toEqual([]);
    expect(source.tracker.claims()).toMatchObject([{ status: 'allocated', guest: null }]);
    move();
    const there = await to.liveMigration.completeAtDestination(vm1, guest);
    expect(await to.liveMigration.completeAtDestination(vm1, guest)).toEqual(there);
    await from.liveMigration.completeAtSource(vm1);
    await from.liveMigration.completeAtSource(vm1);
    assertMoved();
    expect(destination.log.filter((line) => line.startsWith('plug'))).toEqual([
      'plug p1',
      'plug p2',
    ]);
  });

  test('takes devices of aliases along that say that they are live-migratable', async () => {
    const offer = await offered();
    const spec = { dev_type: 'type-PF' };
    const plain = vdpaRequest(1, { alias: 'nic', spec: [spec] });
    const refused = { ...offer, requests: [...offer.requests, plain] };
    await expect(to.liveMigration.check(refused)).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('does not explicitly request live-migratable devices'),
    });
    const asked = { ...plain, spec: [{ ...spec, live_migratable: 'true' }] };
    // Of this card no PF is: it is the claim's rule, not this one's.
    expect(await to.liveMigration.check({ ...offer, requests: [...offer.requests, asked] })).toBe(
      false,
    );
    expect(destination.tracker.operations()).toEqual([]);
  });

  test('does not begin with other ports than the destination is prepared for', async () => {
    const answer = await prepared();
    const { tracker, guests, network } = source;
    const place = { driver: guests, guest: vm1, reference: guest };
    const late = vdpaRequest(1, { requestId: 'late' as never, portId: port('late') });
    const { id } = await tracker.claim({ instance: vm1, requests: [late] });
    await source.plugs().attach({ claim: id }, place, { network });
    await expect(from.liveMigration.unplug(answer, guest)).rejects.toMatchObject({
      code: 'PORT_CHANGED',
      outcome: 'undone',
      message: expect.stringContaining('has ports late, p1, p2 now'),
    });
    expect(source.inGuest(vm1)).toHaveLength(3);
    expect(tracker.operations()).toEqual([]);
    await source.plugs().detach({ instance: vm1, port: port('late') }, place, { network });
    await source.plugs().detach({ instance: vm1, port: port('p2') }, place, { network });
    await expect(from.liveMigration.unplug(answer, guest)).rejects.toMatchObject({
      code: 'PORT_CHANGED',
      message: expect.stringContaining('has ports p1 now'),
    });
    expect(source.inGuest(vm1)).toHaveLength(1);
  });

  test('is refused before anything is touched', async () => {
    const offer = await offered();
    const answer = await prepared();
    await expect(to.liveMigration.check({ ...offer, version: 0 })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('not supported for instance with vDPA ports'),
    });
    await expect(from.liveMigration.unplug({ ...answer, version: 0 }, guest)).rejects.toMatchObject(
      { code: 'NOT_SUPPORTED' },
    );
    await expect(to.liveMigration.prepare({ ...offer, port: 1 } as never)).rejects.toThrow('port');
    await expect(from.liveMigration.unplug({} as never, guest)).rejects.toThrow(TypeError);
    await expect(from.liveMigration.offer(vm1, guest, '' as never)).rejects.toThrow(TypeError);
    // Where it runs it cannot come to.
    await expect(from.liveMigration.prepare(offer)).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('c1'),
    });
    const another = { ...offer, migration: 'migration-2' as MigrationId };
    await expect(to.liveMigration.prepare(another)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    await expect(from.liveMigration.completeAtSource(vm1)).resolves.toBeUndefined();
    expect(source.tracker.claims()).toHaveLength(1);
    await to.liveMigration.abort(vm1);
    assertStayed();
  });

  test('finds no room for the second port, and takes neither', async () => {
    const another = instance('vm2');
    await destination.tracker.claim({ instance: another, requests: [vdpaRequest(2)] });
    const offer = await offered();
    expect(await to.liveMigration.check(offer)).toBe(false);
    await expect(to.liveMigration.prepare(offer)).rejects.toMatchObject({
      code: 'CLAIM_UNSATISFIABLE',
    });
    expect(destination.tracker.operations()).toEqual([]);
    expect(destination.tracker.claims(vm1)).toEqual([]);
  });

  test('that the guest refuses leaves it what it had', async () => {
    const answer = await prepared();
    source.guests.failing = (line) =>
      line === `detach ${devices[0]}` ? new VdpaError('GUEST_KEEPS_DEVICE', 'no') : null;
    await expect(from.liveMigration.unplug(answer, guest)).rejects.toMatchObject({
      code: 'GUEST_KEEPS_DEVICE',
      outcome: 'undone',
    });
    source.guests.failing = () => null;
    await to.liveMigration.abort(vm1);
    assertStayed();
  });

  test('that is cancelled gives the guest back what it had, on either side in any order', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    await to.liveMigration.abort(vm1);
    await from.liveMigration.abort(vm1);
    await from.liveMigration.abort(vm1);
    await to.liveMigration.abort(vm1);
    assertStayed();
  });

  test('whose plug fails at the destination may be completed again, or aborted there', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    move();
    const second = destination.tracker.claims(vm1)[0]?.devices[1]?.deviceId;
    destination.guests.failing = (line) =>
      line === `attach ${second}` ? new VdpaError('GUEST_SLOT_MISSING', 'no port') : null;
    await expect(to.liveMigration.completeAtDestination(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
      message: expect.stringContaining(migration),
    });
    expect(destination.inGuest(vm1)).toEqual([]);
    expect(destination.tracker.operationOf(vm1)).toMatchObject({ step: 'prepared' });
    destination.guests.failing = () => null;
    await to.liveMigration.completeAtDestination(vm1, guest);
    await from.liveMigration.completeAtSource(vm1);
    assertMoved();
  });

  test('of which something stays in the guest is completed by another call', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    move();
    const [first, second] = destination.tracker.claims(vm1)[0]?.devices ?? [];
    destination.guests.failing = (line) =>
      [`attach ${second?.deviceId}`, `detach ${first?.deviceId}`].includes(line)
        ? new VdpaError('GUEST_REFUSED', line)
        : null;
    await expect(to.liveMigration.completeAtDestination(vm1, guest)).rejects.toMatchObject({
      outcome: 'partial',
    });
    expect(destination.tracker.operationOf(vm1)).toMatchObject({ step: 'plug' });
    destination.guests.failing = () => null;
    await to.liveMigration.completeAtDestination(vm1, guest);
    await from.liveMigration.completeAtSource(vm1);
    assertMoved();
  });

  test('whose destination lost its guest is aborted, and the source has it', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    await expect(to.liveMigration.completeAtDestination(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_NOT_FOUND',
    });
    await to.liveMigration.abort(vm1);
    await from.liveMigration.abort(vm1);
    assertStayed();
  });

  test('whose claim was released by force says so until it is aborted', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    await expect(destination.tracker.release({ instance: vm1 })).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    await destination.tracker.release({ instance: vm1, force: true });
    destination.guests.guests.set(vm1, new Map());
    for (const _ of [1, 2]) {
      await expect(to.liveMigration.completeAtDestination(vm1, guest)).rejects.toMatchObject({
        code: 'CLAIM_NOT_FOUND',
      });
    }
    await to.liveMigration.abort(vm1);
    expect(destination.tracker.operations()).toEqual([]);
  });

  test('beside a suspended instance is refused, and the other way round', async () => {
    const answer = await prepared();
    await from.suspend(vm1, guest);
    await expect(from.liveMigration.unplug(answer, guest)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    await expect(from.liveMigration.abort(vm1)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    await from.resume(vm1, guest);
    await from.liveMigration.unplug(answer, guest);
    await expect(from.suspend(vm1, guest)).rejects.toMatchObject({ code: 'OPERATION_UNDER_WAY' });
  });
});

describe('what is offered', () => {
  test('is what the guest had, also once it is unplugged', async () => {
    const offer = await offered();
    await from.liveMigration.unplug(await prepared(), guest);
    expect(await offered()).toEqual(offer);
    const another = 'migration-2' as MigrationId;
    await expect(from.liveMigration.offer(vm1, guest, another)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
  });

  test('is nothing for a port that was detached', async () => {
    const place = { driver: source.guests, guest: vm1, reference: guest };
    await source.plugs().detach({ instance: vm1, port: port('p1') }, place, {});
    const { requests, interfaces } = await offered();
    expect(requests).toMatchObject([{ requestId: 'r2', count: 1 }]);
    expect(interfaces).toMatchObject([{ requestId: 'r2' }]);
  });
});

describe('a source', () => {
  test('whose guest has ended is stopped, and starts with what it had', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    source.guests.guests.delete(vm1);
    await expect(from.liveMigration.abort(vm1)).rejects.toMatchObject({ code: 'GUEST_NOT_FOUND' });
    await to.liveMigration.abort(vm1);
    expect(source.tracker.operationOf(vm1)).toMatchObject({ kind: 'stop', step: 'unplugged' });
    source.guests.guests.set(vm1, new Map());
    await from.start(vm1, guest);
    assertStayed();
  });

  test('takes a claim that still names its guest out of the network first', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    const { tracker } = source;
    await tracker.setGuest({ claim: claimId('c1') }, guest);
    move();
    await to.liveMigration.completeAtDestination(vm1, guest);
    await from.liveMigration.completeAtSource(vm1);
    assertMoved();
  });
});

describe('an agent that is killed in a live migration', () => {
  const resumed = async (host: AgentHost) => {
    const all = await host.started().resumeOperations();
    for (const { error } of all) expect(error).toBeNull();
    return all.map(({ state }) => state);
  };

  test.each([false, true])('preparing leaves all or nothing (call made: %s)', async (made) => {
    await atEachCall(
      async (call) => {
        const offer = await offered();
        return await killedIn(destination, (it) => it.liveMigration.prepare(offer), call, made);
      },
      async () => {
        const states = await resumed(destination);
        expect(['undone', 'kept', undefined]).toContain(states[0]);
        const claims = destination.tracker.claims(vm1).length;
        expect(claims).toBe(destination.tracker.operationOf(vm1) === null ? 0 : 1);
        await destination.started().liveMigration.abort(vm1);
        assertStayed();
      },
    );
  });

  test.each([false, true])('unplugging leaves all or nothing (call made: %s)', async (made) => {
    await atEachCall(
      async (call) => {
        const answer = await prepared();
        return await killedIn(source, (it) => it.liveMigration.unplug(answer, guest), call, made);
      },
      async () => {
        await resumed(source);
        const unplugged = source.tracker.operationOf(vm1) !== null;
        expect(source.inGuest(vm1)).toHaveLength(unplugged ? 0 : 2);
        await destination.started().liveMigration.abort(vm1);
        await source.started().liveMigration.abort(vm1);
        assertStayed();
      },
    );
  });

  test.each([false, true])('aborting ends aborted (call made: %s)', async (made) => {
    for (const host of [() => source, () => destination]) {
      await atEachCall(
        async (call) => {
          await from.liveMigration.unplug(await prepared(), guest);
          return await killedIn(host(), (it) => it.liveMigration.abort(vm1), call, made);
        },
        async () => {
          await resumed(host());
          await source.started().liveMigration.abort(vm1);
          await destination.started().liveMigration.abort(vm1);
          assertStayed();
        },
      );
    }
  });

  test.each([false, true])('completing ends completed (call made: %s)', async (made) => {
    // Here and back again, and so on.
    const back = async () => {
      [source, destination] = [destination, source];
      [from, to] = [source.started(), destination.started()];
      devices = source.tracker
        .claims(vm1)
        .flatMap((claim) => claim.devices.map(({ deviceId }) => deviceId));
    };
    await atEachCall(
      async (call) => {
        await from.liveMigration.unplug(await prepared(), guest);
        move();
        return await killedIn(
          destination,
          (it) => it.liveMigration.completeAtDestination(vm1, guest),
          call,
          made,
        );
      },
      async () => {
        await resumed(destination);
        await destination.started().liveMigration.completeAtDestination(vm1, guest);
        await killedIn(source, (it) => it.liveMigration.completeAtSource(vm1), 1, made);
        await resumed(source);
        await source.started().liveMigration.completeAtSource(vm1);
        expect(destination.inGuest(vm1)).toHaveLength(2);
        expect(destination.tracker.claims(vm1)).toMatchObject([
          { status: 'allocated', migration: null, guest },
        ]);
        expect(source.tracker.claims()).toEqual([]);
        expect(source.tracker.operations()).toEqual([]);
        await back();
      },
    );
  });

  test('at the destination with the guest gone waits for what its agent says', async () => {
    await from.liveMigration.unplug(await prepared(), guest);
    move();
    const at = (it: InstanceOperations) => it.liveMigration.completeAtDestination(vm1, guest);
    expect(await killedIn(destination, at, 4, true)).toBe('killed');
    destination.guests.guests.delete(vm1);
    expect(await resumed(destination)).toEqual(['undone']);
    expect(destination.tracker.operationOf(vm1)).toMatchObject({ step: 'prepared' });
    destination.guests.guests.set(vm1, new Map());
    await destination.started().liveMigration.completeAtDestination(vm1, guest);
    await from.liveMigration.completeAtSource(vm1);
    assertMoved();
  });

  test('an answer for an operation of another version is kept for it', async () => {
    const operation = { instance: vm1, kind: 'teleport', step: 'beam', detail: {} };
    await source.tracker.setOperation(vm1, null, operation);
    expect(await from.resumeOperations()).toMatchObject([
      { kind: 'teleport', state: 'unknown', error: { code: 'NOT_SUPPORTED' } },
    ]);
    expect(source.tracker.operationOf(vm1)).toEqual(operation);
  });

  test('a damaged entry is told of', async () => {
    await source.tracker.setOperation(vm1, null, {
      instance: vm1,
      kind: 'live-migration-source',
      step: 'unplugged',
      detail: { guest },
    });
    expect(await from.resumeOperations()).toMatchObject([
      { state: 'unknown', error: { code: 'STORE_CORRUPT' } },
    ]);
  });
});
