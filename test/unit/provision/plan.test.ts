import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceConfig } from '../../../src/host/device-config.js';
import { parseDeclaration } from '../../../src/host/parse-declaration.js';
import { type PlannedStep, type ProvisionState, planOf } from '../../../src/host/provision-plan.js';
import { type NodeOwner, type VfWish, wishesOf } from '../../../src/host/provision-wishes.js';
import type { Inventory, ProvisionDeclaration, VdpaDevice } from '../../../src/index.js';
import { inventory, managementDevice, netdev, pf, vf, vfDevice } from '../cli/support/inventory.js';

const accounts = { users: new Map([['qemu', 64055]]), groups: new Map([['kvm', 104]]) };
const withSetMac = { maxAttribute: 24, commands: [1, 3, 5, 6, 7, 8] };
const addresses = ['0000:65:00.0', '0000:b3:00.0'] as const;

interface World {
  /** VFs by PF. */
  readonly counts: readonly number[];
  readonly devices: readonly VdpaDevice[];
  readonly configs: ReadonlyMap<string, DeviceConfig>;
  readonly nodes: ReadonlyMap<string, NodeOwner>;
  readonly holders: ReadonlyMap<string, string>;
}

const empty = (...counts: readonly number[]): World => ({
  counts,
  devices: [],
  configs: new Map(),
  nodes: new Map(),
  holders: new Map(),
});

function inventoryOf({ counts, devices }: World, abi: Inventory['abi'] = withSetMac): Inventory {
  const pfs = counts.map((numVfs, index) =>
    pf(addresses[index] ?? '', { numVfs, totalVfs: 8, netdevs: [netdev(`eth${index}`)] }),
  );
  const vfs = pfs.flatMap((owner) =>
    Array.from({ length: owner.numVfs }, (_, index) => vf(owner, index)),
  );
  const managementDevices = vfs.map(({ address }) => managementDevice(`pci/${address}`));
  return inventory({ pfs, vfs, devices, managementDevices, abi });
}

function planned(declaration: ProvisionDeclaration, world: World, abi?: Inventory['abi']) {
  const all = inventoryOf(world, abi);
  const state: ProvisionState = { ...world, inventory: all };
  return planOf(wishesOf(parseDeclaration(declaration), all, accounts), state);
}

const node0: NodeOwner = { uid: 0, gid: 0, mode: 0o600 };

function configOf(wish: Partial<VfWish>): DeviceConfig {
  const { mac = null, mtu = null, maxVqPairs = null, features = null } = wish;
  return {
    name: '' as DeviceConfig['name'],
    class: 'net',
    features,
    featureNames: [],
    negotiatedFeatures: null,
    negotiatedFeatureNames: [],
    net: { mac, mtu, maxVqPairs, link: 'up', announce: false },
    block: null,
  };
}

/** What the kernel would make of a plan: a device that a step touched is exactly as wished. */
function resultOf(world: World, steps: readonly PlannedStep[]): World {
  let counts = [...world.counts];
  let devices = [...world.devices];
  const configs = new Map(world.configs);
  const nodes = new Map(world.nodes);
  for (const step of steps) {
    if (step.action === 'set-vfs') {
      counts = counts.map((count, index) => (addresses[index] === step.pf ? step.to : count));
      devices = devices.filter(({ parent }) => parent.pfAddress !== step.pf);
      continue;
    }
    const { wish } = step;
    const owner = pf(wish.pf);
    const parent = vf(owner, wish.vf);
    const old = devices.find(({ parent: { pciAddress } }) => pciAddress === parent.address);
    const name = wish.name ?? old?.name ?? parent.address;
    devices = devices.filter((device) => device !== old);
    const number = addresses.indexOf(wish.pf as never) * 8 + wish.vf;
    const charDevice = {
      path: `/dev/vhost-vdpa-${number}`,
      major: 511,
      minor: number,
      nodeExists: true,
    };
    const bound = wish.driver === 'vhost_vdpa';
    devices.push(
      vfDevice(name, parent, { driver: wish.driver, charDevice: bound ? charDevice : null }),
    );
    const before = old === undefined ? undefined : configs.get(old.name)?.net;
    configs.set(
      name,
      configOf({
        ...wish,
        mac: wish.mac ?? before?.mac ?? '02:ff:00:00:00:01',
        mtu: wish.mtu ?? before?.mtu ?? 1500,
      }),
    );
    nodes.set(charDevice.path, {
      uid: wish.node?.uid ?? node0.uid,
      gid: wish.node?.gid ?? node0.gid,
      mode: wish.node?.mode ?? node0.mode,
    });
  }
  return { ...world, counts, devices, configs, nodes };
}

const [first] = addresses;
const owner = pf(first);

/** A world with one device on VF 0 of two. */
function withDevice(
  config: Partial<VfWish> = {},
  parts: Parameters<typeof vfDevice>[2] = {},
  holders: World['holders'] = new Map(),
): World {
  const device = vfDevice('vdpa0', vf(owner, 0), parts);
  return {
    counts: [2],
    devices: [device],
    configs: new Map([['vdpa0', configOf({ mac: '02:00:00:00:00:01', mtu: 1500, ...config })]]),
    nodes: new Map([['/dev/vhost-vdpa-0', node0]]),
    holders,
  };
}

const onFirst = (device: object, pfKeys: object = {}): ProvisionDeclaration => ({
  pfs: [{ address: first, ...pfKeys, devices: [{ on: [0], ...device }] }],
});

describe('a plan', () => {
  test.each([
    ['nothing, when all is as declared', { mtu: 1500, mac: '02:00:00:00:00:01' }, []],
    ['the name', { name: 'other' }, ['recreate']],
    ['the MTU', { mtu: 9000 }, ['recreate']],
    ['queue pairs', { maxVqPairs: 2 }, ['recreate']],
    ['features', { features: ['MAC'] }, ['recreate']],
    ['MTU and MAC together', { mtu: 9000, mac: '02:00:00:00:00:02' }, ['recreate']],
    ['the MAC alone', { mac: '02:00:00:00:00:02' }, ['set-mac']],
    ['the driver', { driver: 'none' }, ['bind']],
    ['the owner', { owner: 'qemu' }, ['set-node']],
    ['the group', { group: 104 }, ['set-node']],
    ['the mode', { mode: '0660' }, ['set-node']],
    ['one queue pair, which a device without multiqueue has', { maxVqPairs: 1 }, []],
  ] as const)('changes no more than is needed: %s', (_, device, actions) => {
    const { steps, obstacles } = planned(onFirst(device), withDevice());
    expect([steps.map(({ action }) => action), obstacles]).toEqual([actions, []]);
  });

  test.each([
    ['queue pairs', { maxVqPairs: 129 }, 'has 257 virtqueues at most'],
    ['features', { features: ['CSUM'] }, 'does not offer CSUM'],
  ] as const)('deletes no device for one that cannot be made: %s', (_, device, words) => {
    const { steps, obstacles } = planned(onFirst(device), withDevice());
    const text = expect.stringMatching(new RegExp(`^vdpa0 differs .*${words}`));
    expect([steps, obstacles]).toEqual([[], [{ pf: first, vf: 0, text }]]);
    // Nor is it tried where there is none.
    expect(planned(onFirst(device), empty(1)).steps).toEqual([]);
  });

  test('deletes no device whose VF makes none any more', () => {
    const world = withDevice();
    const all = { ...inventoryOf(world), managementDevices: [] };
    const { steps, obstacles } = planOf(
      wishesOf(parseDeclaration(onFirst({ mtu: 9000 })), all, accounts),
      { ...world, inventory: all },
    );
    expect([steps, obstacles[0]?.text]).toEqual([[], expect.stringContaining('makes no vDPA')]);
  });

  test('creates anew for a MAC that an older kernel cannot set', () => {
    const old = { maxAttribute: 24, commands: [1, 3, 5, 6, 7] };
    const { steps } = planned(onFirst({ mac: '02:00:00:00:00:02' }), withDevice(), old);
    expect(steps).toMatchObject([{ action: 'recreate', name: 'vdpa0' }]);
  });

  test.each([
    ['whose node is open', {}, new Map([['vdpa0', 'qemu (pid 1)']]), 'open, by qemu (pid 1)'],
    ['that the host has', { driver: 'virtio_vdpa', charDevice: null }, new Map(), 'virtio_vdpa'],
  ] as const)('leaves a device alone %s', (_, parts, holders, words) => {
    const world = withDevice({}, parts, holders);
    for (const device of [{ mtu: 9000 }, { mac: '02:00:00:00:00:02' }, { driver: 'none' }]) {
      const { steps, obstacles } = planned(onFirst(device), world);
      expect([steps, obstacles]).toEqual([
        [],
        [{ pf: first, vf: 0, text: expect.stringContaining(words) }],
      ]);
    }
    const shrunk = planned(onFirst({}, { vfs: 1, shrink: true }), world);
    expect(shrunk.steps).toEqual([]);
    expect(shrunk.obstacles[0]?.text).toContain('would go, and it is in use');
  });

  test('does not look at the node of a device in use', () => {
    const held = withDevice({}, {}, new Map([['vdpa0', 'qemu (pid 1)']]));
    expect(planned(onFirst({ owner: 1 }), held)).toEqual({ steps: [], obstacles: [] });
  });

  test('takes no VFs away unless that is declared', () => {
    for (const vfs of [1, 4]) {
      const { steps, obstacles } = planned(onFirst({}, { vfs }), withDevice());
      expect([steps, obstacles[0]?.text]).toEqual([[], expect.stringContaining('"shrink": true')]);
      expect(planned(onFirst({}, { vfs, shrink: true }), withDevice()).steps[0]).toEqual({
        action: 'set-vfs',
        pf: first,
        from: 2,
        to: vfs,
      });
    }
  });

  test('says what cannot be: a missing PF or VF, a busy name, a device that does not answer', () => {
    const text = (declaration: ProvisionDeclaration, world = withDevice()) =>
      planned(declaration, world).obstacles.map((obstacle) => obstacle.text);
    expect(text({ pfs: [{ netdev: 'eth9' }] })).toEqual([
      'there is no PF with netdev eth9 (pfs[0])',
    ]);
    expect(text(onFirst({ on: [5] }))).toEqual(['there is no such VF: the PF has 2']);
    expect(text(onFirst({ on: [1], name: 'vdpa0' }))[0]).toContain('the name vdpa0 is taken');
    expect(text(onFirst({ mtu: 1 + 1499 }), { ...withDevice(), configs: new Map() })[0]).toContain(
      'cannot be read',
    );
    expect(text(onFirst({}, { vfs: 9 }), empty(0))[0]).toContain('it can have 8');
  });
});

describe('a declaration that contradicts itself on a host is refused whole', () => {
  test.each([
    [{ pfs: [{ address: first }, { netdev: 'eth0' }] }, 'pfs[1] and pfs[0] both mean 0000:65:00.0'],
    [
      { pfs: [{ ids: '15b3:101d', devices: [{ on: [0], mac: '02:00:00:00:00:01' }] }] },
      'mac 02:00:00:00:00:01 is given to vf 0 of 0000:65:00.0 and to vf 0 of 0000:b3:00.0',
    ],
    [{ pfs: [{ ids: '15b3:101d', devices: [{ on: [0], name: 'a' }] }] }, 'name a is given to'],
    [onFirst({ owner: 'nobody' }), 'pfs[0].devices[0]: there is no user nobody'],
    [
      onFirst({ mac: { base: 'fe:ff:ff:ff:ff:ff', increment: 1, pfIncrement: 1 }, on: [1] }),
      'ff:00:00:00:00:00, which no device can',
    ],
  ] as [ProvisionDeclaration, string][])('%j', (declaration, words) => {
    expect(() => planned(declaration, empty(2, 2))).toThrow(
      expect.objectContaining({
        code: 'DECLARATION_UNFIT',
        outcome: 'unchanged',
        message: expect.stringContaining(words),
      }),
    );
  });
});

const anyDevice = fc.record(
  {
    on: fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1 }),
    mac: fc.constant(true),
    mtu: fc.constantFrom(1500, 9000),
    maxVqPairs: fc.constantFrom(1, 2),
    driver: fc.constantFrom('vhost_vdpa', 'none'),
    name: fc.constant('v-{pf}-{vf}'),
  },
  { requiredKeys: ['on'] },
);
const anyPf = fc.record(
  { vfs: fc.integer({ min: 6, max: 8 }), shrink: fc.boolean(), devices: anyDevice.map((d) => [d]) },
  { requiredKeys: ['devices'] },
);
const anyDeclaration = fc.array(anyPf, { minLength: 1, maxLength: 2 }).map((pfs) => ({
  pfs: pfs.map(({ devices, ...entry }, index) => ({
    address: addresses[index],
    ...entry,
    // Of each PF its own addresses.
    devices: devices.map(({ mac, ...rest }) =>
      mac === undefined ? rest : { ...rest, mac: { base: `02:00:00:00:0${index}:00` } },
    ),
  })),
}));
const anyWorld = fc
  .tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 }), fc.option(anyDeclaration), fc.nat({ max: 7 }))
  .map(([a, b, earlier, held]): World => {
    const bare = empty(a, b);
    if (earlier === null) return bare;
    const made = resultOf(bare, planned(earlier, bare).steps);
    const name = made.devices[held]?.name;
    return { ...made, holders: new Map(name === undefined ? [] : [[name, 'qemu (pid 1)']]) };
  });

describe('whatever is declared, on whatever host', () => {
  test('planning on the planned result is empty, and what stood in the way still does', () => {
    fc.assert(
      fc.property(anyDeclaration, anyWorld, (declaration, world) => {
        const plan = planned(declaration, world);
        const result = resultOf(world, plan.steps);
        expect(planned(declaration, result)).toEqual({ steps: [], obstacles: plan.obstacles });
      }),
    );
  });

  test('no step touches a device in use or one that is not mentioned', () => {
    fc.assert(
      fc.property(anyDeclaration, anyWorld, (declaration, world) => {
        const { devices } = resultOf(world, planned(declaration, world).steps);
        const mentioned = new Set(
          declaration.pfs.flatMap(({ address, devices: [entry] }) =>
            (entry?.on ?? []).map((index) => `${address}/${index}`),
          ),
        );
        for (const device of world.devices) {
          const { pfAddress, vfIndex } = device.parent;
          const shrunk = declaration.pfs.some(
            ({ address, shrink, vfs = 8 }) =>
              address === pfAddress && shrink === true && (vfIndex ?? 0) >= vfs,
          );
          const own = mentioned.has(`${pfAddress}/${vfIndex}`) || shrunk;
          if (!own || world.holders.has(device.name)) expect(devices).toContain(device);
        }
      }),
    );
  });
});
