import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pciDeviceId } from '../../src/host/device-id.js';
import { VdpaHost, type VdpaHostOptions } from '../../src/index.js';
import type { InstanceId } from '../../src/tracker/claim.js';
import { SqliteStore } from '../support/built-store.js';
import {
  addDevice,
  bind,
  deleteDevice,
  eachOnBareHost,
  enableVfs,
  long,
  pfA,
  pfB,
  until,
  vfOf,
} from '../support/lab-host.js';
import { vdpaRequest } from '../support/requests.js';

eachOnBareHost();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'claims-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const vm = (name: string): InstanceId => name as InstanceId;
const everything = { physical_network: 'net1' };
const idOf = (pf: string, index: number) => pciDeviceId(vfOf(pf, index) as never);

async function claiming(options: Partial<VdpaHostOptions> = {}): Promise<VdpaHost> {
  const store = new SqliteStore(join(folder, 'store'));
  return await VdpaHost.open({ deviceSpec: everything, store, ...options });
}

/** Ids of the vDPA devices that are to be had. */
function toBeHad(host: VdpaHost, type = 'vdpa'): string[] {
  return host.tracker
    .pools()
    .filter(({ keys }) => keys['dev_type'] === type)
    .flatMap(({ devices }) => devices);
}

test('a device is to be had as soon as it is ready, and no longer when it is gone', async () => {
  enableVfs(pfA, 2);
  await using host = await claiming();
  expect(toBeHad(host)).toEqual([]);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  await until(() => host.tracker.record(idOf(pfA, 0))?.device.type === 'vdpa');
  expect(await host.unclaimable()).toEqual([
    { id: idOf(pfA, 0), name: 'vdpa0', reasons: ['not-bound'] },
  ]);
  bind('vdpa0', 'vhost_vdpa');
  await until(() => toBeHad(host).length === 1);
  const claim = await host.claim({ instance: vm('vm1'), requests: [vdpaRequest()] });
  expect(claim.devices.map(({ deviceId }) => deviceId)).toEqual([idOf(pfA, 0)]);
  await host.release({ claim: claim.id });
  deleteDevice('vdpa0');
  await until(() => toBeHad(host).length === 0);
});

test('what was claimed is claimed after a restart, and its device comes back under another name', async () => {
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  bind('vdpa0', 'vhost_vdpa');
  const first = await claiming();
  const claim = await first.claim({ instance: vm('vm1'), requests: [vdpaRequest()] });
  await first.allocate({ claim: claim.id });
  await first.close();
  deleteDevice('vdpa0');
  addDevice('other', `pci/${vfOf(pfA, 0)}`);
  bind('other', 'vhost_vdpa');
  await using host = await claiming();
  expect(await host.claims()).toEqual([{ ...claim, status: 'allocated' }]);
  expect(host.tracker.record(idOf(pfA, 0))?.pending?.vdpa?.name).toBe('other');
  await host.release({ claim: claim.id });
  expect(host.tracker.record(idOf(pfA, 0))?.device.vdpa?.name).toBe('other');
  expect(toBeHad(host)).toEqual([idOf(pfA, 0)]);
});

test('a PF may come after its VFs have been claimed and lost, in any order', async () => {
  enableVfs(pfA, 1);
  enableVfs(pfB, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  bind('vdpa0', 'vhost_vdpa');
  await using host = await claiming();
  const claim = await host.claim({ instance: vm('vm1'), requests: [vdpaRequest()] });
  enableVfs(pfA, 0);
  await until(() => host.tracker.record(idOf(pfA, 0))?.vanished === true);
  expect((await host.audit()).map(({ code }) => code)).toEqual(['device-vanished']);
  enableVfs(pfA, 1);
  await until(() => host.tracker.record(idOf(pfA, 0))?.vanished === false);
  expect(host.tracker.record(pciDeviceId(pfA as never))?.status).toBe('unclaimable');
  await host.release({ claim: claim.id });
  expect(host.tracker.record(pciDeviceId(pfA as never))?.status).toBe('available');
});

test('who asks for a plain VF never gets one whose vDPA device is being made anew', async () => {
  enableVfs(pfA, 2);
  const name = 'vdpa0';
  const management = `pci/${vfOf(pfA, 0)}`;
  addDevice(name, management);
  await using host = await claiming();
  let done = false;
  const served = new Set<string>();
  const asking = (async () => {
    while (!done) {
      const requests = [vdpaRequest(1, { spec: [{ dev_type: 'type-VF' }] })];
      const claim = await host.claim({ instance: vm('greedy'), requests });
      for (const { deviceId } of claim.devices) served.add(deviceId);
      await host.release({ claim: claim.id });
      await turn();
    }
  })();
  for (let round = 0; round < (long ? 1000 : 20); round++) {
    deleteDevice(name);
    if (round % 2 === 0) await host.refresh();
    addDevice(name, management);
    if (round % 3 === 0) await host.refresh();
  }
  done = true;
  await asking;
  expect([...served]).toEqual([idOf(pfA, 1)]);
});

test('and gets it when the grace is over', async () => {
  enableVfs(pfA, 1);
  addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
  await using host = await claiming({ retypeGraceMs: 100 });
  deleteDevice('vdpa0');
  await until(
    () => host.tracker.record(idOf(pfA, 0))?.device.reasons.includes('vdpa-gone') === true,
  );
  expect(toBeHad(host, 'type-VF')).toEqual([]);
  await until(() => toBeHad(host, 'type-VF').length === 1);
});

test('simulators are to be had only where that is asked for', async () => {
  addDevice('sim0', 'vdpasim_net');
  bind('sim0', 'vhost_vdpa');
  {
    await using host = await claiming({ deviceSpec: {} });
    expect(host.tracker.records().filter(({ device }) => device.type === 'vdpa')).toEqual([]);
    expect(await host.unclaimable()).toMatchObject([
      { id: 'vdpa/sim0', reasons: ['software-parent', 'no-device-spec'] },
    ]);
  }
  await using host = await claiming({ deviceSpec: {}, allowSoftwareDevices: true });
  expect(toBeHad(host)).toEqual(['vdpa/sim0']);
  expect(host.tracker.record('vdpa/sim0' as never)?.device.extra).toEqual({ software: 'true' });
  const claim = await host.claim({ instance: vm('vm1'), requests: [vdpaRequest()] });
  expect(claim.devices).toHaveLength(1);
});

test('what a SmartNIC controls is told by the serial number of its card', async () => {
  enableVfs(pfA, 1);
  const deviceSpec = { product_id: '101e', physical_network: 'net1', remote_managed: true };
  await using host = await claiming({ deviceSpec });
  expect(host.tracker.records().map(({ device }) => device.extra['capabilities'])).toEqual([
    expect.stringMatching(/"card_serial_number":"LAB0000[0-9a-f]{2}"/),
  ]);
  const spec = [{ dev_type: 'type-VF', physical_network: 'net1', remote_managed: 'True' }];
  const claim = await host.claim({ instance: vm('vm1'), requests: [vdpaRequest(1, { spec })] });
  expect(claim.devices.map(({ deviceId }) => deviceId)).toEqual([idOf(pfA, 0)]);
});
