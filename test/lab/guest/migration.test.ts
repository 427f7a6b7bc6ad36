import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { QmpDriver } from '../../../src/guest/qmp-driver.js';
import { VdpaHost } from '../../../src/index.js';
import type { GuestPlace } from '../../../src/lifecycle/guest-place.js';
import { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { PortId } from '../../../src/policy/device-request.js';
import type { MigrationId } from '../../../src/tracker/claim.js';
import { SqliteStore } from '../../support/built-store.js';
import { exampleOf } from '../../support/example-of.js';
import { LabGuest } from '../../support/lab-guest.js';
import {
  addDevice,
  bind,
  charNodeOf,
  deleteDevice,
  eachOnBareHost,
  enableVfs,
  hold,
  letGo,
  pfA,
  pfB,
  until,
  vfOf,
} from '../../support/lab-host.js';
import { vdpaRequest } from '../../support/requests.js';

eachOnBareHost();

const macs = ['02:00:00:00:be:01', '02:00:00:00:be:02'];
const reference = 'qmp:vm1';

/** A host of its own: its PF, its store, its agent, and its QEMU. */
class Side {
  readonly folder = LabGuest.folder();
  readonly #pf: string;
  readonly #place: GuestPlace;
  #host: VdpaHost | null = null;
  guest: LabGuest | null = null;

  constructor(pf: string) {
    this.#pf = pf;
    const driver = new QmpDriver({ monitor: join(this.folder, '{guest}.qmp') });
    this.#place = { driver, guest: 'vm1' as never, reference };
  }

  get host(): VdpaHost {
    if (this.#host === null) throw new Error('not open');
    return this.#host;
  }

  get running(): LabGuest {
    if (this.guest === null) throw new Error('it does not run here');
    return this.guest;
  }

  /** An agent that has just been started knows what its store says. */
  get operations(): InstanceOperations {
    return new InstanceOperations(this.host, { place: () => this.#place });
  }

  get place(): GuestPlace {
    return this.#place;
  }

  name(index: number): string {
    return `${this.#pf === pfA ? 'a' : 'b'}${index}`;
  }

  makeDevices(): void {
    enableVfs(this.#pf, 2);
    for (const index of [0, 1]) {
      addDevice(this.name(index), `pci/${vfOf(this.#pf, index)}`);
      bind(this.name(index), 'vhost_vdpa');
    }
  }

  async open(files: string): Promise<void> {
    this.#host = await VdpaHost.open({
      deviceSpec: { address: this.#pf, physical_network: 'net1' },
      store: new SqliteStore(join(files, this.#pf)),
    });
  }

  async close(): Promise<void> {
    await this.#host?.close();
    this.#host = null;
  }

  /** A QEMU that waits for the guest. */
  async receive(): Promise<LabGuest> {
    this.guest = await LabGuest.start(this.folder, 'vm1', { boot: true, incoming: true });
    return this.guest;
  }

  async end(): Promise<void> {
    await this.guest?.[Symbol.asyncDispose]();
    this.guest = null;
  }

  /** How often its QEMU has a char device open. */
  get held(): number {
    return this.guest?.openDevices().length ?? 0;
  }
}

let [here, there] = [new Side(pfA), new Side(pfB)];
let files: string;
let bootId: string;

/** The guest writes down when it had how many NICs, and counts. */
const watching = [
  'n=0; while :; do n=$((n+1)); echo $n >/count; sleep 0.1; done &',
  'while :; do set -- /sys/class/net/*/device; [ -e "$1" ] || shift; if [ $# != "$had" ]; then had=$#; read -r up _ </proc/uptime; echo "$up:$#" >>/nics; fi; sleep 0.05; done &',
];

beforeAll(async () => {
  here.guest = await LabGuest.start(here.folder, 'vm1', { boot: true });
  for (const line of watching) await here.guest.run(line);
  bootId = await here.guest.say('cat /proc/sys/kernel/random/boot_id');
}, 600_000);
afterAll(async () => {
  for (const side of [here, there]) {
    await side.end();
    rmSync(side.folder, { recursive: true });
  }
});

const count = async () => Number(await here.running.say('cat /count'));
const seesBoth = async () =>
  await until(() => macs.every((mac) => here.running.nicsNow.includes(`,${mac},`)));
const seesNone = async () => await until(() => here.running.nicsNow === '');

beforeEach(async () => {
  files = mkdtempSync(join(tmpdir(), 'migration-'));
  for (const side of [here, there]) {
    side.makeDevices();
    await side.open(files);
  }
  const requests = macs.map((mac, index) =>
    vdpaRequest(1, { portId: `port-${index}` as PortId, mac }),
  );
  const { host, place } = here;
  const { id } = await host.claim({ instance: place.guest, requests });
  await host.attach({ claim: id }, place);
  await seesBoth();
}, 300_000);
afterEach(async () => {
  // Or deleting the devices would wait for the guest for good.
  for (const { id } of await here.host.claims()) {
    await here.host.detach({ claim: id }, here.place);
  }
  await there.end();
  await seesNone();
  for (const side of [here, there]) await side.close();
  rmSync(files, { recursive: true });
}, 300_000);

const migration = 'migration-1' as MigrationId;

/** What the agents do, up to where the guest has no vDPA interface and may move. */
async function unplugged(): Promise<void> {
  const source = here.operations.liveMigration;
  const destination = there.operations.liveMigration;
  const offer = await source.offer(here.place.guest, reference, migration);
  expect(await destination.check(offer)).toBe(true);
  const prepared = await destination.prepare(offer);
  expect(prepared.ports.map(({ port }) => port)).toEqual(['port-0', 'port-1']);
  expect(prepared.ports[0]?.profile).toMatchObject({ physical_network: 'net1' });
  await there.receive();
  await source.unplug(prepared, reference);
  expect(here.held).toBe(0);
}

/** Nothing is left over, and it is the guest that it was. */
async function assertStayed(): Promise<void> {
  await seesBoth();
  expect(await here.running.say('cat /proc/sys/kernel/random/boot_id')).toBe(bootId);
  expect(here.host.tracker.operations()).toEqual([]);
  expect(await here.host.claims()).toMatchObject([{ status: 'allocated', guest: reference }]);
  expect(there.host.tracker.operations()).toEqual([]);
  expect(await there.host.claims()).toEqual([]);
}

test('a running guest moves to another QEMU, and has the other host’s devices there', async () => {
  const source = here;
  let before = 0;
  const migrate = async () => {
    // What has no device open any more is not the migration's doing.
    expect(source.held).toBe(0);
    await seesNone();
    before = await count();
    await source.running.migrateTo(await there.receive());
    await source.end();
    [here, there] = [there, here];
  };
  const given = {
    source: here.operations,
    destination: there.operations,
    instance: here.place.guest,
    guest: reference,
    migration,
    numaCells: null,
    migrate,
  };
  const example = await exampleOf('docs/operations.md#Live migration', Object.keys(given));
  await example(given);

  const own = [0, 1].map((index) => charNodeOf(here.name(index)));
  expect([...new Set(here.running.openDevices())].sort()).toEqual(own);
  const after = await count();
  expect(after).toBeGreaterThan(before);
  expect(await here.running.say('cat /proc/sys/kernel/random/boot_id')).toBe(bootId);
  await seesBoth();
  // The guest's own clock: both were there, none, and both again; of two that come at once it sees no one.
  const story = (await here.running.say('tr "\\n" " " </nics')).trim().split(' ').slice(-5);
  expect(story.map((each) => each.split(':')[1]).join(' ')).toMatch(/2 (1 )?0 (1 )?2$/);
  const times = story.map((each) => Number(each.split(':')[0]));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const lost = story.findLastIndex((each) => each.endsWith(':0'));
  const gap = (times.at(-1) ?? 0) - (times[lost - 1] ?? 0);
  console.info(
    `by the guest’s clock ${gap.toFixed(2)} s from the loss of its first NIC to the return of its last`,
  );
  expect(await here.host.claims()).toMatchObject([
    { status: 'allocated', migration: null, guest: reference },
  ]);
  expect(await there.host.claims()).toEqual([]);
}, 600_000);

test('a second port for which there is no device leaves everything as it was', async () => {
  deleteDevice(there.name(1));
  await until(async () => (await there.host.records()).filter((one) => one.device.vdpa).length < 2);
  const offer = await here.operations.liveMigration.offer(here.place.guest, reference, migration);
  await expect(there.operations.liveMigration.prepare(offer)).rejects.toMatchObject({
    code: 'CLAIM_UNSATISFIABLE',
  });
  expect(here.held).toBeGreaterThan(0);
  await assertStayed();
}, 300_000);

/** Whether the guest heeds the button of its first slot, which has the first port. */
async function heeds(yes: boolean): Promise<void> {
  const driver = '/sys/bus/pci_express/drivers/pciehp';
  const move = yes
    ? `cat /port >${driver}/bind`
    : `cd ${driver}; set -- *:pcie*; echo $1 >/port; cat /port >unbind; cd /`;
  await here.running.run(move);
}

test('a guest that keeps one of two gets back the other, and does not move', async () => {
  const source = here.operations.liveMigration;
  const offer = await source.offer(here.place.guest, reference, migration);
  const prepared = await there.operations.liveMigration.prepare(offer);
  await heeds(false);
  const before = here.running.nics.length;
  await expect(source.unplug(prepared, reference, { timeoutMs: 8000 })).rejects.toMatchObject({
    code: 'GUEST_TIMEOUT',
    outcome: 'undone',
  });
  await seesBoth();
  const seen = here.running.nics.slice(before).map((nics) => macs.map((mac) => nics.includes(mac)));
  expect(seen).toContainEqual([true, false]);
  await heeds(true);
  await there.operations.liveMigration.abort(there.place.guest);
  await assertStayed();
}, 300_000);

test('cancelled while it moves, the guest gets back what it had', async () => {
  await unplugged();
  const uri = await here.running.meet(there.running);
  await here.running.ask('migrate-set-parameters', { 'max-bandwidth': 65_536 });
  await here.running.ask('migrate', { uri });
  await until(async () => (await here.running.migration()) === 'active');
  await here.running.ask('migrate_cancel');
  await until(async () => (await here.running.migration()) === 'cancelled');
  await here.running.ask('migrate-set-parameters', { 'max-bandwidth': 2 ** 30 });
  await there.operations.liveMigration.abort(there.place.guest);
  await here.operations.liveMigration.abort(here.place.guest);
  await assertStayed();
}, 600_000);

test('the destination’s QEMU killed while it moves, the guest gets back what it had', async () => {
  await unplugged();
  const uri = await here.running.meet(there.running);
  await here.running.ask('migrate-set-parameters', { 'max-bandwidth': 65_536 });
  await here.running.ask('migrate', { uri });
  await until(async () => (await here.running.migration()) === 'active');
  await there.running.kill();
  await until(async () => (await here.running.migration()) === 'failed');
  await here.running.ask('migrate-set-parameters', { 'max-bandwidth': 2 ** 30 });
  // Both agents as if they had been started anew.
  expect(await here.operations.resumeOperations()).toMatchObject([{ state: 'kept' }]);
  expect(await there.operations.resumeOperations()).toMatchObject([{ state: 'kept' }]);
  await here.operations.liveMigration.abort(here.place.guest);
  await there.operations.liveMigration.abort(there.place.guest);
  await assertStayed();
}, 600_000);

test('a device that somebody has at the destination is waited for by the next call', async () => {
  await unplugged();
  await here.running.migrateTo(there.running);
  await here.end();
  [here, there] = [there, here];
  const [claim] = await here.host.claims();
  const second = claim?.devices[1]?.deviceId ?? '';
  const holder = await hold(here.host.resolve(second).charDevice.path);
  const complete = async () =>
    await here.operations.liveMigration.completeAtDestination(here.place.guest, reference);
  await expect(complete()).rejects.toMatchObject({ code: 'DEVICE_BUSY' });
  await seesNone();
  await letGo(holder);
  await complete();
  await there.operations.liveMigration.completeAtSource(there.place.guest);
  await assertStayed();
}, 600_000);
