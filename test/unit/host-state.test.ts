import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HostState } from '../../src/host/host-state.js';
import { isReady } from '../../src/host/inventory-changes.js';
import type { Inventory } from '../../src/index.js';
import type { SnapshotRow } from '../../src/rows.js';
import { finish } from '../../src/turns.js';
import { Follower } from './support/follow-events.js';
import { busDeviceRow, pciFunctionRow, pfRow, snapshotRow, vdpaDeviceRow } from './support/rows.js';

/** Where a device of the small host may stand. */
const places = [
  ...[1, 2, 3].map((fn) => ({ path: `pci0000:64/0000:65:00.${fn}`, handle: `0000:65:00.${fn}` })),
  { path: 'pci0000:64/0000:65:00.0/mlx5_core.sf.4', handle: 'mlx5_core.sf.4' },
  { path: 'pci0000:64/0000:65:00.0', handle: '0000:65:00.0' },
  { path: '', handle: 'vdpasim_net' },
];

/** One device as it may be at some moment. */
const oneDevice = fc.record({
  place: fc.constantFrom(...places),
  driver: fc.constantFrom('', 'vhost_vdpa', 'vhost_vdpa', 'virtio_vdpa'),
  node: fc.nat(2),
  deviceId: fc.constantFrom(1, 2),
  managed: fc.boolean(),
});
type OneDevice = typeof oneDevice extends fc.Arbitrary<infer T> ? T : never;
type Devices = ReadonlyMap<string, OneDevice>;

const names = ['vdpa0', 'vdpa1', 'vdpa2', 'vdpa10', 'x'];

function deviceRows(devices: Devices, of: readonly string[]) {
  const there = of.flatMap((name) => {
    const device = devices.get(name);
    return device === undefined ? [] : [{ name, ...device }];
  });
  return {
    busDevices: there.map(({ name, place, driver, node }) =>
      busDeviceRow({
        name,
        parentPath: place.path,
        driver,
        charDeviceName: driver === 'vhost_vdpa' ? `vhost-vdpa-${names.indexOf(name)}` : null,
        nodeState: node,
      }),
    ),
    vdpaDevices: there
      .filter(({ managed }) => managed)
      .map(({ name, place, deviceId }) =>
        vdpaDeviceRow({
          name,
          deviceId,
          managementBus: place.path === '' ? '' : 'pci',
          managementName: place.handle,
        }),
      ),
  };
}

function rows(devices: Devices): SnapshotRow {
  const vf = (fn: number) => pciFunctionRow({ address: `0000:65:00.${fn}`, vfIndex: fn - 1 });
  return snapshotRow({
    pciFunctions: [pfRow(), vf(1), vf(2), vf(3)],
    scalableFunctions: [{ name: 'mlx5_core.sf.4', pfAddress: '0000:65:00.0', sfNumber: 88 }],
    ...deviceRows(devices, [...devices.keys()]),
  });
}

const someDevices = fc.dictionary(fc.constantFrom(...names), oneDevice);
const readyNames = ({ devices }: Inventory) => devices.filter(isReady).map(({ name }) => name);

describe('a host of which single devices are read', () => {
  test('is what a reading of everything says, after any changes', () => {
    const steps = fc.array(
      fc.record({
        // Null: it is gone.
        changes: fc.dictionary(fc.constantFrom(...names), fc.option(oneDevice), { minKeys: 1 }),
        alsoNamed: fc.subarray(names),
        recreated: fc.subarray(names),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(someDevices, steps, (start, changesOverTime) => {
        const devices = new Map(Object.entries(start));
        const state = finish(HostState.of(rows(devices)));
        const follower = new Follower(state.inventory, readyNames(state.inventory));
        for (const { changes, alsoNamed, recreated } of changesOverTime) {
          for (const [name, device] of Object.entries(changes)) {
            if (device === null) devices.delete(name);
            else devices.set(name, device);
          }
          const asked = [...new Set([...Object.keys(changes), ...alsoNamed])];
          const answer = deviceRows(devices, asked);
          expect(state.knowsParentsOf(answer)).toBe(true);
          const gone = new Set(recreated.filter((name) => asked.includes(name)));
          for (const event of state.patch(asked, answer, gone)) follower.take(event);

          const fresh = finish(HostState.of(rows(devices))).inventory;
          expect(state.inventory).toEqual(fresh);
          expect([...follower.ready].sort()).toEqual(readyNames(fresh).sort());
          const byName = new Map(follower.lists.devices.map((device) => [device.name, device]));
          expect(fresh.devices.map(({ name }) => byName.get(name))).toEqual(fresh.devices);
          expect(byName.size).toBe(fresh.devices.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('tells of the neighbour that is no longer alone on its parent, and of when it is again', () => {
    const on = (place: OneDevice['place']): OneDevice => ({
      place,
      driver: 'vhost_vdpa',
      node: 2,
      deviceId: 1,
      managed: true,
    });
    const [first, second] = places;
    if (first === undefined || second === undefined) throw new Error('unreachable');
    const devices = new Map([['vdpa0', on(first)]]);
    const state = finish(HostState.of(rows(devices)));
    const patch = () => {
      const answer = deviceRows(devices, ['vdpa1']);
      return state
        .patch(['vdpa1'], answer, new Set())
        .map((event) =>
          'device' in event ? [event.type, event.device.name, event.device.usable] : [],
        );
    };
    devices.set('vdpa1', on(first));
    expect(patch()).toEqual(
      expect.arrayContaining([
        ['changed', 'vdpa0', false],
        ['added', 'vdpa1', false],
      ]),
    );
    devices.set('vdpa1', on(second));
    expect(patch()).toEqual(
      expect.arrayContaining([
        ['changed', 'vdpa0', true],
        ['changed', 'vdpa1', true],
      ]),
    );
  });

  test('asks for everything when a device stands on what it does not know', () => {
    const state = finish(HostState.of(rows(new Map())));
    const known = (parentPath: string) =>
      state.knowsParentsOf({ vdpaDevices: [], busDevices: [busDeviceRow({ parentPath })] });
    expect(places.map(({ path }) => known(path))).toEqual(places.map(() => true));
    expect(known('pci0000:64/0000:65:00.4')).toBe(false);
    expect(known('pci0000:64/0000:65:00.0/mlx5_core.sf.5')).toBe(false);
    expect(known('virtual/vduse/x')).toBe(true);
  });

  test('finds a device by its node', () => {
    const device: OneDevice = {
      place: { path: '', handle: 'vdpasim_net' },
      driver: 'vhost_vdpa',
      node: 0,
      deviceId: 1,
      managed: true,
    };
    const state = finish(HostState.of(rows(new Map([['vdpa2', device]]))));
    expect(state.nameOfNode('/dev/vhost-vdpa-2')).toBe('vdpa2');
    expect(state.nameOfNode('/dev/vhost-vdpa-3')).toBeNull();
  });
});
