import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { UnlistedGuests } from '../../../src/lifecycle/guest-drivers.js';
import type { GuestPlace } from '../../../src/lifecycle/guest-place.js';
import { GuestPlugs } from '../../../src/lifecycle/guest-plugs.js';
import { parseGuestReference, referenceText } from '../../../src/lifecycle/guest-reference.js';
import { HostGuests } from '../../../src/lifecycle/host-guests.js';
import { OwnerClient } from '../../../src/lifecycle/owner-client.js';
import { OwnerSocket } from '../../../src/lifecycle/owner-socket.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { deskOf } from '../../support/tracker-desk.mjs';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { trackerOf } from '../tracker/support/hosts.js';
import { attachingHost } from './support/attaching-host.js';
import { type Log, MadeUpGuests } from './support/made-up-guests.js';
import { Folder } from './support/owner.js';

const vm1 = instance('vm1');
const guest = 'libvirt:vm1';
const port = 'port2' as PortId;

let log: Log;
let made: MadeUpGuests;
let tracker: Tracker;
let configured: string[];
let unlisted: UnlistedGuests[];
let guests: HostGuests;

beforeEach(async () => {
  log = [];
  made = new MadeUpGuests(log, vm1);
  tracker = await trackerOf(card('06', 4));
  configured = [];
  unlisted = [];
  const plugs = new GuestPlugs(attachingHost(tracker));
  const place = (reference: string): GuestPlace => {
    const named = parseGuestReference(reference);
    if (named.kind !== 'libvirt') throw new TypeError('expected a domain');
    return { driver: made, guest: instance(named.domain), reference };
  };
  guests = new HostGuests(
    {
      tracker,
      attach: async (selection, at, options = {}) => await plugs.attach(selection, at, options),
      detach: async (selection, at, options = {}) => await plugs.detach(selection, at, options),
      recoverGuests: async (options) => await plugs.recover(options),
    },
    { place, configured: async () => ({ references: configured, failed: unlisted }) },
  );
  await tracker.claim({ id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] });
  await tracker.claim({
    id: claimId('c2'),
    instance: vm1,
    requests: [vdpaRequest(1, { portId: port })],
  });
});

test('an attach that fails takes out all that it has put in, and nothing that was there before', async () => {
  const requests = ['a', 'b'].map((each) => vdpaRequest(1, { portId: each as PortId }));
  const vm2 = instance('vm2');
  made.guests.set(vm2, new Map());
  // The card's last two; a third is to be had in no claim of this instance.
  await tracker.claim({ id: claimId('c3'), instance: vm2, requests });
  await guests.attach({ devicesOf: { instance: vm2, port: 'a' as PortId }, guest: 'libvirt:vm2' });
  const before = [...(made.guests.get(vm2)?.keys() ?? [])];
  expect(before).toHaveLength(1);
  await tracker.release({ claim: claimId('c1') });
  await tracker.claim({ id: claimId('c4'), instance: vm2, requests: [vdpaRequest()] });
  const last = tracker.claimOf(claimId('c4'))?.devices[0]?.deviceId;
  made.failing = (line) =>
    line === `attach ${last}` ? new VdpaError('GUEST_REFUSED', 'no root port') : null;
  const all = { devicesOf: { instance: vm2 }, guest: 'libvirt:vm2' };
  await expect(guests.attach(all)).rejects.toMatchObject({ code: 'GUEST_REFUSED' });
  expect([...(made.guests.get(vm2)?.keys() ?? [])]).toEqual(before);
});

const devices = () => tracker.claims(vm1).map((claim) => claim.devices[0]?.deviceId);
const inGuest = () => [...(made.guests.get(vm1)?.values() ?? [])].map(({ deviceId }) => deviceId);

describe('an instance', () => {
  test('gets all that was claimed for it, and gives it back newest first', async () => {
    const [first, second] = devices();
    const attached = await guests.attach({ devicesOf: { instance: vm1 }, guest });
    expect(attached.map(({ claim }) => claim)).toMatchObject([
      { id: 'c1', status: 'allocated', guest },
      { id: 'c2', status: 'allocated', guest },
    ]);
    expect(inGuest()).toEqual([first, second]);
    log.length = 0;
    expect(await guests.detach({ devicesOf: { instance: vm1 } })).toEqual([
      { claim: 'c2', guest, devices: [second] },
      { claim: 'c1', guest, devices: [first] },
    ]);
    expect(log).toEqual([`detach ${second}`, `detach ${first}`]);
    expect(tracker.claims()).toEqual([]);
  });

  test('keeps its claims where that is asked for, as often as it is', async () => {
    await guests.attach({ devicesOf: { instance: vm1 }, guest });
    const keep = { devicesOf: { instance: vm1 }, release: false };
    await guests.detach(keep);
    expect((await guests.detach(keep)).map((one) => one.guest)).toEqual([null, null]);
    expect(tracker.claims()).toMatchObject([
      { id: 'c1', guest: null },
      { id: 'c2', guest: null },
    ]);
    await guests.detach({ devicesOf: { instance: vm1 } });
    expect(tracker.claims()).toEqual([]);
  });

  test('gets what is for one port', async () => {
    const [, second] = devices();
    await guests.attach({ devicesOf: { instance: vm1, port }, guest });
    expect(inGuest()).toEqual([second]);
    await guests.detach({ devicesOf: { instance: vm1, port } });
    expect(tracker.claims()).toMatchObject([{ id: 'c1' }]);
  });

  test('gets nothing when one of its claims fails, but keeps what it had', async () => {
    const [first, second] = devices();
    made.failing = (line) =>
      line === `attach ${second}` ? new VdpaError('GUEST_REFUSED', 'no') : null;
    const call = { devicesOf: { instance: vm1 }, guest };
    await expect(guests.attach(call)).rejects.toMatchObject({
      code: 'GUEST_REFUSED',
      leftovers: [],
    });
    expect(inGuest()).toEqual([]);
    expect(tracker.claims()).toMatchObject([
      { id: 'c1', guest: null },
      { id: 'c2', guest: null },
    ]);
    await guests.attach({ devicesOf: { claim: claimId('c1') }, guest });
    await expect(guests.attach(call)).rejects.toMatchObject({ code: 'GUEST_REFUSED' });
    expect(inGuest()).toEqual([first]);
  });

  test('is told what is left when that cannot be undone', async () => {
    const [first, second] = devices();
    made.failing = (line) =>
      line === `attach ${second}` || line === `detach ${first}`
        ? new VdpaError('GUEST_TIMEOUT', 'no answer')
        : null;
    await expect(guests.attach({ devicesOf: { instance: vm1 }, guest })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
      outcome: 'partial',
      leftovers: [expect.stringMatching(/^claim c1 in libvirt:vm1: .*no answer/)],
    });
  });

  test.each([
    [{ instance: instance('vm9') }, 'instance vm9 has claimed no vDPA device'],
    [{ instance: vm1, port: 'p9' as PortId }, 'no vDPA device for port p9'],
    [{ claim: claimId('c9') }, 'there is no claim c9'],
  ])('that is not there: %j', async (devicesOf, message) => {
    for (const call of [guests.attach({ devicesOf, guest }), guests.detach({ devicesOf })]) {
      await expect(call).rejects.toMatchObject({
        code: 'CLAIM_NOT_FOUND',
        message: expect.stringContaining(message),
      });
    }
  });
});

describe('the guests', () => {
  test('are those that are configured and those that claims name', async () => {
    await guests.attach({ devicesOf: { claim: claimId('c1') }, guest });
    configured = ['libvirt:vm0', guest];
    made.guests.set(instance('vm0'), new Map());
    expect(await guests.guests()).toMatchObject([
      { guest: 'libvirt:vm0', claims: [], interfaces: [], error: null },
      { guest, claims: ['c1'], interfaces: [{ claimId: 'c1' }], error: null },
    ]);
  });

  test('that could not be listed are told as such, beside the others', async () => {
    await guests.attach({ devicesOf: { claim: claimId('c1') }, guest });
    const error = new VdpaError('GUEST_UNREACHABLE', 'no daemon');
    unlisted = [{ guests: 'libvirt:*', error }];
    expect(await guests.guests()).toMatchObject([
      { guest, claims: ['c1'], error: null },
      {
        guest: 'libvirt:*',
        claims: [],
        error: { code: 'GUEST_UNREACHABLE', message: 'no daemon' },
      },
    ]);
  });

  test('that cannot be asked, or that a program calls otherwise, are listed with the reason', async () => {
    await tracker.setGuest({ claim: claimId('c1') }, 'our own name');
    await guests.attach({ devicesOf: { claim: claimId('c2') }, guest });
    made.interfaces = () => Promise.reject(new VdpaError('GUEST_UNREACHABLE', 'no answer'));
    expect(await guests.guests()).toMatchObject([
      { guest, claims: ['c2'], error: { code: 'GUEST_UNREACHABLE' } },
      { guest: 'our own name', claims: ['c1'], error: { code: 'NOT_SUPPORTED' } },
    ]);
    await expect(guests.detach({ devicesOf: { claim: claimId('c1') } })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('claim c1 is in guest our own name'),
    });
    expect(await guests.recover({})).toMatchObject([
      { claim: 'c1', state: 'unknown', error: null },
      { claim: 'c2', state: 'unknown', error: { code: 'GUEST_UNREACHABLE' } },
    ]);
  });
});

describe('another process', () => {
  test('plugs over the socket, and hears of each step', async () => {
    using folder = new Folder();
    const path = `${folder.path}/store.sock`;
    await using _socket = await OwnerSocket.listen(path, deskOf(tracker), guests);
    await using client = await OwnerClient.connect(path);
    const steps: string[] = [];
    const onStep = (what: string): unknown => steps.push(what);
    const [attached] = await client.attach({
      devicesOf: { claim: claimId('c1') },
      guest,
      onStep,
    });
    expect(attached).toMatchObject({ claim: { id: 'c1', guest }, interfaces: [{ queuePairs: 1 }] });
    expect(steps).toContain(`give ${devices()[0]} to ${guest}`);
    expect(await client.guests()).toEqual(await guests.guests());
    steps.length = 0;
    expect(await client.detach({ devicesOf: { instance: vm1 }, onStep })).toHaveLength(2);
    expect(steps).toEqual([`take ${attached?.interfaces[0]?.deviceId} out of ${guest}`]);
  });

  test('ends an attach, which is undone before it is answered', async () => {
    using folder = new Folder();
    const path = `${folder.path}/store.sock`;
    await using _socket = await OwnerSocket.listen(path, deskOf(tracker), guests);
    await using client = await OwnerClient.connect(path);
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const { attach } = made;
    made.attach = async (...args) => {
      controller.abort(reason);
      // The owner hears of it while the guest is at it.
      await new Promise((done) => setTimeout(done, 50));
      return await attach.apply(made, args);
    };
    await expect(
      client.attach({ devicesOf: { instance: vm1 }, guest, signal: controller.signal }),
    ).rejects.toBe(reason);
    expect(inGuest()).toEqual([]);
    expect(tracker.claims()).toMatchObject([{ guest: null }, { guest: null }]);
  });

  test.each([
    [{ devicesOf: { instance: 'vm1' } }, 'guest: '],
    [{ devicesOf: { instance: 'vm1' }, guest: 'vm1' }, 'guest: expected a guest as qmp:PATH'],
    [{ devicesOf: {}, guest }, 'devicesOf'],
    [{ devicesOf: { instance: 'vm1' }, guest, queuePairs: 0 }, 'queuePairs'],
    [{ devicesOf: { instance: 'vm1' }, guest, mtu: 1 }, 'mtu'],
    [{ devicesOf: { instance: 'vm1' }, guest, colour: 'red' }, 'colour'],
  ])('is told what is wrong: %j', async (call, message) => {
    using folder = new Folder();
    const path = `${folder.path}/store.sock`;
    await using _socket = await OwnerSocket.listen(path, deskOf(tracker), guests);
    await using client = await OwnerClient.connect(path);
    await expect(client.attach(call as never)).rejects.toThrow(message);
  });

  test('asks in vain where nothing is plugged', async () => {
    using folder = new Folder();
    const path = `${folder.path}/store.sock`;
    await using _socket = await OwnerSocket.listen(path, deskOf(tracker));
    await using client = await OwnerClient.connect(path);
    await expect(client.guests()).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });
});

describe('a reference', () => {
  test.each([
    ['qmp:/run/guests/../vm1.qmp', 'qmp:/run/vm1.qmp'],
    ['libvirt:9d0e8a52-1b0c-4f3a-9a53-0c5f3f1f6a41', null],
    ['libvirt:a name with: anything', null],
  ])('is read: %s', (text, normal) => {
    expect(referenceText(parseGuestReference(text))).toBe(normal ?? text);
  });

  test.each(['', 'vm1', 'qmp:', 'qmp:vm1.qmp', 'qmp:/run/{guest}.qmp', 'qmp:/run/', 'xen:vm1'])(
    'is none: %s',
    (text) => {
      expect(() => parseGuestReference(text)).toThrow(/expected a guest as qmp:PATH/);
    },
  );
});
