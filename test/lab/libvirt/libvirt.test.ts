import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DomainOptions, LibvirtDaemon } from '../../../lab/libvirt/daemon.mjs';
import type { LibvirtSuite } from '../../../lab/libvirt/libvirt.mjs';
import type { GuestInterface, WantedInterface } from '../../../src/guest/guest-interface.js';
import { interfaceName } from '../../../src/guest/interface-name.js';
import { LibvirtDriver } from '../../../src/guest/libvirt-driver.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { KernelHost } from '../../../src/host/kernel-host.js';
import { VdpaHost } from '../../../src/index.js';
import { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import type { ClaimId, InstanceId } from '../../../src/tracker/claim.js';
import { SqliteStore } from '../../support/built-store.js';
import * as command from '../../support/lab-command.js';
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
  vdpaJson,
  vfOf,
} from '../../support/lab-host.js';
import { endHolders, openDevices, things } from '../../support/lab-libvirt.js';
import { vdpaRequest } from '../../support/requests.js';

/** For what hangs. */
const patientMs = 300_000;
const mac = '02:00:00:00:be:ef';
/** As long as a busy machine may take over a step. */
const patient = (): { deadline: number } => ({ deadline: performance.now() + patientMs });
const suites: readonly LibvirtSuite[] = long ? ['release', 'backports'] : ['release'];

describe.each(suites)('libvirt of the %s', (suite) => {
  let libvirt: LibvirtDaemon;
  let driver: LibvirtDriver;
  let host: KernelHost;
  beforeAll(async () => {
    libvirt = await LibvirtDaemon.start(suite);
  });
  afterAll(async () => {
    await libvirt?.close();
  });

  eachOnBareHost();
  beforeEach(async () => {
    driver = new LibvirtDriver();
    host = await KernelHost.open();
    for (const name of ['sim0', 'sim1']) {
      addDevice(name, 'vdpasim_net', 'mac', mac);
      bind(name, 'vhost_vdpa');
    }
  });
  afterEach(async () => {
    await driver.close();
    await host.close();
    // Before the devices go, which would wait for whoever has them open.
    await endHolders(libvirt);
  });

  function wanted(device = 'sim0', more: Partial<WantedInterface> = {}): WantedInterface {
    const deviceId = `vdpa/${device}` as DeviceId;
    const { charDevice } = host.resolve(deviceId);
    const name = interfaceName('claim1' as ClaimId, deviceId);
    return { name, deviceId, charDevice, mac, queuePairs: 1, mtu: null, ...more };
  }

  const shown = (want: WantedInterface, more: Partial<GuestInterface> = {}): GuestInterface => ({
    name: want.name,
    claimId: 'claim1' as ClaimId,
    deviceId: want.deviceId,
    charDevice: want.charDevice.path,
    mac: want.mac,
    queuePairs: want.queuePairs,
    mtu: want.mtu,
    state: 'attached',
    ...more,
  });

  /** A guest by its UUID, as nova's are: that of a test before, if it runs still. */
  function guest(name: string, options: DomainOptions = {}): InstanceId {
    libvirt.ensureDomain(name, options);
    return libvirt.uuidOf(name) as InstanceId;
  }

  test('an interface goes in and out, and nothing is left of it', async () => {
    const id = guest('vm1');
    const before = things(libvirt, 'vm1');
    expect(await driver.guests()).toEqual([id]);
    expect(await driver.versions(id)).toEqual({
      qemu: expect.stringMatching(suite === 'release' ? /^7\.2\.\d+$/ : /^1\d\.\d+\.\d+$/),
      libvirt: expect.stringMatching(suite === 'release' ? /^9\.0\.0$/ : /^1\d\.\d+\.\d+$/),
    });
    const want = wanted();
    expect(await driver.attach(id, want, patient())).toEqual(shown(want));
    expect(await driver.interfaces('vm1' as InstanceId)).toEqual([shown(want)]);
    // Both as it runs and as it starts the next time; and QEMU has the device.
    expect(things(libvirt, 'vm1').filter((thing) => thing === `ua-${want.name}`)).toHaveLength(2);
    expect(openDevices(libvirt, 'vm1')).toEqual([want.charDevice.path]);
    // What is there is not given again, and what is not there is not taken.
    expect(await driver.attach(id, want, patient())).toEqual(shown(want));
    await driver.detach(id, want.name, patient());
    await driver.detach(id, want.name, patient());
    for (let cycle = 1; cycle < (long ? 50 : 2); cycle++) {
      await driver.attach(id, want, patient());
      expect(openDevices(libvirt, 'vm1')).toEqual([want.charDevice.path]);
      await driver.detach(id, want.name, patient());
      await letGo(await hold(want.charDevice.path));
    }
    expect(things(libvirt, 'vm1')).toEqual(before);
  });

  test('what is refused leaves nothing', async () => {
    const id = guest('small', { persistent: false, ports: 1 });
    const holder = await hold(wanted().charDevice.path);
    expect(await failed(driver.attach(id, wanted(), patient()))).toMatchObject({
      code: 'DEVICE_BUSY',
      outcome: 'unchanged',
    });
    await letGo(holder);
    expect(await driver.interfaces(id)).toEqual([]);

    await driver.attach(id, wanted(), patient());
    expect(await failed(driver.attach(id, wanted('sim1'), patient()))).toMatchObject({
      code: 'GUEST_SLOT_MISSING',
    });
    const other = wanted('sim0', { charDevice: wanted('sim1').charDevice });
    expect(await failed(driver.attach(id, other, patient()))).toMatchObject({
      code: 'INTERFACE_CONFLICT',
    });
    expect(await driver.interfaces(id)).toEqual([shown(wanted())]);
    await driver.detach(id, wanted().name, patient());

    const gone = wanted('sim1');
    deleteDevice('sim1');
    expect(await failed(driver.attach(id, gone, patient()))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
    expect(openDevices(libvirt, 'small')).toEqual([]);
  });

  test('a guest that never answers keeps it, and its end lets go', async () => {
    const id = guest('deaf', { letsGo: false });
    const want = wanted();
    await driver.attach(id, want, patient());
    const soon = { deadline: performance.now() + 8_000 };
    expect(await failed(driver.detach(id, want.name, soon))).toMatchObject({
      code: 'GUEST_TIMEOUT',
      retry: 'later',
    });
    expect(await driver.interfaces(id)).toEqual([shown(want)]);
    expect(openDevices(libvirt, 'deaf')).toEqual([want.charDevice.path]);
    const detached = driver.detach(id, want.name, patient());
    libvirt.virsh('destroy', 'deaf');
    await detached;
    expect(await driver.interfaces(id)).toEqual([]);
    expect(libvirt.virsh('dumpxml', 'deaf')).not.toContain('vdpa');
    await letGo(await hold(want.charDevice.path));
    // What does not run has only what it starts with.
    expect(await driver.attach(id, want, patient())).toEqual(shown(want));
    expect(libvirt.virsh('dumpxml', 'deaf')).toContain(`ua-${want.name}`);
    await driver.detach(id, want.name, patient());
    expect(await driver.interfaces(id)).toEqual([]);
  });

  test('libvirtd may be killed in the middle: what was asked is done, or not there', async () => {
    const id = guest('vm1');
    const want = wanted();
    await driver.interfaces(id);

    const attached = failed(driver.attach(id, want, patient()));
    await until(() => openDevices(libvirt, 'vm1').length > 0);
    await libvirt.killDaemon();
    libvirt.startDaemon();
    const outcome = await attached;
    await libvirt.ready();
    const there = await driver.interfaces(id);
    if (outcome === 'done') {
      expect(there).toEqual([shown(want)]);
    } else if (openDevices(libvirt, 'vm1').length > 0) {
      // Libvirt does not know what QEMU has: it is told as what is left.
      expect(outcome).toMatchObject({
        outcome: 'partial',
        leftovers: [expect.stringContaining(want.charDevice.path)],
      });
      return;
    } else {
      expect(there).toEqual([]);
      await driver.attach(id, want, patient());
    }

    const detached = driver.detach(id, want.name, patient());
    await libvirt.killDaemon();
    libvirt.startDaemon();
    await detached;
    await libvirt.ready();
    expect(await driver.interfaces(id)).toEqual([]);
    expect(openDevices(libvirt, 'vm1')).toEqual([]);
  });

  test('a guest that is ended while it is given one leaves it to others', async () => {
    const id = guest('small', { persistent: false, ports: 1 });
    const want = wanted();
    const attached = failed(driver.attach(id, want, patient()));
    await until(() => openDevices(libvirt, 'small').length > 0);
    process.kill(libvirt.pidOf('small'), 'SIGKILL');
    await attached;
    await until(() => !libvirt.names().includes('small'));
    expect(await failed(driver.interfaces(id))).toMatchObject({ code: 'GUEST_NOT_FOUND' });
    await driver.detach(id, want.name, patient());
    await letGo(await hold(want.charDevice.path));
  });

  test('the command plugs a claimed VF in and out', async () => {
    const id = guest('vm1');
    const before = things(libvirt, 'vm1');
    enableVfs(pfA, 1);
    addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
    bind('vdpa0', 'vhost_vdpa');
    const folder = mkdtempSync(join(tmpdir(), 'plug-'));
    const config = join(folder, 'config.json');
    const deviceSpec = [{ physical_network: 'net1' }];
    writeFileSync(config, JSON.stringify({ deviceSpec, store: 'store', guests: { libvirt: {} } }));
    const printed = async (...argv: readonly string[]) => {
      const { code, stdout, stderr } = await command.vdpaHost(config, ...argv, '--json');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout);
    };
    const reference = `libvirt:${id}`;
    const { path } = host.resolve(`pci/${vfOf(pfA, 0)}`).charDevice;
    await printed('claim', '--instance', id, '--physnet', 'net1', '--id', 'c1', '--mac', mac);
    const interfaces = [{ claimId: 'c1', mac, state: 'attached', charDevice: path }];
    expect(await printed('attach', '--instance', id, '--guest', reference)).toMatchObject({
      guest: reference,
      interfaces,
    });
    expect(openDevices(libvirt, 'vm1')).toEqual([path]);
    expect(vdpaJson('dev', 'config', 'show', 'vdpa0')['config']?.['vdpa0']).toMatchObject({ mac });
    expect((await printed('guests')).guests).toContainEqual(
      expect.objectContaining({
        guest: reference,
        claims: ['c1'],
        interfaces: [expect.objectContaining(interfaces[0])],
        error: null,
      }),
    );
    await printed('detach', '--instance', id);
    expect((await printed('claims')).claims).toEqual([]);
    expect(things(libvirt, 'vm1')).toEqual(before);
    await letGo(await hold(path));
    rmSync(folder, { recursive: true });
  });

  test('a guest is saved, started again and shut down, without and then with its VF', async () => {
    const id = guest('vm1');
    const before = things(libvirt, 'vm1');
    enableVfs(pfA, 1);
    addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
    bind('vdpa0', 'vhost_vdpa');
    const folder = mkdtempSync(join(tmpdir(), 'operations-'));
    const tracked = await VdpaHost.open({
      deviceSpec: { physical_network: 'net1' },
      store: new SqliteStore(join(folder, 'store')),
    });
    const reference = `libvirt:${id}`;
    const place = { driver, guest: id, reference };
    const operations = new InstanceOperations(tracked, { place: () => place });
    const { path } = host.resolve(`pci/${vfOf(pfA, 0)}`).charDevice;
    /** As it runs and as it starts the next time. */
    const seesBoth = () => {
      expect(openDevices(libvirt, 'vm1')).toEqual([path]);
      for (const how of [[], ['--inactive']]) {
        const own = libvirt.virsh('dumpxml', ...how, 'vm1').match(/<interface type='vdpa'>/g);
        expect(own).toHaveLength(1);
      }
    };
    const status = async () => (await tracked.claims()).map((claim) => claim.status);

    const { id: claim } = await tracked.claim({
      instance: id,
      requests: [vdpaRequest(1, { mac })],
    });
    await tracked.attach({ claim }, place);
    seesBoth();

    await operations.suspend(id, reference);
    expect(things(libvirt, 'vm1')).toEqual(before);
    libvirt.virsh('managedsave', 'vm1');
    expect(libvirt.virsh('domstate', 'vm1')).toContain('shut off');
    expect(await status()).toEqual(['allocated']);
    libvirt.virsh('start', 'vm1');
    await operations.resume(id, reference);
    seesBoth();

    libvirt.virsh('destroy', 'vm1');
    await operations.stop(id, reference);
    expect(libvirt.virsh('dumpxml', '--inactive', 'vm1')).not.toContain('vdpa');
    libvirt.virsh('start', '--paused', 'vm1');
    await operations.start(id, reference);
    libvirt.virsh('resume', 'vm1');
    seesBoth();

    await operations.delete(id);
    expect(things(libvirt, 'vm1')).toEqual(before);
    expect(await status()).toEqual([]);
    await tracked.close();
    rmSync(folder, { recursive: true });
  });
});
