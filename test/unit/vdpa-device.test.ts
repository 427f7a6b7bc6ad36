import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { UnusableReason } from '../../src/host/usability.js';
import { type VdpaDevice, vdpaDevices } from '../../src/host/vdpa-device.js';
import type { BusDeviceRow, PciFunctionRow, VdpaDeviceRow } from '../../src/rows.js';
import { finish } from '../../src/turns.js';
import { busDeviceRow, pciFunctionRow, pfRow, vdpaDeviceRow } from './support/rows.js';

interface Scene {
  readonly bus?: Partial<BusDeviceRow>;
  /** Null: the family does not list the device. */
  readonly family?: Partial<VdpaDeviceRow> | null;
  readonly functions?: readonly PciFunctionRow[];
  readonly consistent?: boolean;
}

const sf = { name: 'mlx5_core.sf.4', pfAddress: '0000:65:00.0', sfNumber: 88 };
const sfParent = 'pci0000:64/0000:64:02.0/0000:65:00.0/mlx5_core.sf.4';

function deviceOf({
  bus,
  family = {},
  functions = [pfRow(), pciFunctionRow()],
  consistent = true,
}: Scene) {
  const [device] = finish(
    vdpaDevices(
      family === null ? [] : [vdpaDeviceRow(family)],
      [busDeviceRow(bus)],
      {
        functions: new Map(functions.map((row) => [row.address, row])),
        scalableFunctions: new Map([[sf.name, sf]]),
      },
      consistent,
    ),
  );
  if (device === undefined) throw new Error('no device');
  return device;
}

/** Every reason there is; a new one does not compile without its case here. */
const scenes: Record<UnusableReason, Scene> = {
  'software-parent': { bus: { parentPath: '' }, family: { managementName: 'vdpasim_net' } },
  'scalable-function-parent': { bus: { parentPath: sfParent } },
  'pf-parent': { bus: { parentPath: 'pci0000:64/0000:64:02.0/0000:65:00.0' } },
  'not-a-vf': { functions: [pciFunctionRow({ pfAddress: '', vfIndex: null })] },
  'not-virtio-net': { family: { deviceId: 2 } },
  unmanaged: { family: null },
  'parent-shared': {},
  'bound-to-virtio-vdpa': { bus: { driver: 'virtio_vdpa', charDeviceName: null } },
  'not-bound': { bus: { driver: '', charDeviceName: null } },
  'bound-to-other-driver': { bus: { driver: 'other', charDeviceName: null } },
  'no-char-device': { bus: { charDeviceName: null } },
  'no-node': { bus: { nodeState: 0 } },
  'node-mismatch': { bus: { nodeState: 1 } },
};

describe('a vDPA device', () => {
  test('on a VF, bound to vhost_vdpa, with its node, is usable', () => {
    expect(deviceOf({})).toMatchObject({
      id: 'pci/0000:65:00.2',
      usable: true,
      reasons: [],
      parent: { kind: 'vf', vfIndex: 1, numaNode: 1, pfAddress: '0000:65:00.0' },
    });
  });

  test.each(Object.entries(scenes).filter(([reason]) => reason !== 'parent-shared'))(
    'is unusable for the one reason %s',
    (reason, scene) => {
      expect(deviceOf(scene)).toMatchObject({ usable: false, reasons: [reason] });
    },
  );

  test('is unusable when another stands on its parent, on software parents never', () => {
    const parents = { functions: new Map([['0000:65:00.2', pciFunctionRow()]]) };
    const devices = finish(
      vdpaDevices(
        ['a', 'b', 'c', 'd'].map((name) => vdpaDeviceRow({ name })),
        [
          busDeviceRow({ name: 'a' }),
          busDeviceRow({ name: 'b' }),
          busDeviceRow({ name: 'c', parentPath: '' }),
          busDeviceRow({ name: 'd', parentPath: '' }),
        ],
        { ...parents, scalableFunctions: new Map() },
        true,
      ),
    );
    expect(devices.map(({ reasons }) => reasons)).toEqual([
      ['parent-shared'],
      ['parent-shared'],
      ['software-parent'],
      ['software-parent'],
    ]);
  });

  test('has all of its reasons, parent first and binding last', () => {
    expect(
      deviceOf({
        bus: { parentPath: sfParent, driver: '', charDeviceName: null },
        family: { deviceId: 2 },
      }).reasons,
    ).toEqual(['scalable-function-parent', 'not-virtio-net', 'not-bound']);
  });

  test.each<[string, Scene, Partial<VdpaDevice['parent']>, string]>([
    [
      'a function that the inventory lacks',
      { functions: [] },
      { kind: 'pci', pciAddress: '0000:65:00.2' as never, pfAddress: null, numaNode: null },
      'pci/0000:65:00.2',
    ],
    [
      'vduse, by its path',
      { bus: { parentPath: 'virtual/vduse/disk0' }, family: null },
      { kind: 'vduse', pciAddress: null },
      'vdpa/vdpa0',
    ],
    [
      'anything else without PCI',
      { bus: { parentPath: 'platform/thing' }, family: { managementName: 'thing' } },
      { kind: 'other', pciAddress: null },
      'vdpa/vdpa0',
    ],
    [
      'a scalable function without a PF in the inventory',
      { bus: { parentPath: sfParent }, functions: [] },
      { kind: 'sf', pfAddress: '0000:65:00.0' as never, sfNumber: 88 },
      'pci/0000:65:00.0/sf/88',
    ],
  ])('on %s is placed as well as can be', (_, scene, parent, id) => {
    const device = deviceOf(scene);
    expect(device.parent).toMatchObject(parent);
    expect(device.id).toBe(id);
  });

  test('that only the family knows is left out: sysfs is what exists', () => {
    expect(
      finish(
        vdpaDevices(
          [vdpaDeviceRow()],
          [],
          { functions: new Map(), scalableFunctions: new Map() },
          true,
        ),
      ),
    ).toEqual([]);
  });

  test('counts the states of its node as native/core/records.h does', () => {
    const header = readFileSync(new URL('../../native/core/records.h', import.meta.url), 'utf8');
    const [, body = ''] = /enum class NodeState[^{]*\{([^}]*)\}/.exec(header) ?? [];
    const states = [...body.matchAll(/^\s*(k\w+),/gm)].map(([, name]) => name);
    expect(states).toEqual(['kMissing', 'kMismatch', 'kThere']);
  });

  test.each([
    [0, false],
    [1, false],
    [2, true],
  ])('of node state %i has its node there: %s', (nodeState, nodeExists) => {
    expect(deviceOf({ bus: { nodeState } }).charDevice).toEqual({
      path: '/dev/vhost-vdpa-3',
      major: 250,
      minor: 3,
      nodeExists,
    });
  });

  test('that the host itself uses is not blamed for its node', () => {
    const bus = { driver: 'virtio_vdpa', charDeviceName: null, nodeState: 1 };
    expect(deviceOf({ bus }).reasons).toEqual(['bound-to-virtio-vdpa']);
  });

  test('names its vendor in four digits at least', () => {
    expect(deviceOf({ family: { vendorId: 0x1a } }).vendorId).toBe('001a');
    expect(deviceOf({ family: { vendorId: 0xffff_ffff } }).vendorId).toBe('ffffffff');
  });
});

describe('a name that both readings have', () => {
  const elsewhere = { managementName: '0000:65:00.3', deviceId: 2 };
  const unmanaged = { class: null, managementDevice: null, maxVqs: null, reasons: ['unmanaged'] };

  test('is one device on a host that stood still', () => {
    expect(deviceOf({ family: elsewhere })).toMatchObject({
      class: 'block',
      managementDevice: 'pci/0000:65:00.3',
    });
  });

  test('is not, on a host that did not, when it moved to another function in between', () => {
    expect(deviceOf({ family: elsewhere, consistent: false })).toMatchObject(unmanaged);
  });

  test('is not, on a host that did not, when it moved to another scalable function', () => {
    const family = { managementBus: 'auxiliary', managementName: 'mlx5_core.sf.5', deviceId: 2 };
    const scene = { bus: { parentPath: sfParent }, family, consistent: false };
    expect(deviceOf(scene)).toMatchObject({ class: null, managementDevice: null, maxVqs: null });
  });

  test('is not when the function is but the beginning of the one in the path', () => {
    const bus = { parentPath: 'pci0000:64/0000:64:02.0/0000:65:00.2x' };
    expect(deviceOf({ bus, consistent: false })).toMatchObject({ managementDevice: null });
  });

  test.each<[string, Scene]>([
    ['on the same function', {}],
    ['below the function', { bus: { parentPath: 'pci0000:64/0000:64:02.0/0000:65:00.2/virtio0' } }],
    [
      'of a management device without PCI',
      { bus: { parentPath: '' }, family: { managementBus: '', managementName: 'vdpasim_net' } },
    ],
    [
      'of a scalable function',
      {
        bus: { parentPath: sfParent },
        family: { managementBus: 'auxiliary', managementName: sf.name },
      },
    ],
  ])('is one all the same %s', (_, scene) => {
    expect(deviceOf({ ...scene, consistent: false })).toMatchObject({ class: 'net', maxVqs: 9 });
  });
});
