import type { Inventory } from '../../../../src/index.js';
import {
  inventory,
  managementDevice,
  netdev,
  pf,
  sfDevice,
  sfManagement,
  simulator,
  unbound,
  vf,
  vfDevice,
} from './inventory.js';

/** The host of docs/cli.md: two ports, a bit of everything. */
export function sampleHost(): Inventory {
  const first = pf('0000:65:00.0', {
    totalVfs: 32,
    numVfs: 32,
    netdevs: [netdev('enp101s0f0np0', { physPortName: 'p0', physSwitchId: '00c1b8fefff6ceb8' })],
  });
  const second = pf('0000:b3:00.0', {
    totalVfs: 16,
    numVfs: 0,
    numaNode: 1,
    netdevs: [netdev('enp179s0f0np0', { ifindex: 3 })],
  });
  const vfs = Array.from({ length: 32 }, (_, index) =>
    vf(first, index, {
      iommuGroup: 50 + index,
      representor: netdev(`enp101s0f0npf0vf${index}`, {
        ifindex: 10 + index,
        physPortName: `pf0vf${index}`,
        physSwitchId: '00c1b8fefff6ceb8',
      }),
    }),
  );
  const on = (index: number) => vfs[index] ?? vf(first, index);
  return inventory({
    pfs: [first, second],
    vfs,
    devices: [
      simulator('sim0', {
        charDevice: { path: '/dev/vhost-vdpa-9', major: 511, minor: 9, nodeExists: true },
      }),
      vfDevice('vdpa0', on(0)),
      vfDevice('vdpa1', on(1)),
      vfDevice('vdpa2', on(2), unbound),
      vfDevice('vdpa3', on(3), {
        driver: 'virtio_vdpa',
        charDevice: null,
        reasons: ['bound-to-virtio-vdpa'],
      }),
      vfDevice('vdpa4', on(4), {
        charDevice: { path: '/dev/vhost-vdpa-2', major: 511, minor: 2, nodeExists: false },
        reasons: ['no-node'],
      }),
      sfDevice('vdpa5', first, 88),
    ],
    managementDevices: [
      ...vfs.map(({ address }) => managementDevice(`pci/${address}`)),
      sfManagement(first, 88),
      sfManagement(first, 89),
      managementDevice('vdpasim_net', { maxVqs: 3 }),
      managementDevice('vduse', { maxVqs: null, features: null, featureNames: [] }),
    ],
  });
}
