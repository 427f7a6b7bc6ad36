import { beforeEach, describe, expect, test } from 'vitest';
import type { DeviceRequest, PortId } from '../../../src/policy/device-request.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';
import type { MigrationId } from '../../../src/tracker/claim.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { free, trackerOf } from '../tracker/support/hosts.js';
import { AgentHost } from './support/agent-host.js';

// What an instance has beside its vDPA devices, and where its NUMA nodes are.

const vm1 = instance('vm1');
const guest = 'made-up:vm1';
const migration = 'migration-1' as MigrationId;
const port = (id: string): Partial<DeviceRequest> => ({
  requestId: `for-${id}` as never,
  portId: id as PortId,
});
const requests = [
  vdpaRequest(1, port('vdpa')),
  vdpaRequest(1, { ...port('direct'), spec: [{ dev_type: 'type-VF' }] }),
];

/** A card of vDPA devices, and one of plain VFs. */
const hostWith = (vdpa: string, plain: string): ReportedDevice[] => [
  ...card(vdpa, 3),
  ...card(plain, 3, { type: 'type-VF' }),
];
const typesOf = (tracker: Tracker) =>
  tracker
    .claims(vm1)
    .flatMap(({ devices }) => devices)
    .map(({ deviceId }) => tracker.record(deviceId)?.device.type);

let source: AgentHost;
let destination: AgentHost;

beforeEach(async () => {
  source = new AgentHost(await trackerOf(hostWith('06', '07')));
  destination = new AgentHost(await trackerOf(hostWith('81', '82')));
});

async function booted() {
  const operations = source.started();
  const { ports } = await operations.boot(vm1, { claim: claimId('c1'), requests });
  expect(ports.map(({ port: id }) => id)).toEqual(['vdpa', 'direct']);
  source.guests.guests.set(vm1, new Map());
  await operations.completeBoot(vm1, guest);
  return operations;
}

describe('an instance that has a plain VF beside its vDPA device', () => {
  test('has both claimed and one of them plugged, whatever it goes through', async () => {
    const operations = await booted();
    expect(typesOf(source.tracker)).toEqual(['vdpa', 'type-VF']);
    const assertHas = (plugged: readonly string[]): void => {
      expect(source.inGuest(vm1)).toHaveLength(plugged.length);
      expect([...source.network.plugged.keys()]).toEqual(plugged);
      expect(source.tracker.claims()).toMatchObject([
        { status: 'allocated', devices: [expect.anything(), expect.anything()] },
      ]);
    };
    assertHas(['vdpa']);
    await operations.suspend(vm1, guest);
    assertHas([]);
    await operations.resume(vm1, guest);
    assertHas(['vdpa']);
    await operations.snapshot(vm1, guest, async () => assertHas([]));
    assertHas(['vdpa']);
    await operations.stop(vm1, guest);
    assertHas([]);
    await operations.start(vm1, guest);
    assertHas(['vdpa']);
    await operations.delete(vm1);
    expect(source.tracker.claims()).toEqual([]);
  });

  test('has both at the destination, and none left at the source, after a live migration', async () => {
    const from = await booted();
    const to = destination.started();
    const offer = await from.liveMigration.offer(vm1, guest, migration);
    expect(offer).toMatchObject({
      requests: [{ requestId: 'for-vdpa' }, { requestId: 'for-direct' }],
      interfaces: [{ requestId: 'for-vdpa' }],
    });
    const prepared = await to.liveMigration.prepare(offer);
    expect(prepared.ports.map(({ port: id }) => id)).toEqual(['vdpa', 'direct']);
    await from.liveMigration.unplug(prepared, guest);
    source.guests.guests.delete(vm1);
    destination.guests.guests.set(vm1, new Map());
    await to.liveMigration.completeAtDestination(vm1, guest);
    await from.liveMigration.completeAtSource(vm1);
    expect(typesOf(destination.tracker)).toEqual(['vdpa', 'type-VF']);
    expect(destination.inGuest(vm1)).toHaveLength(1);
    expect(destination.tracker.claims()).toMatchObject([{ status: 'allocated', migration: null }]);
    expect(source.tracker.claims()).toEqual([]);
  });

  test('gives both back when it is resized', async () => {
    const operations = await booted();
    await operations.resize.prepare(vm1, { migration, requests });
    expect(typesOf(source.tracker)).toEqual(['vdpa', 'type-VF', 'vdpa', 'type-VF']);
    source.guests.guests.delete(vm1);
    await operations.resize.unplug(vm1, guest);
    source.guests.guests.set(vm1, new Map());
    await operations.resize.complete(vm1, guest);
    await operations.resize.confirm(vm1);
    expect(typesOf(source.tracker)).toEqual(['vdpa', 'type-VF']);
    expect(source.inGuest(vm1)).toHaveLength(1);
  });
});

describe('a guest with NUMA nodes', () => {
  const cells = [0, 1].map((id) => ({ id, socket: id }));
  const near = [vdpaRequest(1, { ...port('vdpa'), numaPolicy: 'required' })];

  beforeEach(async () => {
    destination = new AgentHost(
      await trackerOf([...card('81', 2), ...card('82', 2, { numaNode: 1 })], { cells }),
    );
  });
  const nodeOf = ({ tracker }: AgentHost) => {
    const [device] = tracker.claims(vm1).flatMap(({ devices }) => devices);
    return device && tracker.record(device.deviceId)?.device.numaNode;
  };

  test.each([0, 1])('gets devices of its own node %i, or is refused', async (cell) => {
    const operations = destination.started();
    const before = free(destination.tracker);
    await expect(operations.boot(vm1, { requests: near, numaCells: [7] })).rejects.toMatchObject({
      code: 'CLAIM_UNSATISFIABLE',
    });
    expect(free(destination.tracker)).toEqual(before);
    await operations.boot(vm1, { requests: near, numaCells: [cell] });
    expect(nodeOf(destination)).toBe(cell);
    await operations.abortBoot(vm1);
    const wanted = { migration, requests: near, numaCells: [cell] };
    await operations.resize.prepare(vm1, wanted);
    expect(nodeOf(destination)).toBe(cell);
  });

  test.each([0, 1])('is migrated to those of its node %i there', async (cell) => {
    const from = source.started();
    source.guests.guests.set(vm1, new Map());
    await from.boot(vm1, { requests: near });
    await from.completeBoot(vm1, guest);
    const offer = await from.liveMigration.offer(vm1, guest, migration);
    const { liveMigration } = destination.started();
    expect(await liveMigration.check(offer, { numaCells: [7] })).toBe(false);
    expect(await liveMigration.check(offer, { numaCells: [cell] })).toBe(true);
    await liveMigration.prepare(offer, { numaCells: [cell] });
    expect(nodeOf(destination)).toBe(cell);
  });
});
