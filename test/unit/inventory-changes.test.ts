import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inventoryEvents, isReady } from '../../src/host/inventory-changes.js';
import type { HostEvent, Inventory } from '../../src/index.js';
import { finish } from '../../src/turns.js';
import { anyInventory } from './cli/support/arbitrary-inventory.js';
import { device, inventory, pf, vf, vfDevice } from './cli/support/inventory.js';
import { Follower } from './support/follow-events.js';

const readyNames = ({ devices }: Inventory) =>
  devices.filter(isReady).map(({ name }): string => name);

/** The lists alone, each in an order that says nothing. */
function facts(lists: Pick<Inventory, 'pfs' | 'vfs' | 'others' | 'managementDevices' | 'devices'>) {
  const sorted = <T>(things: readonly T[], keyOf: (thing: T) => string) =>
    things.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const address = (thing: { readonly address: string }): string => thing.address;
  return {
    pfs: sorted(lists.pfs, address),
    vfs: sorted(lists.vfs, address),
    others: sorted(lists.others, address),
    managementDevices: sorted(lists.managementDevices, ({ handle }) => handle),
    devices: sorted(lists.devices, ({ name }) => name),
  };
}

function eventsOf(before: Inventory, after: Inventory, recreated: readonly string[] = []) {
  return finish(inventoryEvents(before, after, new Set(recreated)));
}

/** As on a real host, where no two have the same handle. */
const anyHost = anyInventory.map((host) => ({
  ...host,
  managementDevices: [...new Map(host.managementDevices.map((one) => [one.handle, one])).values()],
}));

/** Two states of one host: most is the same, and some devices went away in between. */
const twoStates = fc
  .tuple(anyHost, anyHost, fc.infiniteStream(fc.nat(2)))
  .map(([before, other, choice]) => {
    const pick = () => choice.next().value ?? 0;
    const mixed = <T>(ours: readonly T[], theirs: readonly T[], keyOf: (thing: T) => string) => {
      const merged = new Map(ours.map((thing) => [keyOf(thing), thing]));
      for (const thing of theirs) if (pick() === 0) merged.set(keyOf(thing), thing);
      return [...merged.values()].filter(() => pick() !== 1);
    };
    const address = (thing: { readonly address: string }): string => thing.address;
    const after = inventory({
      pfs: mixed(before.pfs, other.pfs, address),
      vfs: mixed(before.vfs, other.vfs, address),
      others: mixed(before.others, other.others, address),
      managementDevices: mixed(
        before.managementDevices,
        other.managementDevices,
        ({ handle }) => handle,
      ),
      devices: mixed(before.devices, other.devices, ({ name }) => name),
    });
    const recreated = before.devices.map(({ name }) => name).filter(() => pick() === 0);
    return { before, after, recreated };
  });

describe('the events between two states of a host', () => {
  test('make the one of the other, each building on those before it', () => {
    fc.assert(
      fc.property(twoStates, ({ before, after, recreated }) => {
        const follower = new Follower(before, readyNames(before));
        for (const event of eventsOf(before, after, recreated)) follower.take(event);
        expect(facts(follower.lists)).toEqual(facts(after));
        expect([...follower.ready].sort()).toEqual(readyNames(after).sort());
      }),
    );
  });

  test('are none when nothing changed, unless a device is another one', () => {
    fc.assert(
      fc.property(anyHost, (host) => {
        expect(eventsOf(host, structuredClone(host))).toEqual([]);
        const names = host.devices.map(({ name }) => name);
        const kinds = eventsOf(host, host, names).map(({ type }) => type);
        expect(kinds.filter((kind) => kind === 'removed')).toHaveLength(names.length);
        expect(kinds.filter((kind) => kind === 'added')).toHaveLength(names.length);
      }),
    );
  });

  test('name exactly the properties that differ', () => {
    fc.assert(
      fc.property(twoStates, ({ before, after }) => {
        for (const event of eventsOf(before, after)) {
          if (!('changes' in event)) continue;
          const [now, old] =
            'device' in event
              ? [event.device, event.before]
              : 'pf' in event
                ? [event.pf, event.before]
                : [event.vf, event.before];
          expect(event.changes).not.toEqual([]);
          const same = Object.keys(now).filter((key) => !event.changes.includes(key as never));
          const only = (thing: object) =>
            Object.fromEntries(Object.entries(thing).filter(([key]) => same.includes(key)));
          expect(only(now)).toEqual(only(old));
        }
      }),
    );
  });

  test('let a device go before its VF and PF, and come after them', () => {
    const owner = pf('0000:65:00.0');
    const place = vf(owner, 0);
    const whole = inventory({ pfs: [owner], vfs: [place], devices: [vfDevice('vdpa0', place)] });
    const kinds = (events: readonly HostEvent[]) => events.map(({ type }) => type);
    expect(kinds(eventsOf(whole, inventory()))).toEqual([
      'unready',
      'removed',
      'vfRemoved',
      'pfRemoved',
    ]);
    expect(kinds(eventsOf(inventory(), whole))).toEqual(['pfAdded', 'vfAdded', 'added', 'ready']);
  });
});

describe('a device is ready', () => {
  const charDevice = { path: '/dev/vhost-vdpa-0', major: 511, minor: 0, nodeExists: true };
  const parts = { managementDevice: 'vdpasim_net', driver: 'vhost_vdpa', charDevice };

  test('when vhost_vdpa holds it, the family knows it and its node is there', () => {
    expect(isReady(device('vdpa0', 'simulator', parts))).toBe(true);
  });

  test.each([
    { driver: null },
    { driver: 'virtio_vdpa' },
    { managementDevice: null },
    { charDevice: null },
    { charDevice: { ...charDevice, nodeExists: false } },
  ])('not with %j', (without) => {
    expect(isReady(device('vdpa0', 'simulator', { ...parts, ...without }))).toBe(false);
  });
});
