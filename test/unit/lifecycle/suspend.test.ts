import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import type { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { exampleOf } from '../../support/example-of.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { trackerOf } from '../tracker/support/hosts.js';
import { AgentHost, atEachCall, killedIn } from './support/agent-host.js';
import type { Log, MadeUpGuests, RecordingNetwork } from './support/made-up-guests.js';

const vm1 = instance('vm1');
const guest = 'made-up:vm1';
const port = (name: string): PortId => name as PortId;

let host: AgentHost;
let log: Log;
let guests: MadeUpGuests;
let network: RecordingNetwork;
let tracker: Tracker;
let operations: InstanceOperations;
let devices: DeviceId[];

const started = () => host.started();
const inGuest = () => host.inGuest(vm1);
const shown = () => tracker.claims(vm1).map(({ id, status, guest: at }) => ({ id, status, at }));

/** Of its first interface, as a hypervisor shows it then: it has some of it still. */
function lateLetGo(): void {
  const [name, one] = [...(guests.guests.get(vm1) ?? [])][0] ?? expect.fail();
  const unknown = { mac: null, queuePairs: null, mtu: null } as const;
  guests.guests.get(vm1)?.set(name, { ...one, ...unknown, state: 'partial' });
}

beforeEach(async () => {
  tracker = await trackerOf(card('06', 4));
  host = new AgentHost(tracker);
  ({ log, guests, network } = host);
  guests.guests.set(vm1, new Map());
  const requests = (...names: readonly string[]) =>
    names.map((name) => vdpaRequest(1, { portId: port(name) }));
  await tracker.claim({ id: claimId('c1'), instance: vm1, requests: requests('a', 'b') });
  await tracker.claim({ id: claimId('c2'), instance: vm1, requests: requests('c') });
  devices = tracker.claims(vm1).flatMap((claim) => claim.devices.map(({ deviceId }) => deviceId));
  const place = { driver: guests, guest: vm1, reference: guest };
  for (const [claim, queuePairs, mtu] of [
    ['c1', 2, 1400],
    ['c2', 1, null],
  ] as const) {
    await host.plugs().attach({ claim: claimId(claim) }, place, { network, queuePairs, mtu });
  }
  log.length = 0;
  operations = started();
});

describe('a suspended instance', () => {
  test('has no interface, keeps its devices, and gets back what it had as it had it', async () => {
    const before = inGuest();
    const plugged = [...network.plugged.keys()];
    const steps: string[] = [];
    const taken = await operations.suspend(vm1, guest, { onStep: (what) => steps.push(what) });
    expect(taken.map(({ device }) => device)).toEqual(devices);
    expect(log).toEqual(
      devices
        .toReversed()
        .flatMap((device, index) => [`detach ${device}`, `unplug ${['c', 'b', 'a'][index]}`]),
    );
    expect(steps[0]).toBe(`take ${devices[2]} out of ${guest}`);
    expect(inGuest()).toEqual([]);
    expect(shown()).toEqual([
      { id: 'c1', status: 'allocated', at: null },
      { id: 'c2', status: 'allocated', at: null },
    ]);
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'suspend', step: 'unplugged' });
    // Nobody's claims are cleaned up meanwhile.
    expect(await tracker.reconcile({ instances: [] })).toEqual([]);
    log.length = 0;
    expect(await operations.suspend(vm1, guest)).toEqual(taken);
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'kept', error: null }]);
    expect(log).toEqual([]);

    expect(await operations.resume(vm1, guest)).toEqual(taken);
    expect(inGuest()).toEqual(before);
    expect([...network.plugged.keys()]).toEqual(plugged);
    expect(shown().map(({ at }) => at)).toEqual([guest, guest]);
    expect(tracker.operationOf(vm1)).toBeNull();
    expect(await operations.resume(vm1, guest)).toEqual(taken);
    expect(inGuest()).toEqual(before);
  });

  test('that keeps a device gets back what it let go of', async () => {
    const before = inGuest();
    guests.failing = (line) =>
      line === `detach ${devices[0]}` ? new VdpaError('GUEST_KEEPS_DEVICE', 'no') : null;
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_KEEPS_DEVICE',
      outcome: 'undone',
      leftovers: [],
    });
    expect(inGuest()).toEqual(expect.arrayContaining(before));
    expect(tracker.operationOf(vm1)).toBeNull();
  });

  test('that cannot be set right says so, and the next start does it', async () => {
    guests.failing = (line) =>
      line === `detach ${devices[0]}` || line === `attach ${devices[1]}`
        ? new VdpaError('GUEST_REFUSED', line)
        : null;
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_REFUSED',
      outcome: 'partial',
      message: expect.stringContaining('then it could not be undone'),
    });
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    expect(await operations.resumeOperations()).toMatchObject([
      {
        instance: vm1,
        kind: 'suspend',
        step: 'unplug',
        state: 'unknown',
        error: { code: 'GUEST_REFUSED' },
      },
    ]);
    guests.failing = () => null;
    expect(await started().resumeOperations()).toMatchObject([{ state: 'undone', error: null }]);
    expect(inGuest()).toHaveLength(3);
    expect(tracker.operations()).toEqual([]);
  });

  test('whose guest lets go after that has failed gets it again by a start', async () => {
    const before = inGuest();
    guests.failing = (line) =>
      line.startsWith('detach') ? new VdpaError('GUEST_TIMEOUT', 'it does not answer') : null;
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
      outcome: 'undone',
    });
    guests.failing = () => null;
    lateLetGo();
    await operations.start(vm1, guest);
    expect(inGuest()).toEqual(before);
    expect(tracker.operations()).toEqual([]);
    // Nor does a suspend forget what it was told.
    lateLetGo();
    await operations.suspend(vm1, guest);
    await operations.resume(vm1, guest);
    expect(inGuest()).toEqual(before);
  });

  test('that cannot get again what it let go of runs on in no operation', async () => {
    const before = inGuest();
    lateLetGo();
    guests.failing = (line) =>
      line.startsWith('attach') ? new VdpaError('DEVICE_BUSY', 'somebody has it') : null;
    await expect(operations.start(vm1, guest)).rejects.toMatchObject({ code: 'DEVICE_BUSY' });
    expect(tracker.operations()).toEqual([]);
    guests.failing = () => null;
    await operations.start(vm1, guest);
    expect(inGuest()).toHaveLength(before.length);
    expect(inGuest()).toEqual(expect.arrayContaining(before));
  });

  test('that cannot be given all stays suspended', async () => {
    await operations.suspend(vm1, guest);
    guests.failing = (line) =>
      line === `attach ${devices[2]}` ? new VdpaError('GUEST_SLOT_MISSING', 'no port') : null;
    await expect(operations.resume(vm1, guest)).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
    });
    expect(inGuest()).toEqual([]);
    expect(tracker.operationOf(vm1)).toMatchObject({ step: 'unplugged' });
    guests.failing = () => null;
    await operations.resume(vm1, guest);
    expect(inGuest()).toHaveLength(3);
  });

  test('gets back nothing that was given back meanwhile', async () => {
    await operations.suspend(vm1, guest);
    for (const selection of [{ claim: claimId('c1') }, { instance: vm1 }, { device: devices[0] }]) {
      await expect(tracker.release(selection as never)).rejects.toMatchObject({
        code: 'OPERATION_UNDER_WAY',
      });
    }
    await tracker.release({ claim: claimId('c1'), force: true });
    await operations.resume(vm1, guest);
    expect(inGuest().map(({ device }) => device)).toEqual([devices[2]]);
  });

  test('is refused nonsense, and a guest that nobody knows', async () => {
    await expect(operations.suspend(vm1, '')).rejects.toThrow(TypeError);
    await expect(operations.resume(vm1, guest, { wait: 1 } as never)).rejects.toThrow('wait');
    await expect(operations.suspend(vm1, 'unknown')).rejects.toMatchObject({
      code: 'GUEST_NOT_FOUND',
    });
    guests.guests.delete(vm1);
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({ code: 'GUEST_NOT_FOUND' });
    expect(tracker.operations()).toEqual([]);
  });
});

describe('when the end of it cannot be stored', () => {
  /** The next end of an operation, and none after it. */
  const endFails = (): void => {
    const { setOperation } = tracker;
    tracker.setOperation = async (instanceId, before, after) => {
      if (after !== null) return await setOperation.call(tracker, instanceId, before, after);
      tracker.setOperation = setOperation;
      throw new VdpaError('STORE_FAILED', 'no space');
    };
  };

  test('a resume has given all back, and is finished by the next call', async () => {
    const before = inGuest();
    await operations.suspend(vm1, guest);
    endFails();
    await expect(operations.resume(vm1, guest)).rejects.toThrow('no space');
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'suspend', step: 'plug' });
    await expect(operations.suspend(vm1, guest)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    await operations.resume(vm1, guest);
    expect(inGuest()).toHaveLength(before.length);
    expect(tracker.operations()).toEqual([]);
  });

  test('no snapshot is taken of a guest that has its interfaces again', async () => {
    endFails();
    await expect(operations.snapshot(vm1, guest, async () => 'x')).rejects.toThrow('no space');
    const take = () => expect.fail('taken');
    await expect(operations.snapshot(vm1, guest, take)).rejects.toMatchObject({
      code: 'OPERATION_UNDER_WAY',
    });
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'finished' }]);
    expect(await operations.snapshot(vm1, guest, async () => inGuest())).toEqual([]);
  });
});

test('a resume goes on when the network says that the port is plugged', async () => {
  await operations.suspend(vm1, guest);
  log.length = 0;
  const told: (() => void)[] = [];
  const plug = network.plug.bind(network);
  network.plug = async (...given) => {
    await plug(...given);
    await new Promise<void>((done) => told.push(done));
  };
  let isDone = false;
  const resumed = operations.resume(vm1, guest).then(() => {
    isDone = true;
  });
  for (const [at, name] of ['a', 'b', 'c'].entries()) {
    await expect.poll(() => told.length).toBe(at + 1);
    expect(log.at(-1)).toBe(`plug ${name}`);
    expect(inGuest()).toHaveLength(at);
    expect(isDone).toBe(false);
    told[at]?.();
  }
  await resumed;
  expect(inGuest()).toHaveLength(3);
});

describe('a snapshot', () => {
  test('is taken of a guest without interfaces, which gets them back', async () => {
    const before = inGuest();
    const uploaded: unknown[] = [];
    const given = {
      operations,
      instance: vm1,
      guest,
      save: async (which: string) => {
        expect(inGuest()).toEqual([]);
        return `image of ${which}`;
      },
      upload: async (image: unknown) => uploaded.push(image),
    };
    const example = await exampleOf('docs/operations.md#Snapshot', Object.keys(given));
    await example(given);
    expect(uploaded).toEqual([`image of ${guest}`]);
    expect(inGuest()).toEqual(before);
    expect(tracker.operations()).toEqual([]);
  });

  test('that fails gives them back all the same', async () => {
    const before = inGuest();
    const full = new Error('no space left');
    const failing = operations.snapshot(vm1, guest, async () => await Promise.reject(full));
    await expect(failing).rejects.toBe(full);
    expect(inGuest()).toEqual(before);
    expect(tracker.operations()).toEqual([]);
  });

  test('after which they do not come back is gone on with by the next start', async () => {
    const noPort = new VdpaError('GUEST_SLOT_MISSING', 'no port');
    const fail = (line: string) => (line === `attach ${devices[2]}` ? noPort : null);
    const failing = operations.snapshot(vm1, guest, async () => {
      guests.failing = fail;
      throw new Error('no space left');
    });
    await expect(failing).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
      message: expect.stringMatching(/^no space left; then it could not be undone: .*no port$/),
    });
    guests.failing = () => null;
    expect(await started().resumeOperations()).toMatchObject([
      { kind: 'snapshot', state: 'undone', error: null },
    ]);
    expect(inGuest()).toHaveLength(3);
    expect(tracker.operations()).toEqual([]);
  });

  test.each([false, true])(
    'killed anywhere leaves all in the guest (call made: %s)',
    async (after) => {
      const work = (it: InstanceOperations) => it.snapshot(vm1, guest, async () => {});
      await atEachCall(
        async (call) => await killedIn(host, work, call, after),
        async () => {
          for (const { error } of await started().resumeOperations()) expect(error).toBeNull();
          expect(inGuest()).toHaveLength(3);
          expect(tracker.operations()).toEqual([]);
        },
      );
    },
  );
});

describe('whoever attaches or detaches by hand', () => {
  test('just before a suspend has it out again', async () => {
    const place = { driver: guests, guest: vm1, reference: guest };
    const plugs = host.plugs();
    const { id } = await tracker.claim({
      id: claimId('c9'),
      instance: vm1,
      requests: [vdpaRequest(1)],
    });
    // It is on its way into the guest, which does not show it yet.
    const attached = plugs.attach({ claim: id }, place, {});
    const suspended = host.started(undefined, false, plugs).suspend(vm1, guest);
    await attached;
    const had = await suspended;
    expect(had).toHaveLength(4);
    expect(inGuest()).toEqual([]);
    await started().resume(vm1, guest);
    expect(inGuest()).toHaveLength(4);
  });

  test('is refused while the instance is in an operation', async () => {
    await started().suspend(vm1, guest);
    const place = { driver: guests, guest: vm1, reference: guest };
    const plugs = host.plugs();
    for (const call of [
      () => plugs.attach({ claim: claimId('c1') }, place, {}),
      () => plugs.attach({ claim: claimId('c1') }, place, { operation: 'stop' }),
      () => plugs.detach({ instance: vm1, port: port('a') }, place, {}),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'OPERATION_UNDER_WAY',
        message: expect.stringContaining('suspend'),
      });
    }
    expect(inGuest()).toEqual([]);
    await started().resume(vm1, guest);
    await plugs.detach({ instance: vm1, port: port('a') }, place, {});
    expect(inGuest()).toHaveLength(2);
  });
});

describe('a process that is killed', () => {
  /** @returns the agent that was started next, and whether the instance is suspended */
  const goneOn = async (states: RegExp) => {
    const next = started();
    for (const { state, error } of await next.resumeOperations()) {
      expect({ state, error }).toEqual({ state: expect.stringMatching(states), error: null });
    }
    const suspended = tracker.operationOf(vm1) !== null;
    expect(inGuest()).toHaveLength(suspended ? 0 : 3);
    return { next, suspended };
  };

  test.each([false, true])('in a suspend leaves all or nothing (call made: %s)', async (after) => {
    const before = inGuest();
    await atEachCall(
      async (call) => await killedIn(host, (it) => it.suspend(vm1, guest), call, after),
      async () => {
        const { next, suspended } = await goneOn(/undone|kept/);
        expect(network.plugged.size).toBe(suspended ? 0 : 3);
        await next.resume(vm1, guest);
        expect(inGuest()).toEqual(expect.arrayContaining(before));
        expect(shown().map(({ status, at }) => [status, at])).toEqual([
          ['allocated', guest],
          ['allocated', guest],
        ]);
      },
    );
  });

  test.each([false, true])('in a resume leaves all or nothing (call made: %s)', async (after) => {
    const before = inGuest();
    await atEachCall(
      async (call) => {
        await started().suspend(vm1, guest);
        return await killedIn(host, (it) => it.resume(vm1, guest), call, after);
      },
      async () => {
        const { next } = await goneOn(/finished|kept/);
        await next.resume(vm1, guest);
        expect(inGuest()).toEqual(expect.arrayContaining(before));
        expect(network.plugged.size).toBe(3);
      },
    );
  });

  test('while the guest is letting go waits for that, and gives it all back', async () => {
    // Killed before the first detach is answered: the guest still shows what it was asked for.
    let call = 0;
    while ((await killedIn(host, (it) => it.suspend(vm1, guest), call, false)) === 'killed') {
      if (tracker.operationOf(vm1)?.step === 'unplug') break;
      call++;
    }
    expect(inGuest()).toHaveLength(3);
    log.length = 0;
    expect(await started().resumeOperations()).toMatchObject([{ state: 'undone', error: null }]);
    const first = (what: string) => log.findIndex((line) => line.startsWith(what));
    expect(first('detach')).toBeGreaterThanOrEqual(0);
    expect(first('attach')).toBeGreaterThan(first('detach'));
    expect(inGuest()).toHaveLength(3);
  });

  test('with a guest that has ended meanwhile leaves it suspended', async () => {
    expect(await killedIn(host, (it) => it.suspend(vm1, guest), 6, true)).toBe('killed');
    guests.guests.delete(vm1);
    expect(await started().resumeOperations()).toMatchObject([{ state: 'undone', error: null }]);
    expect(tracker.operationOf(vm1)).toMatchObject({ step: 'unplugged' });
    guests.guests.set(vm1, new Map());
    await operations.resume(vm1, guest);
    expect(inGuest()).toHaveLength(3);
  });
});
