import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Inventory } from '../../../src/host/inventory.js';
import type { PciFunction } from '../../../src/host/pci-function.js';
import { capabilitiesOf } from '../../../src/policy/capabilities.js';
import { pciFactsOf } from '../../../src/policy/pci-facts.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';
import { type ReportOptions, reportedDevices } from '../../../src/policy/reported-devices.js';
import { finish } from '../../../src/turns.js';
import { anyInventory } from '../cli/support/arbitrary-inventory.js';
import {
  device,
  inventory,
  netdev,
  pciFunction,
  pf,
  sfDevice,
  simulator,
  unbound,
  vf,
  vfDevice,
} from '../cli/support/inventory.js';

const owner = pf('0000:65:00.0', { netdevs: [netdev('ens1f0', { mac: 'b8:ce:f6:00:00:01' })] });
const plain = vf(owner, 0);

function report(parts: Partial<Inventory>, options?: ReportOptions): ReportedDevice[] {
  return finish(reportedDevices(inventory(parts), options));
}

const byId = (devices: readonly ReportedDevice[], id: string) =>
  devices.find((one) => one.id === id);

describe('the report of a host', () => {
  test('has a PF with the address of its interface, and a plain VF with its place', () => {
    expect(report({ pfs: [owner], vfs: [plain] })).toEqual([
      {
        id: 'pci/0000:65:00.0',
        type: 'type-PF',
        address: '0000:65:00.0',
        vendorId: '15b3',
        productId: '101d',
        numaNode: 0,
        parentAddress: null,
        extra: { mac_address: 'b8:ce:f6:00:00:01' },
        vdpa: null,
        reasons: [],
      },
      {
        id: 'pci/0000:65:00.2',
        type: 'type-VF',
        address: '0000:65:00.2',
        vendorId: '15b3',
        productId: '101e',
        numaNode: 0,
        parentAddress: '0000:65:00.0',
        extra: { capabilities: '{"sriov":{"pf_mac_address":"b8:ce:f6:00:00:01","vf_num":0}}' },
        vdpa: null,
        reasons: [],
      },
    ]);
  });

  test('has a VF with a vDPA device as vdpa, without what nova tells of plain VFs alone', () => {
    const [, one] = report({ pfs: [owner], vfs: [plain], devices: [vfDevice('vdpa0', plain)] });
    expect(one).toMatchObject({
      id: 'pci/0000:65:00.2',
      type: 'vdpa',
      extra: {},
      vdpa: { name: 'vdpa0', charDevice: '/dev/vhost-vdpa-0' },
      reasons: [],
    });
  });

  test('has the serial number of the card, which is the PF’s for a plain VF, and for a vDPA device its own', () => {
    const carrier = vf(owner, 1);
    const other = pciFunction('0000:01:00.0');
    const parts = {
      pfs: [owner],
      vfs: [plain, carrier],
      others: [other],
      devices: [vfDevice('vdpa0', carrier)],
    };
    const vpdOf = (addresses: readonly PciFunction[]) =>
      report(parts, {
        serials: new Map(addresses.map(({ address }, index) => [address, `CARD${index}`])),
      }).map((one) => capabilitiesOf(one).vpd?.card_serial_number);
    expect(vpdOf([owner])).toEqual(['CARD0', 'CARD0', undefined, undefined]);
    expect(vpdOf([plain, carrier, other])).toEqual([undefined, 'CARD0', 'CARD1', 'CARD2']);
  });

  test('names the PF’s interface for a VF that has one itself', () => {
    const withNetdev = vf(owner, 1, { netdevs: [netdev('ens1f0v1')] });
    const ifnameOf = (pfs: Inventory['pfs']) =>
      report({ pfs, vfs: [withNetdev] }).at(-1)?.extra['parent_ifname'];
    expect(ifnameOf([owner])).toBe('ens1f0');
    expect(ifnameOf([pf('0000:65:00.0')])).toBeUndefined();
    expect(ifnameOf([])).toBeUndefined();
  });

  test('does not claim to know what the host does not tell', () => {
    const orphan = vf(pf('0000:f0:00.0'), 0, { vfIndex: null, numaNode: null });
    expect(report({ vfs: [orphan] })).toMatchObject([{ extra: {}, numaNode: null }]);
    const bare = pf('0000:65:00.0', { netdevs: [netdev('ib0', { mac: null })] });
    expect(report({ pfs: [bare] })).toMatchObject([{ extra: {} }]);
  });

  test('says why a vDPA device of a VF cannot be had, of whatever class and driver it is', () => {
    const reasons = ['not-virtio-net', 'not-bound'] as const;
    const block = vfDevice('vdpa0', plain, { ...unbound, class: 'block', reasons });
    expect(report({ vfs: [plain], devices: [block] })).toMatchObject([
      { type: 'vdpa', reasons, vdpa: { charDevice: null } },
    ]);
  });

  test('has a VF with two vDPA devices once, with what stands against either', () => {
    const devices = [
      vfDevice('vdpa0', plain, { reasons: ['parent-shared'] }),
      vfDevice('vdpa1', plain, { reasons: ['not-bound', 'parent-shared'] }),
    ];
    expect(report({ vfs: [plain], devices })).toMatchObject([
      { type: 'vdpa', vdpa: { name: 'vdpa0' }, reasons: ['parent-shared', 'not-bound'] },
    ]);
  });

  test('has other functions with the type that they have without vDPA', () => {
    const other = pciFunction('0000:01:00.0');
    const devices = [
      device('vdpa0', 'pf', { id: `pci/${owner.address}`, parent: { pciAddress: owner.address } }),
      device('vdpa1', 'pci', { id: `pci/${other.address}`, parent: { pciAddress: other.address } }),
    ];
    expect(report({ pfs: [owner], others: [other], devices })).toMatchObject([
      { id: 'pci/0000:65:00.0', type: 'type-PF', vdpa: null },
      { id: 'pci/0000:01:00.0', type: 'type-PCI', vdpa: null },
    ]);
  });

  test('has a PF without room for VFs as a plain function, as device_spec sees it', () => {
    const small = inventory({ pfs: [pf('0000:65:00.0', { totalVfs: 0 })] });
    expect(report(small)).toMatchObject([{ type: 'type-PCI' }]);
    expect(pciFactsOf(small).physicalFunction(owner.address)).toBeNull();
  });

  test('has the device of a scalable function as one that nobody can have', () => {
    const devices = [sfDevice('vdpa3', owner, 88)];
    expect(byId(report({ pfs: [owner], devices }), 'pci/0000:65:00.0/sf/88')).toMatchObject({
      type: 'vdpa',
      address: null,
      parentAddress: '0000:65:00.0',
      vendorId: '15b3',
      reasons: ['scalable-function-parent'],
    });
  });

  test('leaves simulators out, unless they are allowed: then they are marked', () => {
    const devices = [simulator('sim0'), simulator('sim1', { class: 'block' })];
    expect(report({ devices })).toEqual([]);
    expect(report({ devices }, { allowSoftwareDevices: true })).toMatchObject([
      {
        id: 'vdpa/sim0',
        type: 'vdpa',
        address: null,
        parentAddress: null,
        extra: { software: 'true' },
        reasons: [],
      },
      { id: 'vdpa/sim1', reasons: ['not-virtio-net'] },
    ]);
  });

  test('has every function once, and as vdpa exactly the VFs that carry vDPA', () => {
    fc.assert(
      fc.property(anyInventory, (host) => {
        const devices = finish(reportedDevices(host, { allowSoftwareDevices: true }));
        const ids = devices.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        const carriers = new Set(
          host.devices.filter(({ parent }) => parent.kind === 'vf').map(({ id }) => id),
        );
        for (const one of [...host.pfs, ...host.vfs, ...host.others]) {
          const found = byId(devices, `pci/${one.address}`);
          expect(found?.address).toBe(one.address);
          const expected = 'pfAddress' in one && carriers.has(found?.id ?? ('' as never));
          expect(found?.type === 'vdpa').toBe(expected);
        }
        for (const one of devices.filter(({ address }) => address !== null)) {
          const on = host.devices.filter(({ id }) => id === one.id && one.type === 'vdpa');
          expect(one.reasons.length === 0).toBe(on.every(({ usable }) => usable));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('what device_spec is told of a host', () => {
  const facts = pciFactsOf(
    inventory({
      pfs: [owner, pf('0000:66:00.0')],
      vfs: [vf(owner, 0, { netdevs: [netdev('ens1f0v0')] })],
      others: [pciFunction('0000:01:00.0', { netdevs: [netdev('eth0')] })],
    }),
  );

  test('are the functions of its interfaces', () => {
    const named = ['ens1f0', 'ens1f0v0', 'eth0', 'lo'].map((name) => facts.functionOfNetdev(name));
    expect(named).toEqual(['0000:65:00.0', '0000:65:00.2', '0000:01:00.0', null]);
  });

  test('are its PFs, with the product of their VFs where there are some', () => {
    const ids = { vendorId: '15b3', productId: '101d' };
    expect(facts.physicalFunction(owner.address)).toEqual({ ...ids, vfProductId: '101e' });
    const empty = facts.physicalFunction('0000:66:00.0' as typeof owner.address);
    expect(empty).toEqual({ ...ids, vfProductId: null });
    expect(facts.physicalFunction('0000:65:00.2' as typeof owner.address)).toBeNull();
  });
});
