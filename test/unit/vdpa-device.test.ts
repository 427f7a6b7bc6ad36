import { describe, expect, test } from 'vitest';
import { type UnusableReason, type VdpaDevice, vdpaDevices } from '../../src/host/vdpa-device.js';
import type { BusDeviceRow, PciFunctionRow, VdpaDeviceRow } from '../../src/rows.js';
import { busDeviceRow, pciFunctionRow, pfRow, vdpaDeviceRow } from './support/rows.js';

interface Scene {
  readonly bus?: Partial<BusDeviceRow>;
  /** Null: the family does not list the device. */
  readonly family?: Partial<VdpaDeviceRow> | null;
  readonly functions?: readonly PciFunctionRow[];
}

const sf = { name: 'mlx5_core.sf.4', pfAddress: '0000:65:00.0', sfNumber: 88 };
const sfParent = 'pci0000:64/0000:64:02.0/0000:65:00.0/mlx5_core.sf.4';

function deviceOf({ bus, family = {}, functions = [pfRow(), pciFunctionRow()] }: Scene) {
  const [device] = vdpaDevices(
    family === null ? [] : [vdpaDeviceRow(family)],
    [busDeviceRow(bus)],
    {
      functions: new Map(functions.map((row) => [row.address, row])),
      scalableFunctions: new Map([[sf.name, sf]]),
    },
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
  'no-node': { bus: { nodeExists: false } },
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
    const devices = vdpaDevices(
      ['a', 'b', 'c', 'd'].map((name) => vdpaDeviceRow({ name })),
      [
        busDeviceRow({ name: 'a' }),
        busDeviceRow({ name: 'b' }),
        busDeviceRow({ name: 'c', parentPath: '' }),
        busDeviceRow({ name: 'd', parentPath: '' }),
      ],
      { ...parents, scalableFunctions: new Map() },
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
      vdpaDevices([vdpaDeviceRow()], [], { functions: new Map(), scalableFunctions: new Map() }),
    ).toEqual([]);
  });

  test('names its vendor in four digits at least', () => {
    expect(deviceOf({ family: { vendorId: 0x1a } }).vendorId).toBe('001a');
    expect(deviceOf({ family: { vendorId: 0xffff_ffff } }).vendorId).toBe('ffffffff');
  });
});
