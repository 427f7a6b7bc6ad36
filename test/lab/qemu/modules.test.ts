// Modules that go and come on one processor while the other reads.
import { beforeAll, describe, expect, test } from 'vitest';
import { type Inventory, VdpaError, VdpaHost } from '../../../src/index.js';
import * as lab from '../../support/lab-host.js';
import { elsewhere, stayHere } from './processors.js';

beforeAll(() => stayHere());
lab.eachOnBareHost();

const nic = lab.nicParameters().join(' ');
const rounds = 10;

describe('while another processor unloads and loads', () => {
  test.each([
    ['the NIC', `rmmod labnic; modprobe labnic ${nic}`],
    [
      'vhost_vdpa',
      `rmmod vhost_vdpa; modprobe vhost_vdpa; vdpa dev add name b mgmtdev pci/${lab.vfOf(lab.pfB, 0)}
       echo b >/sys/bus/vdpa/drivers/vhost_vdpa/bind; vdpa dev del b`,
    ],
    [
      'all of vDPA',
      // A dump under way holds the family's module for a moment.
      `rmmod labnic vhost_vdpa virtio_vdpa
       for i in $(seq 500); do rmmod vdpa 2>/dev/null && break; sleep 0.01; done; [ ! -d /sys/module/vdpa ]
       modprobe -a vhost_vdpa virtio_vdpa; echo 0 >/sys/bus/vdpa/drivers_autoprobe
       modprobe labnic ${nic}; echo 4 >/sys/bus/pci/devices/${lab.pfA}/sriov_numvfs`,
    ],
  ])(
    '%s, an answer is right or a typed error',
    async (_what, round) => {
      lab.enableVfs(lab.pfA, 4);
      lab.enableVfs(lab.pfB, 1);
      await using host = await VdpaHost.open();
      const { pfs, vfs } = await host.inventory();
      const addresses = new Set([...pfs, ...vfs].map(({ address }) => address));
      const other = elsewhere('bash', '-ec', `for i in $(seq ${rounds}); do ${round}\ndone`);

      const answers: Inventory[] = [];
      const refusals: unknown[] = [];
      while (other.exitCode === null && other.signalCode === null) {
        await host.inventory().then(
          (answer) => answers.push(answer),
          (reason: unknown) => refusals.push(reason),
        );
      }

      expect(other.exitCode).toBe(0);
      expect(refusals.filter((reason) => !(reason instanceof VdpaError))).toEqual([]);
      expect(answers.length).toBeGreaterThan(rounds);
      // It was read in more than one state.
      const states = answers.map(({ pfs, devices, abi }) => [pfs.length, devices.length, abi]);
      expect(new Set(states.map((state) => JSON.stringify(state))).size).toBeGreaterThan(1);
      for (const { pfs, vfs, devices, managementDevices, abi } of answers) {
        for (const { address } of [...pfs, ...vfs]) expect(addresses).toContain(address);
        for (const { name, parent } of devices) {
          expect([name, parent.pciAddress]).toEqual(['b', lab.vfOf(lab.pfB, 0)]);
        }
        if (abi === null) expect(managementDevices).toEqual([]);
      }
      // And the host that lived through all of it still reads what is there.
      lab.enableVfs(lab.pfA, 0);
      lab.enableVfs(lab.pfB, 0);
      lab.enableVfs(lab.pfA, 4);
      const after = await host.inventory();
      expect(after.consistent).toBe(true);
      expect(after.pfs.map(({ address }) => address)).toEqual(pfs.map(({ address }) => address));
      expect(after.vfs).toHaveLength(4);
      expect(after.managementDevices).toHaveLength(4);
    },
    600_000,
  );
});
