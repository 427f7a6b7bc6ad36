import fc from 'fast-check';
import { reasonTexts } from '../../../../src/cli/view/device-state.js';
import type { Inventory, UnusableReason, VdpaDevice } from '../../../../src/index.js';
import {
  device,
  inventory,
  managementDevice,
  netdev,
  pciFunction,
  pf,
  sfDevice,
  sfManagement,
  simulator,
  vf,
  vfDevice,
} from './inventory.js';

const numaNode = fc.option(fc.nat({ max: 3 }));
const driver = fc.option(fc.constantFrom('mlx5_core', 'vfio-pci', 'virtio-pci'));
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });

const reasonList = fc.subarray(Object.keys(reasonTexts) as UnusableReason[]);

/** Where a device stands; numbers choose among what the host happens to have. */
const place = fc.record({
  kind: fc.constantFrom('vf', 'vf', 'vf', 'pf', 'sf', 'pci', 'simulator', 'block', 'vduse', 'lost'),
  at: fc.nat(),
  class: fc.constantFrom('net', 'block', 'virtio-18', null),
  bound: fc.boolean(),
  reasons: fc.oneof(fc.constant([]), reasonList),
  suffix: fc.oneof(fc.constant(''), text),
});

/**
 * Any host: PFs with any mixture of VFs, functions without a PF, devices on all of them, several on
 * one and some on nothing that is there. Names begin with `<n>` so that each can be found again.
 */
export const anyInventory: fc.Arbitrary<Inventory> = fc
  .record({
    pfs: fc.array(
      fc.record({ numaNode, driver, vfs: fc.nat({ max: 40 }), names: fc.array(text) }),
      { maxLength: 3 },
    ),
    vfDrivers: fc.array(driver, { minLength: 1, maxLength: 9 }),
    orphans: fc.nat({ max: 2 }),
    others: fc.array(fc.record({ numaNode, driver }), { maxLength: 2 }),
    places: fc.array(place, { maxLength: 25 }),
    managed: fc.boolean(),
    abi: fc.boolean(),
    consistent: fc.boolean(),
  })
  .map((host) => {
    const pfs = host.pfs.map(({ names, vfs, ...rest }, index) =>
      pf(`0000:${(0x10 + index * 4).toString(16)}:00.0`, {
        ...rest,
        numVfs: vfs,
        totalVfs: 64,
        netdevs: names.map((name) => netdev(name)),
      }),
    );
    const lostPf = pf('0000:f0:00.0');
    const vfs = [
      ...pfs.flatMap((owner) =>
        Array.from({ length: owner.numVfs }, (_, index) =>
          vf(owner, index, { driver: host.vfDrivers[index % host.vfDrivers.length] ?? null }),
        ),
      ),
      ...Array.from({ length: host.orphans }, (_, index) => vf(lostPf, index)),
    ];
    const others = host.others.map((rest, index) => pciFunction(`0000:0${index}:00.0`, rest));
    const devices = host.places.map(({ kind, at, suffix, ...facts }, index): VdpaDevice => {
      const name = `<${index}>${suffix}`;
      const parts = {
        class: facts.class as VdpaDevice['class'],
        reasons: facts.reasons,
        ...(facts.bound ? {} : { driver: null, charDevice: null }),
      };
      const someVf = vfs[at % Math.max(1, vfs.length)] ?? vf(lostPf, 7);
      const somePf = pfs[at % Math.max(1, pfs.length)] ?? lostPf;
      const someOther = others[at % Math.max(1, others.length)] ?? pciFunction('0000:ff:00.0');
      const onFunction = (address: typeof someOther.address) => ({
        ...parts,
        id: `pci/${address}`,
        parent: { pciAddress: address },
      });
      switch (kind) {
        case 'vf':
          return vfDevice(name, someVf, parts);
        case 'pf':
          return device(name, 'pf', onFunction(somePf.address));
        case 'sf':
          return sfDevice(name, at % 3 === 0 ? someOther : somePf, at % 4, parts);
        case 'pci':
          return device(name, 'pci', onFunction(someOther.address));
        case 'simulator':
        case 'block':
          return simulator(name, kind === 'block' ? { ...parts, class: 'block' } : parts);
        case 'vduse':
          return device(name, 'vduse', { ...parts, managementDevice: 'vduse' });
        default:
          return vfDevice(name, vf(lostPf, 100 + (at % 9)), parts);
      }
    });
    return inventory({
      pfs,
      vfs,
      others,
      devices,
      managementDevices: host.managed
        ? [
            ...vfs.map(({ address }) => managementDevice(`pci/${address}`)),
            ...[...pfs, ...others].flatMap((owner) =>
              [1, 9].map((sfNumber) => sfManagement(owner, sfNumber)),
            ),
            managementDevice('vduse', { features: null, maxVqs: null }),
          ]
        : [],
      abi: host.abi ? { maxAttribute: 24, commands: [1, 3] } : null,
      consistent: host.consistent,
    });
  });
