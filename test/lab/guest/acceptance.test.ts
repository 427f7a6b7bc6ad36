import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestInterface } from '../../../src/guest/guest-interface.js';
import { interfaceXml } from '../../../src/guest/interface-xml.js';
import { QmpDriver } from '../../../src/guest/qmp-driver.js';
import { VdpaHost } from '../../../src/index.js';
import type { GuestPlace } from '../../../src/lifecycle/guest-place.js';
import { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import { unboundProfileKeys } from '../../../src/policy/binding-profile.js';
import type { DeviceRequest, PortId } from '../../../src/policy/device-request.js';
import { portRequests } from '../../../src/policy/port-requests.js';
import type { InstanceId, MigrationId } from '../../../src/tracker/claim.js';
import { SqliteStore } from '../../support/built-store.js';
import { LabGuest } from '../../support/lab-guest.js';
import {
  addDevice,
  bind,
  eachOnBareHost,
  enableVfs,
  pfA,
  pfB,
  vfOf,
} from '../../support/lab-host.js';

// What nova's functional tests of vDPA assert, a test for each: the host of each has a PF and four VFs with
// a vDPA device each, so that five are to be had; an instance takes one, and with it the PF.

eachOnBareHost();

const vm1 = 'vm1' as InstanceId;
const migration = 'migration-1' as MigrationId;
const mac = 'b6:bc:2e:e7:51:ee';
const port = {
  id: 'port-1',
  network_id: 'net-1',
  mac_address: mac,
  'binding:vnic_type': 'vdpa',
};
const network = { id: 'net-1', 'provider:physical_network': 'physnet4' };
const deviceSpec = ['101d', '101e'].map((product_id) => ({
  vendor_id: '15b3',
  product_id,
  physical_network: 'physnet4',
}));

/** A host of its own, whose QEMU runs nobody but its firmware. */
class Host {
  readonly folder = LabGuest.folder();
  readonly pf: string;
  readonly reference: string;
  readonly place: GuestPlace;
  #guest: LabGuest | null = null;
  #host: VdpaHost | null = null;

  constructor(pf: string) {
    this.pf = pf;
    this.reference = `qmp:on ${pf}`;
    const driver = new QmpDriver({ monitor: join(this.folder, '{guest}.qmp') });
    this.place = { driver, guest: vm1, reference: this.reference };
  }

  async start(): Promise<void> {
    this.#guest = await LabGuest.start(this.folder, vm1);
  }

  async restart(): Promise<void> {
    await this.#guest?.[Symbol.asyncDispose]();
    await this.start();
  }

  /** Its agent is started. */
  async open(files: string): Promise<void> {
    this.#host = await VdpaHost.open({
      deviceSpec: this.#spec,
      store: new SqliteStore(join(files, this.pf)),
    });
  }

  get #spec() {
    return deviceSpec.map((entry) => ({ ...entry, address: this.pf }));
  }

  async close(): Promise<void> {
    await this.#host?.close();
    this.#host = null;
  }

  async end(): Promise<void> {
    await this.#guest?.[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }

  get host(): VdpaHost {
    if (this.#host === null) throw new Error('not open');
    return this.#host;
  }

  get operations(): InstanceOperations {
    return new InstanceOperations(this.host, { place: () => this.place });
  }

  makeDevices(): void {
    enableVfs(this.pf, 4);
    for (const index of [0, 1, 2, 3]) {
      const name = `${this.pf === pfA ? 'a' : 'b'}${index}`;
      addDevice(name, `pci/${vfOf(this.pf, index)}`);
      bind(name, 'vhost_vdpa');
    }
  }

  /** How many devices are to be had. */
  async free(): Promise<number> {
    return (await this.host.pools()).reduce((sum, { devices }) => sum + devices.length, 0);
  }

  async inGuest(): Promise<readonly GuestInterface[]> {
    return await this.place.driver.interfaces(vm1);
  }

  async boot(): Promise<void> {
    await this.operations.boot(vm1, { requests: requests() });
    await this.operations.completeBoot(vm1, this.reference);
  }
}

const [here, there] = [new Host(pfA), new Host(pfB)];
const hosts = [here, there];
let files: string;

const requests = (): readonly DeviceRequest[] => portRequests([port], [network]).requests;
const free = async () => await Promise.all(hosts.map(async (host) => await host.free()));

beforeAll(async () => {
  for (const host of hosts) await host.start();
});
afterAll(async () => {
  for (const host of hosts) await host.end();
});
beforeEach(async () => {
  files = mkdtempSync(join(tmpdir(), 'acceptance-'));
  for (const host of hosts) {
    host.makeDevices();
    await host.open(files);
  }
  expect(await free()).toEqual([5, 5]);
});
afterEach(async () => {
  try {
    for (const host of hosts) {
      await host.operations.delete(vm1);
      expect(await host.inGuest()).toEqual([]);
    }
  } catch (error) {
    // What it holds could not be deleted.
    for (const host of hosts) await host.restart();
    throw error;
  } finally {
    for (const host of hosts) await host.close();
  }
  rmSync(files, { recursive: true });
});

describe('a server with a vDPA port', () => {
  test('is created: a VF and its PF are taken, the interface and the profile are nova’s', async () => {
    const { claim, ports } = await here.operations.boot(vm1, { requests: requests() });
    expect(await free()).toEqual([3, 5]);
    expect(ports).toEqual([
      {
        port: 'port-1',
        host: hostname(),
        active: 'now',
        profile: {
          pci_vendor_info: '15b3:101e',
          pci_slot: vfOf(pfA, 3),
          physical_network: 'physnet4',
        },
      },
    ]);
    await here.operations.completeBoot(vm1, here.reference);
    const [device] = claim.devices;
    const { charDevice } = here.host.resolve(device?.deviceId ?? '');
    const own = await here.inGuest();
    expect(own).toMatchObject([{ mac, state: 'attached', charDevice: charDevice.path }]);
    const { name } = own[0] as GuestInterface;
    const wanted = { ...own[0], name, charDevice, queuePairs: 1, mtu: null };
    const xml = interfaceXml(wanted as never, mac).replaceAll(/\n */g, '');
    expect(xml.replace(/<alias [^>]*>/, '')).toBe(
      `<interface type="vdpa"><mac address="${mac}"/><source dev="${charDevice.path}"/></interface>`,
    );
  });

  test('gets an interface while it runs: the same profile', async () => {
    const claim = await here.host.claim({ instance: vm1, requests: requests() });
    await here.host.attach({ claim: claim.id }, here.place);
    expect(here.host.bindingProfile(claim.devices[0]?.deviceId as never)).toEqual({
      pci_vendor_info: '15b3:101e',
      pci_slot: vfOf(pfA, 3),
      physical_network: 'physnet4',
    });
    expect(await here.inGuest()).toMatchObject([{ mac, state: 'attached' }]);
    expect(await free()).toEqual([3, 5]);
  });

  test('loses it while it runs: nothing is left in the profile', async () => {
    await here.boot();
    const [claim] = await here.host.claims(vm1);
    const profile = here.host.bindingProfile(claim?.devices[0]?.deviceId as never);
    await here.host.detach({ instance: vm1, port: port.id as PortId }, here.place);
    expect(await here.inGuest()).toEqual([]);
    expect(await free()).toEqual([5, 5]);
    expect(Object.keys(profile).filter((key) => !unboundProfileKeys.includes(key))).toEqual([]);
  });

  test('does not move to a host whose version is too old, nor come from one', async () => {
    await here.boot();
    const offer = await here.operations.liveMigration.offer(vm1, here.reference, migration);
    const message = expect.stringContaining('not supported for instance with vDPA ports');
    const tooOld = { code: 'NOT_SUPPORTED', message };
    await expect(
      there.operations.liveMigration.prepare({ ...offer, version: 0 }),
    ).rejects.toMatchObject(tooOld);
    const prepared = await there.operations.liveMigration.prepare(offer);
    await expect(
      here.operations.liveMigration.unplug({ ...prepared, version: 0 }, here.reference),
    ).rejects.toMatchObject(tooOld);
    expect(await here.inGuest()).toHaveLength(1);
    await there.operations.liveMigration.abort(vm1);
    expect(await free()).toEqual([3, 5]);
  });

  test('is shelved and offloaded: all are to be had', async () => {
    await here.boot();
    await here.operations.delete(vm1);
    expect(await free()).toEqual([5, 5]);
  });

  test.each(['the same host', 'another'])('is unshelved to %s', async (where) => {
    await here.boot();
    await here.operations.delete(vm1);
    const host = where === 'another' ? there : here;
    await host.boot();
    expect(await host.inGuest()).toHaveLength(1);
    expect(await free()).toEqual(host === here ? [3, 5] : [5, 3]);
  });

  test('is evacuated: the source gives its devices back once it is there again', async () => {
    await here.boot();
    await here.close();
    await there.boot();
    await here.open(files);
    expect(await free()).toEqual([3, 3]);
    await here.operations.delete(vm1);
    expect(await free()).toEqual([5, 3]);
  });

  test('is resized on its host: it has both until that is confirmed', async () => {
    await here.boot();
    await here.operations.resize.prepare(vm1, { migration, requests: requests() });
    await here.operations.resize.unplug(vm1, here.reference);
    await here.operations.resize.complete(vm1, here.reference);
    expect(await free()).toEqual([2, 5]);
    expect(await here.inGuest()).toHaveLength(1);
    await here.operations.resize.confirm(vm1);
    expect(await free()).toEqual([3, 5]);
    expect(await here.inGuest()).toHaveLength(1);
  });

  /** To the other host, up to where somebody looks at it there. */
  const moved = async (): Promise<void> => {
    await here.boot();
    await there.operations.boot(vm1, { requests: requests() });
    await here.operations.stop(vm1, here.reference);
    await there.operations.completeBoot(vm1, there.reference);
    expect(await free()).toEqual([3, 3]);
    expect([await here.inGuest(), await there.inGuest()].map(({ length }) => length)).toEqual([
      0, 1,
    ]);
  };

  test('is resized, or migrated cold, to another host and confirmed: the source is free', async () => {
    await moved();
    await here.operations.delete(vm1);
    expect(await free()).toEqual([5, 3]);
  });

  test('is resized to another host and reverted: the destination is free', async () => {
    await moved();
    await there.operations.delete(vm1);
    await here.operations.start(vm1, here.reference);
    expect(await free()).toEqual([3, 5]);
    expect(await here.inGuest()).toMatchObject([{ mac, state: 'attached' }]);
  });

  test('is suspended and resumed: what it has stays its own', async () => {
    await here.boot();
    expect(await free()).toEqual([3, 5]);
    const { tracker } = here.host;
    const allocated = [{ status: 'allocated', instance: vm1 }];
    const held = () => tracker.records().filter((one) => one.claimId !== null);
    expect(held()).toMatchObject(allocated);
    await here.operations.suspend(vm1, here.reference);
    expect(tracker.operationOf(vm1)).toMatchObject({ kind: 'suspend', step: 'unplugged' });
    expect(held()).toMatchObject(allocated);
    expect(await here.inGuest()).toEqual([]);
    expect(await free()).toEqual([3, 5]);
    await here.operations.resume(vm1, here.reference);
    expect(tracker.operationOf(vm1)).toBeNull();
    expect(held()).toMatchObject(allocated);
    expect(await here.inGuest()).toMatchObject([{ mac, state: 'attached' }]);
    expect(await free()).toEqual([3, 5]);
  });

  test('is migrated live: the source is free, and it has its device at the destination', async () => {
    await here.boot();
    const offer = await here.operations.liveMigration.offer(vm1, here.reference, migration);
    const prepared = await there.operations.liveMigration.prepare(offer);
    expect(prepared.ports).toMatchObject([
      {
        port: 'port-1',
        active: 'on-complete',
        profile: { pci_slot: vfOf(pfB, 3), physical_network: 'physnet4' },
      },
    ]);
    await here.operations.liveMigration.unplug(prepared, here.reference);
    await there.operations.liveMigration.completeAtDestination(vm1, there.reference);
    await here.operations.liveMigration.completeAtSource(vm1);
    expect(await free()).toEqual([5, 3]);
    expect(await there.inGuest()).toMatchObject([{ mac, state: 'attached' }]);
  });
});
