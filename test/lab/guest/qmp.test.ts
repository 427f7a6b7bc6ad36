import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { memoryMiB } from '../../../lab/guest/spawn-guest.mjs';
import type { WantedInterface } from '../../../src/guest/guest-interface.js';
import { memoryLockOf } from '../../../src/guest/memory-lock.js';
import { QmpDriver } from '../../../src/guest/qmp-driver.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { KernelHost } from '../../../src/host/kernel-host.js';
import { type GuestInterface, interfaceName } from '../../../src/index.js';
import type { ClaimId } from '../../../src/tracker/claim.js';
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
  nodeScript,
  pfA,
  run,
  vdpaJson,
  vfOf,
} from '../../support/lab-host.js';

eachOnBareHost();

const folder = LabGuest.folder();
/** Of all tests that leave it as it was: QEMU takes seconds to start here. */
let guest: LabGuest;
beforeAll(async () => {
  guest = await LabGuest.start(folder, 'vm1');
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let driver: QmpDriver;
let host: KernelHost;
beforeEach(async () => {
  driver = new QmpDriver({ monitor: guest.monitor });
  host = await KernelHost.open();
});
afterEach(async () => {
  expect(await guest.things()).toEqual([]);
  await driver.close();
  await host.close();
});

const mac = '02:00:00:00:be:ef';

function makeSim(name = 'sim0'): void {
  addDevice(name, 'vdpasim_net', 'mac', mac);
  bind(name, 'vhost_vdpa');
}

/** Of a device that is bound to vhost_vdpa. */
function wanted(id = 'vdpa/sim0', more: Partial<WantedInterface> = {}): WantedInterface {
  const { charDevice } = host.resolve(id);
  const deviceId = id as DeviceId;
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

test('an interface goes in and out, and nothing is left of it', async () => {
  makeSim();
  expect(await driver.guests()).toEqual(['vm1']);
  expect((await driver.versions(guest.id)).qemu).toMatch(long ? /^10\.\d+\.\d+$/ : /^7\.2\.\d+$/);
  expect(await driver.interfaces(guest.id)).toEqual([]);
  for (let cycle = 0; cycle < (long ? 50 : 2); cycle++) {
    const want = wanted();
    expect(await driver.attach(guest.id, want)).toEqual(shown(want));
    expect(await driver.interfaces(guest.id)).toEqual([shown(want)]);
    // As it is: to attach it again is to do nothing.
    expect(await driver.attach(guest.id, want)).toEqual(shown(want));
    await driver.detach(guest.id, want.name);
    expect(await guest.things()).toEqual([]);
    expect(await driver.interfaces(guest.id)).toEqual([]);
    await driver.detach(guest.id, want.name);
  }
});

test('a VF goes in with the MAC, the MTU and the queues that are wanted', async () => {
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`, 'mac', mac, 'mtu', '9000', 'max_vqp', '4');
  bind('vdpa0', 'vhost_vdpa');
  const want = wanted(`pci/${vfOf(pfA, 0)}`, { queuePairs: 4, mtu: 9000 });
  expect(await driver.attach(guest.id, want)).toEqual(shown(want));
  expect(vdpaJson('dev', 'config', 'show', 'vdpa0')['config']?.['vdpa0']).toMatchObject({ mac });
  // The host's device may be gone, for all that the guest shows.
  expect(guest.openDevices()).toContain(want.charDevice.path);
  await driver.detach(guest.id, want.name);
  expect(await guest.things()).toEqual([]);
});

describe('an attach fails and leaves nothing', () => {
  test('of a device that somebody has, at once, and its holder is told', async () => {
    makeSim();
    const holder = await hold(wanted().charDevice.path);
    expect(await failed(driver.attach(guest.id, wanted()))).toMatchObject({
      code: 'DEVICE_BUSY',
      errno: 'EBUSY',
      step: 'give QEMU the char device',
      retry: 'later',
      leftovers: [],
      message: expect.stringContaining(`(pid ${holder.pid})`),
    });
    await letGo(holder);
    expect(await guest.things()).toEqual([]);
    await driver.attach(guest.id, wanted());
    await driver.detach(guest.id, wanted().name);
  });

  test('of a device that was deleted before', async () => {
    makeSim();
    const want = wanted();
    deleteDevice('sim0');
    expect(await failed(driver.attach(guest.id, want))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      leftovers: [],
    });
  });

  test('without a free root port', async () => {
    for (const name of ['sim0', 'sim1', 'sim2']) makeSim(name);
    for (const name of ['sim0', 'sim1']) await driver.attach(guest.id, wanted(`vdpa/${name}`));
    const before = await guest.things();
    expect(await failed(driver.attach(guest.id, wanted('vdpa/sim2')))).toMatchObject({
      code: 'GUEST_SLOT_MISSING',
      step: 'find a free PCIe root port',
      leftovers: [],
    });
    expect(await guest.things()).toEqual(before);
    for (const name of ['sim0', 'sim1']) {
      await driver.detach(guest.id, wanted(`vdpa/${name}`).name);
    }
  });

  test('where QEMU refuses the device, and the char device is free again', async () => {
    makeSim();
    const want = wanted('vdpa/sim0', { mac: 'none' });
    expect(await failed(driver.attach(guest.id, want))).toMatchObject({
      code: 'GUEST_REFUSED',
      step: 'plug the device in',
      outcome: 'undone',
      leftovers: [],
    });
    expect(await guest.things()).toEqual([]);
    await letGo(await hold(want.charDevice.path));
  });

  test('aborted, with the reason', async () => {
    makeSim();
    const reason = new Error('changed my mind');
    for (let turns = 0; turns < 40; turns += long ? 4 : 8) {
      const controller = new AbortController();
      const call = failed(driver.attach(guest.id, wanted(), { signal: controller.signal }));
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      controller.abort(reason);
      const outcome = await call;
      if (outcome === 'done') await driver.detach(guest.id, wanted().name);
      else expect(outcome).toBe(reason);
      expect(await guest.things()).toEqual([]);
    }
  });

  test('of another MAC under the same name', async () => {
    makeSim();
    await driver.attach(guest.id, wanted());
    const other = wanted('vdpa/sim0', { mac: '02:00:00:00:be:f0' });
    expect(await failed(driver.attach(guest.id, other))).toMatchObject({
      code: 'INTERFACE_CONFLICT',
      outcome: 'unchanged',
    });
    expect(await driver.interfaces(guest.id)).toEqual([shown(wanted())]);
    await driver.detach(guest.id, wanted().name);
  });
});

test('QEMU may lock what it needs, or is given nothing', async () => {
  const memoryLock = 64 * 2 ** 20;
  await using limited = await LabGuest.start(folder, 'limited', { memoryLock });
  makeSim();
  const needed = memoryMiB * 2 ** 20 + 2 ** 30;
  const limit = (): number => memoryLockOf(limited.pid).soft;
  // A process that may not raise it.
  const attach = nodeScript(`
    const { QmpDriver } = await import(${JSON.stringify(`${process.cwd()}/dist/guest/index.js`)});
    const driver = new QmpDriver({ monitor: ${JSON.stringify(limited.monitor)} });
    const call = driver.attach('limited', ${JSON.stringify(wanted())});
    const { code, message, step } = await call.catch((error) => error);
    console.log(JSON.stringify({ code, message, step }));
    await driver.close();`);
  expect(JSON.parse(run('setpriv', '--bounding-set=-sys_resource', ...attach))).toEqual({
    code: 'MEMORY_LOCK_TOO_LOW',
    message: expect.stringContaining(`may lock ${memoryLock} bytes of memory and needs ${needed}`),
    step: 'let QEMU lock the memory',
  });
  expect(
    await failed(driver.attach(limited.id, wanted('vdpa/sim0', { mac: 'none' }))),
  ).toMatchObject({ code: 'GUEST_REFUSED', outcome: 'undone' });
  expect(limit()).toBe(memoryLock);
  await driver.attach(limited.id, wanted());
  expect(limit()).toBe(needed);
  await driver.detach(limited.id, wanted().name);
});

test('what a crash left half done is taken away, and begun anew', async () => {
  makeSim();
  const want = wanted();
  await driver.attach(guest.id, want);
  // As after a detach that was broken off: the device is gone, the rest is there.
  await guest.ask('device_del', { id: want.name });
  await expect
    .poll(() => driver.interfaces(guest.id))
    .toEqual([shown(want, { state: 'partial', mac: null, queuePairs: null })]);
  expect(await driver.attach(guest.id, want)).toEqual(shown(want));
  await guest.ask('device_del', { id: want.name });
  await expect.poll(async () => (await driver.interfaces(guest.id))[0]?.state).toBe('partial');
  await driver.detach(guest.id, want.name);
  expect(await guest.things()).toEqual([]);
});

test('QEMU may be killed at any moment of an attach and of a detach', async () => {
  makeSim();
  const { charDevice, name } = wanted();
  const rounds = long ? 60 : 3;
  for (let round = 0; round < rounds; round++) {
    const victim = await LabGuest.start(folder, `victim${round}`);
    const attach = failed(driver.attach(victim.id, wanted()));
    const detach = attach.then(() => failed(driver.detach(victim.id, name)));
    // Each time somewhat later, over about the time that both take.
    await sleep((round * 400) / rounds);
    victim.process.kill('SIGKILL');
    for (const outcome of [await attach, await detach]) {
      if (outcome === 'done') continue;
      expect(outcome).toMatchObject({
        code: expect.stringMatching(/^GUEST_(UNREACHABLE|NOT_FOUND)$/),
        leftovers: [],
      });
    }
    await victim[Symbol.asyncDispose]();
    await letGo(await hold(charDevice.path));
  }
  expect(await driver.guests()).toEqual(['vm1']);
});

test('the example of docs/guests.md does what it says', async () => {
  makeSim();
  await driver.close(); // the monitor is one driver's alone
  const said: unknown[][] = [];
  const names = ['claim', 'deviceId', 'guest', 'mac', 'console'];
  const monitors = { '/run/guests/{guest}.qmp': guest.monitor };
  const example = await exampleOf('docs/guests.md', names, monitors);
  await example({
    claim: { id: 'claim1' },
    deviceId: 'vdpa/sim0',
    guest: guest.id,
    mac,
    console: { log: (...all: unknown[]) => said.push(all) },
  });
  expect(said).toEqual([[wanted().name, 'attached']]);
});
