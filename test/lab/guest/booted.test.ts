import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { QmpDriver } from '../../../src/guest/qmp-driver.js';
import { pciDeviceId } from '../../../src/host/device-id.js';
import { VdpaHost } from '../../../src/index.js';
import type { GuestPlace } from '../../../src/lifecycle/guest-place.js';
import { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import { SqliteStore } from '../../support/built-store.js';
import { exampleOf } from '../../support/example-of.js';
import { LabGuest } from '../../support/lab-guest.js';
import {
  addDevice,
  bind,
  deleteDevice,
  eachOnBareHost,
  enableVfs,
  failed,
  hold,
  letGo,
  long,
  pfA,
  until,
  vfOf,
} from '../../support/lab-host.js';
import { vdpaRequest } from '../../support/requests.js';

eachOnBareHost();

const mac = '02:00:00:00:be:ef';
const folder = LabGuest.folder();
let guest: LabGuest;

// To start Linux on an emulated processor takes most of a minute here.
beforeAll(async () => {
  guest = await LabGuest.start(folder, 'vm1', { boot: true });
}, 600_000);
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const deviceId = pciDeviceId(vfOf(pfA, 0) as never);
let files: string;
let driver: QmpDriver;
let host: VdpaHost;
let place: GuestPlace;

beforeEach(async () => {
  files = mkdtempSync(join(tmpdir(), 'booted-'));
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`, 'mac', '02:00:00:00:00:01', 'mtu', '1400');
  bind('vdpa0', 'vhost_vdpa');
  driver = new QmpDriver({ monitor: guest.monitor });
  const store = new SqliteStore(join(files, 'store'));
  host = await VdpaHost.open({ deviceSpec: { physical_network: 'net1' }, store });
  place = { driver, guest: guest.id, reference: 'qmp:vm1' };
});
afterEach(async () => {
  // Before the devices go, which would wait for good for whoever has them open.
  for (const { name } of await driver.interfaces(guest.id)) await driver.detach(guest.id, name);
  await driver.close();
  await host.close();
  rmSync(files, { recursive: true });
});

const claimed = async () =>
  await host.claim({ instance: guest.id, requests: [vdpaRequest(1, { mac })] });

/** A word for each interface that the guest has: name, MAC, MTU, PCI address. */
const seen = expect.stringMatching(new RegExp(`^\\S+,${mac},1400,0000:\\S+$`));
const guestSees = async (what: unknown): Promise<void> =>
  await expect.poll(() => guest.nicsNow, { timeout: 120_000 }).toEqual(what);

test('a guest sees a claimed device come with its MAC and MTU, and go', async () => {
  for (let cycle = 0; cycle < (long ? 50 : 2); cycle++) {
    const { id } = await claimed();
    const { claim, interfaces } = await host.attach({ claim: id }, place, { mtu: 1400 });
    expect(claim).toMatchObject({ status: 'allocated', guest: 'qmp:vm1' });
    expect(interfaces).toMatchObject([{ deviceId, mac, state: 'attached' }]);
    await guestSees(seen);
    const { negotiatedFeatureNames, net } = await host.deviceConfig('vdpa0');
    expect(negotiatedFeatureNames).toEqual(expect.arrayContaining(['VERSION_1', 'MTU']));
    expect(net).toMatchObject({ mac });
    await host.detach({ claim: id }, place);
    await guestSees('');
    expect((await host.deviceConfig('vdpa0')).negotiatedFeatures).toBeNull();
    expect(await guest.things()).toEqual([]);
    expect(await host.claims()).toEqual([]);
    expect(host.tracker.record(deviceId)).toMatchObject({ status: 'available', claimId: null });
  }
}, 3_600_000);

test('a guest that does not answer keeps the device and the claim, until it does', async () => {
  const { id } = await claimed();
  await host.attach({ claim: id }, place, { mtu: 1400 });
  await guestSees(seen);
  // Who answers there is the driver of the port.
  const all = 'for port in $(cat /ports); do echo $port >/sys/bus/pci_express/drivers/pciehp';
  await guest.run('cd /sys/bus/pci_express/drivers/pciehp; ls -d *:pcie* >/ports; cd /');
  await guest.run(`${all}/unbind; done`);
  expect(await failed(host.detach({ claim: id }, place, { timeoutMs: 3000 }))).toMatchObject({
    code: 'GUEST_TIMEOUT',
    retry: 'later',
    leftovers: [deviceId],
    message: expect.stringContaining(`claim ${id} stays`),
  });
  expect(guest.nicsNow).toEqual(seen);
  expect(await host.claims()).toMatchObject([{ id, status: 'allocated', guest: 'qmp:vm1' }]);
  expect((await driver.interfaces(guest.id)).map(({ state }) => state)).toEqual(['attached']);
  await guest.run(`${all}/bind; done`);
  await host.detach({ claim: id }, place);
  await guestSees('');
  expect(await guest.things()).toEqual([]);
}, 600_000);

test('a device that is deleted between claim and attach is nobody’s, and made anew it goes in', async () => {
  const { id } = await claimed();
  deleteDevice('vdpa0');
  expect(await failed(host.attach({ claim: id }, place))).toMatchObject({
    code: 'DEVICE_NOT_FOUND',
    leftovers: [],
  });
  expect(await guest.things()).toEqual([]);
  expect(await host.claims()).toMatchObject([{ id, status: 'claimed', guest: null }]);
  addDevice('another', `pci/${vfOf(pfA, 0)}`);
  bind('another', 'vhost_vdpa');
  await host.attach({ claim: id }, place);
  await guestSees(expect.stringContaining(`,${mac},`));
  await host.detach({ claim: id }, place);
  await guestSees('');
  await until(() => host.tracker.record(deviceId)?.device.vdpa?.name === 'another');
  await letGo(await hold(host.resolve(deviceId).charDevice.path));
}, 600_000);

test('a guest that is suspended and runs on in another QEMU gets its device back', async () => {
  const operations = new InstanceOperations(host, { place: () => place });
  const { id } = await claimed();
  await host.attach({ claim: id }, place, { mtu: 1400 });
  await guestSees(seen);
  const bootId = await guest.say('cat /proc/sys/kernel/random/boot_id');

  // As docs/operations.md has it; the state is saved, and the guest runs on from it, in between.
  const save = async (): Promise<void> => {
    await guestSees('');
    expect(await guest.things()).toEqual([]);
    expect(await host.claims()).toMatchObject([{ id, status: 'allocated', guest: null }]);
    const state = join(files, 'state');
    await guest.save(state);
    await guest[Symbol.asyncDispose]();
    guest = await LabGuest.start(folder, 'vm1', { boot: true, incoming: true });
    await guest.restore(state);
    expect(await operations.resumeOperations()).toMatchObject([{ state: 'kept' }]);
  };
  const names = ['host', 'place', 'network', 'instance', 'guest', 'save'];
  const example = await exampleOf('docs/operations.md', names);
  await example({ host, place: () => place, instance: guest.id, guest: place.reference, save });
  await guestSees(seen);
  expect(await guest.say('cat /proc/sys/kernel/random/boot_id')).toBe(bootId);
  expect(bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(host.tracker.operations()).toEqual([]);
  await host.detach({ claim: id }, place);
  await guestSees('');
}, 1_200_000);

test('a snapshot is taken of a guest without interfaces, which has them again after it', async () => {
  const operations = new InstanceOperations(host, { place: () => place });
  const { id } = await claimed();
  await host.attach({ claim: id }, place, { mtu: 1400 });
  await guestSees(seen);
  const take = async (): Promise<string> => {
    await guestSees('');
    expect(await guest.things()).toEqual([]);
    return 'image';
  };
  expect(await operations.snapshot(guest.id, place.reference, take)).toBe('image');
  await guestSees(seen);
  expect(await host.claims()).toMatchObject([{ id, status: 'allocated', guest: 'qmp:vm1' }]);
  expect(host.tracker.operations()).toEqual([]);
  await host.detach({ claim: id }, place);
  await guestSees('');
}, 600_000);
