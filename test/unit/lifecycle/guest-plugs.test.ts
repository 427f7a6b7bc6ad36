import { beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { interfaceName } from '../../../src/guest/interface-name.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import type { AttachingHost, AttachOptions } from '../../../src/lifecycle/attach-claim.js';
import type { GuestPlace } from '../../../src/lifecycle/guest-place.js';
import { GuestPlugs } from '../../../src/lifecycle/guest-plugs.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { Claim } from '../../../src/tracker/claim.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { trackerOf } from '../tracker/support/hosts.js';
import { attachingHost } from './support/attaching-host.js';
import { type Log, MadeUpGuests, RecordingNetwork } from './support/made-up-guests.js';

const vm1 = instance('vm1');
const port = (name: string): PortId => name as PortId;
const macOf = (number: number): string => `02:00:00:00:00:0${number}`;

let log: Log;
let guests: MadeUpGuests;
let network: RecordingNetwork;
let tracker: Tracker;
/** MACs of the devices by name; those that are not here have none. */
let macs: Map<string, string>;
let refusesMacs: boolean;
let plugs: GuestPlugs;
let claim: Claim;
let first: DeviceId;
let second: DeviceId;

function place(reference = 'made-up:vm1', guest = vm1): GuestPlace {
  return { driver: guests, guest, reference };
}

function host(): AttachingHost {
  return {
    ...attachingHost(tracker),
    deviceConfig: async (name) =>
      ({ net: { mac: macs.get(name) ?? '00:00:00:00:00:00' } }) as never,
    setMac: async (name, mac) => {
      if (refusesMacs) throw new VdpaError('NOT_SUPPORTED', 'no such command');
      log.push(`set ${mac}`);
      macs.set(name, mac);
    },
  };
}

const attach = (options: AttachOptions = {}) =>
  plugs.attach({ claim: claim.id }, place(), { network, ...options });
const detach = (options = {}) =>
  plugs.detach({ claim: claim.id }, place(), { network, ...options });
const ofClaim = () => tracker.claims().find(({ id }) => id === claim.id);
const inGuest = () => [...(guests.guests.get(vm1)?.values() ?? [])].map(({ deviceId }) => deviceId);

beforeEach(async () => {
  log = [];
  guests = new MadeUpGuests(log, vm1);
  network = new RecordingNetwork(log);
  tracker = await trackerOf(card('06', 4));
  macs = new Map();
  refusesMacs = false;
  plugs = new GuestPlugs(host());
  claim = await tracker.claim({
    id: claimId('c1'),
    instance: vm1,
    requests: [1, 2].map((number) =>
      vdpaRequest(1, { portId: port(`port${number}`), mac: macOf(number) }),
    ),
  });
  [first, second] = claim.devices.map(({ deviceId }) => deviceId) as [DeviceId, DeviceId];
});

describe('an attach', () => {
  test('goes from the device over the network to the guest and the record', async () => {
    const attached = await attach();
    expect(log).toEqual([
      `set ${macOf(1)}`,
      'plug port1',
      `attach ${first}`,
      `set ${macOf(2)}`,
      'plug port2',
      `attach ${second}`,
    ]);
    expect(attached.interfaces.map(({ deviceId, mac }) => [deviceId, mac])).toEqual([
      [first, macOf(1)],
      [second, macOf(2)],
    ]);
    expect(attached.claim).toMatchObject({ status: 'allocated', guest: 'made-up:vm1' });
    expect(ofClaim()).toEqual(attached.claim);
  });

  test('is repeated without another call for what is there', async () => {
    await attach();
    log.length = 0;
    expect((await attach()).interfaces).toHaveLength(2);
    expect(log).toEqual([]);
  });

  // Every call may fail after it did its work: what is left then is what the guest and network show.
  test.each([`set ${macOf(1)}`, 'plug port1', 'attach 1', 'plug port2', 'attach 2'])(
    'that fails at %s leaves nothing, and the claim is as it was',
    async (line) => {
      const wanted = line
        .replace('attach 1', `attach ${first}`)
        .replace('attach 2', `attach ${second}`);
      macs.set(`at ${first}`, macOf(7));
      const failing = (done: string) =>
        done === wanted ? new VdpaError('GUEST_REFUSED', 'no', { outcome: 'unknown' }) : null;
      guests.failing = failing;
      network.failing = failing;
      if (line.startsWith('set')) refusesMacs = true;
      await expect(attach()).rejects.toMatchObject({
        code: line.startsWith('set') ? 'MAC_MISMATCH' : 'GUEST_REFUSED',
        leftovers: [],
      });
      expect(inGuest()).toEqual([]);
      expect([...network.plugged]).toEqual([]);
      expect(macs.get(`at ${first}`)).toBe(macOf(7));
      expect(ofClaim()).toEqual(claim);
    },
  );

  test('that cannot be undone says what is left, and the claim stays with the guest', async () => {
    guests.failing = (line) =>
      line === `attach ${second}` || line === `detach ${first}`
        ? new VdpaError('GUEST_TIMEOUT', 'no answer')
        : null;
    await expect(attach({ onFailure: 'release' })).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
      outcome: 'partial',
      leftovers: expect.arrayContaining([
        `interface ${interfaceName(claim.id, first)} of made-up:vm1`,
        'port port1 plugged into the network',
      ]),
    });
    expect(ofClaim()).toMatchObject({ status: 'claimed', guest: 'made-up:vm1' });
    await expect(tracker.release({ claim: claim.id })).rejects.toMatchObject({
      code: 'CLAIM_IN_GUEST',
    });
  });

  test('whose driver leaves something in the guest leaves the claim with it', async () => {
    guests.failing = (line) =>
      line === `attach ${second}`
        ? new VdpaError('GUEST_UNREACHABLE', 'gone', { leftovers: ['open in QEMU'] })
        : null;
    await expect(attach({ onFailure: 'release' })).rejects.toMatchObject({
      outcome: 'partial',
      leftovers: ['open in QEMU'],
    });
    expect(inGuest()).toEqual([]);
    expect(ofClaim()).toMatchObject({ status: 'claimed', guest: 'made-up:vm1' });
  });

  test('that fails may give the claim back', async () => {
    guests.versionsOf = { qemu: '4.2', libvirt: null };
    await expect(attach({ onFailure: 'release' })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('5.1'),
    });
    expect(ofClaim()).toBeUndefined();
  });

  test('of one device that fails gives that back, and what the guest has of the claim stays', async () => {
    const attachOne = async (device: DeviceId, options: AttachOptions = {}) =>
      await plugs.attach({ claim: claim.id, devices: [device] }, place(), { network, ...options });
    await attachOne(first);
    guests.failing = (line) =>
      line === `attach ${second}` ? new VdpaError('GUEST_SLOT_MISSING', 'no port') : null;
    await expect(attachOne(second, { onFailure: 'release' })).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
    });
    expect(inGuest()).toEqual([first]);
    expect(ofClaim()).toMatchObject({
      status: 'allocated',
      guest: 'made-up:vm1',
      devices: [{ deviceId: first }],
    });
    expect(tracker.record(second)?.status).toBe('available');
  });

  test('that fails gives back nothing that the guest had before', async () => {
    const attachAll = async (options: AttachOptions) => await attach({ ...options });
    await plugs.attach({ claim: claim.id, devices: [first] }, place(), { network });
    guests.failing = (line) =>
      line === `attach ${second}` ? new VdpaError('GUEST_SLOT_MISSING', 'no port') : null;
    await expect(attachAll({ onFailure: 'release' })).rejects.toMatchObject({
      code: 'GUEST_SLOT_MISSING',
    });
    expect(inGuest()).toEqual([first]);
    expect(ofClaim()).toMatchObject({ devices: [{ deviceId: first }], guest: 'made-up:vm1' });
    // Before anybody knows what it has, all of it may be there.
    guests.failing = () => null;
    guests.versionsOf = { qemu: '4.2', libvirt: null };
    await expect(attachAll({ onFailure: 'release' })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
    });
    expect(ofClaim()).toMatchObject({ devices: [{ deviceId: first }], guest: 'made-up:vm1' });
  });

  test('of a port finds the claim that has a device for it, not one that has given it back', async () => {
    await attach();
    const ofPort = { instance: vm1, port: port('port1') };
    await plugs.detach(ofPort, place(), { network });
    const { id } = await tracker.claim({
      id: claimId('c2'),
      instance: vm1,
      requests: [vdpaRequest(1, { portId: port('port1') })],
    });
    expect((await plugs.attach(ofPort, place(), { network })).claim.id).toBe(id);
    await plugs.detach(ofPort, place(), { network });
    expect(tracker.claimOf(id)).toBeNull();
    await expect(plugs.detach(ofPort, place(), { network })).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
    });
  });

  test('that is aborted rejects with the reason once all is undone', async () => {
    const ending = new AbortController();
    network.failing = (line) => {
      if (line === 'plug port2') ending.abort(new Error('enough'));
      return null;
    };
    await expect(attach({ signal: ending.signal })).rejects.toThrow('enough');
    expect(inGuest()).toEqual([]);
    expect(ofClaim()).toEqual(claim);
  });

  test('gives a device without a MAC the port’s in the guest where the kernel cannot set it', async () => {
    refusesMacs = true;
    expect((await attach()).interfaces.map(({ mac }) => mac)).toEqual([macOf(1), macOf(2)]);
  });

  test('for a port without a MAC gives the guest the device’s own, where it has one', async () => {
    const own = await tracker.claim({
      id: claimId('c2'),
      instance: vm1,
      requests: [vdpaRequest(2, {})],
    });
    macs.set(`at ${own.devices[0]?.deviceId}`, macOf(8));
    const { interfaces } = await plugs.attach({ claim: own.id }, place(), {});
    expect(interfaces.map(({ mac }) => mac)).toEqual([macOf(8), null]);
    expect(log.filter((line) => line.startsWith('set'))).toEqual([]);
  });

  test('of a claim that another guest has is refused', async () => {
    await attach();
    const vm2 = instance('vm2');
    guests.guests.set(vm2, new Map());
    await expect(
      plugs.attach({ claim: claim.id }, place('made-up:vm2', vm2), {}),
    ).rejects.toMatchObject({ code: 'CLAIM_IN_GUEST' });
    expect(guests.guests.get(vm2)?.size).toBe(0);
  });

  test('of one port gives that alone, which a restart leaves in the guest', async () => {
    const only = (name: string) =>
      plugs.attach({ instance: vm1, port: port(name) }, place(), { network });
    expect((await only('port2')).claim).toMatchObject({
      status: 'allocated',
      guest: 'made-up:vm1',
    });
    expect(inGuest()).toEqual([second]);
    await plugs.recover({ place: () => place() });
    expect(inGuest()).toEqual([second]);
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: 'made-up:vm1' });
    await only('port1');
    expect(inGuest()).toHaveLength(2);
    await expect(only('port3')).rejects.toMatchObject({ code: 'CLAIM_NOT_FOUND' });
  });

  test('with nonsense is refused before anybody is asked', async () => {
    const nonsense: [Parameters<GuestPlugs['attach']>, string][] = [
      [[{} as never, place(), {}], 'attach: instance: is no name of 1 to 1100 characters'],
      [
        [{ claim: claim.id }, {} as never, {}],
        'attach: driver: has not the methods attach, detach, interfaces, versions',
      ],
      [
        [{ claim: claim.id }, place(), { queuePair: 2 } as never],
        'attach: queuePair: is no key of it',
      ],
      [[{ claim: claim.id }, place(), { mtu: 20 }], 'attach: mtu: is no whole number from 68'],
    ];
    for (const [args, words] of nonsense) {
      await expect(plugs.attach(...args)).rejects.toThrow(new TypeError(words));
    }
    expect(log).toEqual([]);
  });
});

describe('a detach', () => {
  beforeEach(async () => {
    await attach();
    log.length = 0;
  });

  test('goes from the guest over the network to the record', async () => {
    await detach();
    expect(log).toEqual([`detach ${second}`, 'unplug port2', `detach ${first}`, 'unplug port1']);
    expect(ofClaim()).toBeUndefined();
    expect(tracker.record(first)?.status).toBe('available');
  });

  test('may leave the record, as for a guest that is suspended', async () => {
    await detach({ release: false });
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: null });
    expect((await attach()).claim.guest).toBe('made-up:vm1');
  });

  test('that the guest refuses leaves the claim, says what is in the guest, and goes on when repeated', async () => {
    guests.failing = (line) =>
      line === `detach ${first}` ? new VdpaError('GUEST_KEEPS_DEVICE', 'it said no') : null;
    await expect(detach()).rejects.toMatchObject({
      code: 'GUEST_KEEPS_DEVICE',
      outcome: 'partial',
      message: 'claim c1 stays: it said no',
      leftovers: [first],
    });
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: 'made-up:vm1' });
    guests.failing = () => null;
    await detach();
    expect(ofClaim()).toBeUndefined();
  });

  test('of a guest that has ended gives the claim back', async () => {
    guests.guests.delete(vm1);
    await detach();
    expect(ofClaim()).toBeUndefined();
    expect([...network.plugged]).toEqual([]);
  });

  test('of one port leaves the others in the guest and the claim', async () => {
    await plugs.detach({ instance: vm1, port: port('port1') }, place(), { network });
    expect(inGuest()).toEqual([second]);
    expect(ofClaim()).toMatchObject({ guest: 'made-up:vm1', devices: [{ deviceId: second }] });
    expect(tracker.record(first)?.status).toBe('available');
  });
});

describe('what a killed process left', () => {
  const recover = () => plugs.recover({ place: () => place(), network });

  test('is let be where nothing was begun', async () => {
    expect(await recover()).toEqual([]);
    await attach();
    expect(await recover()).toMatchObject([{ claim: 'c1', state: 'in-guest' }]);
  });

  test('is finished when all of it is in the guest', async () => {
    await attach();
    // As before the last step.
    await tracker.setGuest({ claim: claim.id }, null);
    await tracker.release({ claim: claim.id });
    const { id, instance: own, requests, devices } = claim;
    claim = await tracker.claim({
      id,
      instance: own,
      requests: requests.map((one, index) => ({
        ...one,
        deviceIds: devices.slice(index, index + 1).map(({ deviceId }) => deviceId),
      })),
    });
    await tracker.setGuest({ claim: claim.id }, 'made-up:vm1');
    expect(await recover()).toMatchObject([{ state: 'finished', error: null }]);
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: 'made-up:vm1' });
  });

  test('is undone when only some of it is', async () => {
    await tracker.setGuest({ claim: claim.id }, 'made-up:vm1');
    await network.plug(port('port1'), {} as never);
    await guests.attach(vm1, {
      name: interfaceName(claim.id, first),
      deviceId: first,
      charDevice: { path: '/dev/vhost-vdpa-0', major: 1, minor: 1 },
      mac: macOf(1),
      queuePairs: 1,
      mtu: null,
    });
    expect(await recover()).toMatchObject([{ state: 'undone' }]);
    expect(inGuest()).toEqual([]);
    expect([...network.plugged]).toEqual([]);
    expect(ofClaim()).toEqual(claim);
  });

  test('of a guest that has ended is out of it', async () => {
    await attach();
    guests.guests.delete(vm1);
    expect(await recover()).toMatchObject([{ state: 'left' }]);
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: null });
  });

  test('stays where nobody can tell', async () => {
    await attach();
    guests.interfaces = () => Promise.reject(new VdpaError('GUEST_UNREACHABLE', 'no answer'));
    expect(await recover()).toMatchObject([
      { state: 'unknown', error: { code: 'GUEST_UNREACHABLE' } },
    ]);
    expect(await plugs.recover({ place: () => null })).toMatchObject([
      { state: 'unknown', error: null },
    ]);
    expect(ofClaim()).toMatchObject({ status: 'allocated', guest: 'made-up:vm1' });
  });
});

test('calls about one guest follow one another', async () => {
  let running = 0;
  const busy = guests.attach.bind(guests);
  guests.attach = async (...args) => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((done) => setImmediate(done));
    running -= 1;
    return await busy(...args);
  };
  await Promise.all([
    attach(),
    attach(),
    plugs.attach({ instance: vm1, port: port('port1') }, place(), {}),
  ]);
  expect(log.filter((line) => line.startsWith('attach'))).toHaveLength(2);
});
