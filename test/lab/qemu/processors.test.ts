// Two processors: one reads the host while the other one changes it.
import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type VdpaDevice, VdpaHost } from '../../../src/index.js';
import { openNativeHost } from '../../../src/native.js';
import * as lab from '../../support/lab-host.js';
import { elsewhere, stayHere, stop } from './processors.js';

const bare = { managementBus: 'pci', mac: null, mtu: null, maxVqPairs: null, features: null };
beforeAll(() => stayHere());
afterEach(() => {
  for (const pf of [lab.pfA, lab.pfB]) lab.enableVfs(pf, 0);
});
lab.eachOnBareHost();

/** Devices on the first VFs of a PF; those whose number divides by `every` are bound. */
async function addDevices(pf: string, count: number, every: number): Promise<string[]> {
  const native = openNativeHost('/');
  const names = Array.from({ length: count }, (_, index) => `v${pf.slice(5, 7)}-${index}`);
  for (const [index, name] of names.entries()) {
    await native.addDevice({ ...bare, name, managementName: lab.vfOf(pf, index) }, 10_000);
    if (index % every === 0) lab.bind(name, 'vhost_vdpa');
  }
  await native.close();
  return names;
}

/** Brings the second PF back, however it went. Whether it is there, and stays. */
function putBack(): boolean {
  if (lab.nicParameterValue('pull') !== '0') return false; // on its way out
  if (lab.exists(`/sys/bus/pci/devices/${lab.pfB}`)) return true;
  lab.nicParameter('put_back', 1);
  writeFileSync('/sys/bus/pci/rescan', '1');
  return lab.exists(`/sys/bus/pci/devices/${lab.pfB}`);
}

const named = (devices: readonly VdpaDevice[], names: ReadonlySet<string>) =>
  devices.filter(({ name }) => names.has(name));

describe('while another processor deletes, adds and binds devices', () => {
  // More than one receive of the kernel's list holds, so that a list can be hit between two.
  const perPf = 160;

  test('every device that lives throughout is there, once, as it was', async () => {
    const vfs = new Map<string, string>();
    for (const pf of [lab.pfA, lab.pfB]) {
      lab.enableVfs(pf, perPf);
      const names = await addDevices(pf, perPf, 2);
      for (const [index, name] of names.entries()) vfs.set(name, lab.vfOf(pf, index));
    }
    const names = [...vfs.keys()];
    const coming = names.filter((_, index) => index % 3 === 0);
    const lasting = new Set(names.filter((_, index) => index % 3 !== 0));
    await using host = await VdpaHost.open();
    const before = await host.inventory();
    const last = named(before.devices, lasting);
    expect(last).toHaveLength(lasting.size);
    expect(last.filter(({ usable }) => usable).length).toBeGreaterThan(100);

    const other = elsewhere(
      process.execPath,
      'test/lab/qemu/churn-worker.mjs',
      ...coming.map((name) => `${name}=${vfs.get(name)}`),
    );
    let disturbed = 0;
    try {
      // It is at work once a device that nobody bound is bound.
      const unbound = names.find((_name, index) => index % 3 === 0 && index % 2 === 1);
      const sign = `/sys/bus/vdpa/devices/${unbound}/driver`;
      await lab.until(() => lab.exists(sign) || other.exitCode !== null);
      for (let round = 0; round < 30; round++) {
        const { devices, vfs: functions, consistent } = await host.inventory();
        expect(isDeepStrictEqual(named(devices, lasting), last)).toBe(true);
        expect(new Set(devices.map(({ name }) => name)).size).toBe(devices.length);
        for (const { name, parent } of devices) expect(parent.pciAddress).toBe(vfs.get(name));
        expect(isDeepStrictEqual(functions, before.vfs)).toBe(true);
        const one = last[round % last.length];
        if (one?.usable) expect(host.resolve(one.id).charDevice).toEqual(one.charDevice);
        if (!consistent) disturbed++;
      }
    } finally {
      await stop(other);
    }
    // The other processor was at work while this one read.
    expect(disturbed).toBeGreaterThan(0);
    expect((await host.inventory()).consistent).toBe(true);
  }, 900_000);
});

describe('while another processor takes away and brings back', () => {
  const pf = `/sys/bus/pci/devices/${lab.pfB}`;
  const parameters = '/sys/module/labnic/parameters';

  test.each([
    ['the VFs of a PF', `echo 8 >${pf}/sriov_numvfs; sleep 0.3; echo 0 >${pf}/sriov_numvfs`],
    [
      'the PF itself',
      `echo 8 >${pf}/sriov_numvfs; sleep 0.3; echo 1 >${parameters}/pull
       while test -e ${pf}; do :; done
       until echo 1 2>/dev/null >${parameters}/put_back; do :; done
       echo 1 >/sys/bus/pci/rescan`,
    ],
  ])(
    '%s, the other PF is as it was',
    async (_what, round) => {
      lab.enableVfs(lab.pfA, 16);
      await addDevices(lab.pfA, 16, 2);
      await using host = await VdpaHost.open();
      const before = await host.inventory();
      expect(before.devices).toHaveLength(16);

      const other = elsewhere('bash', '-c', `while :; do ${round}\ndone`);
      const counts = new Set<number>();
      try {
        for (let read = 0; read < 100; read++) {
          const { pfs, vfs, devices } = await host.inventory();
          expect(devices).toEqual(before.devices);
          expect(vfs.filter(({ pfAddress }) => pfAddress === lab.pfA)).toEqual(before.vfs);
          expect(pfs[0]).toEqual(before.pfs[0]);
          const coming = vfs.filter(({ pfAddress }) => pfAddress !== lab.pfA);
          expect(coming.map(({ pfAddress }) => pfAddress)).toEqual(coming.map(() => lab.pfB));
          counts.add(coming.length);
        }
      } finally {
        await stop(other);
        // Its end may have come between the pull and the return, or within either.
        await lab.until(() => putBack());
      }
      // Some readings met VFs, some met none.
      expect(counts.size).toBeGreaterThan(1);
      expect(Math.min(...counts)).toBe(0);
      expect(Math.max(...counts)).toBe(8);
    },
    600_000,
  );
});
