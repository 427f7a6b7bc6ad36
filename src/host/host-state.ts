import type { BusDeviceRow, NamedDevicesRow, SnapshotRow, VdpaDeviceRow } from '../rows.js';
import { finish, indexed, type Pausing } from '../turns.js';
import type { DeviceId } from './device-id.js';
import type { HostEvent } from './host-event.js';
import { type Inventory, inventoryOf } from './inventory.js';
import { changesOf, deviceEvents, inventoryEvents } from './inventory-changes.js';
import {
  inNaturalOrder,
  type JoinedDevice,
  joinedDevice,
  type VdpaDevice,
  vdpaDevice,
} from './vdpa-device.js';
import { lastComponent, nearestPciAddress, type ParentIndex } from './vdpa-parent.js';

/**
 * A host as it was read last, and what each further reading changes in it. Readings of single
 * devices come to exactly what a reading of everything would.
 */
export class HostState {
  #base: Inventory;
  #tables: Tables;
  /** False once single devices have been read since. */
  #whole = true;

  private constructor(inventory: Inventory, tables: Tables) {
    this.#base = inventory;
    this.#tables = tables;
  }

  static *of(snapshot: SnapshotRow): Pausing<HostState> {
    const inventory = yield* inventoryOf(snapshot);
    return new HostState(inventory, yield* tablesOf(snapshot, inventory));
  }

  get inventory(): Inventory {
    if (!this.#whole) {
      this.#base = {
        ...this.#base,
        devices: finish(inNaturalOrder([...this.#tables.devices.values()])),
      };
      this.#whole = true;
    }
    return this.#base;
  }

  /** Whether all that these devices stand on is known here. */
  knowsParentsOf({ busDevices }: NamedDevicesRow): boolean {
    return busDevices.every(({ parentPath }) => {
      const last = lastComponent(parentPath);
      const pciAddress = nearestPciAddress(parentPath);
      if (pciAddress === null) return true;
      if (!this.#tables.parents.functions.has(pciAddress)) return false;
      return last === pciAddress || this.#tables.parents.scalableFunctions.has(last);
    });
  }

  /**
   * The host was read anew.
   *
   * @param recreated names of devices that went away meanwhile, even if there is one now
   */
  *replace(snapshot: SnapshotRow, recreated: ReadonlySet<string>): Pausing<HostEvent[]> {
    const before = this.inventory;
    const after = yield* inventoryOf(snapshot);
    const tables = yield* tablesOf(snapshot, after);
    const events = yield* inventoryEvents(before, after, recreated);
    this.#base = after;
    this.#whole = true;
    this.#tables = tables;
    return events;
  }

  /**
   * Some devices were read anew; one of the names without a row is gone.
   *
   * @param recreated as of `replace`
   */
  patch(
    names: readonly string[],
    rows: NamedDevicesRow,
    recreated: ReadonlySet<string>,
  ): HostEvent[] {
    const ids = new Set<DeviceId>();
    for (const name of names) {
      const old = this.#tables.devices.get(name);
      if (old !== undefined) this.#forget(name, old.id, ids);
      this.#tables.bus.delete(name);
      this.#tables.family.delete(name);
    }
    for (const row of rows.busDevices) this.#tables.bus.set(row.name, row);
    for (const row of rows.vdpaDevices) this.#tables.family.set(row.name, row);
    for (const { name } of rows.busDevices) {
      const id = this.#joined(name)?.id;
      if (id === undefined) continue;
      ids.add(id);
      const others = this.#tables.names.get(id);
      if (others === undefined) this.#tables.names.set(id, new Set([name]));
      else others.add(name);
    }

    // Whoever shares an id with one of them may have become ambiguous, or no longer is.
    const affected = new Set(names);
    for (const id of ids) for (const name of this.#tables.names.get(id) ?? []) affected.add(name);
    const before: VdpaDevice[] = [];
    const after: VdpaDevice[] = [];
    for (const name of affected) {
      const old = this.#tables.devices.get(name);
      if (old !== undefined) before.push(old);
      const joined = this.#joined(name);
      if (joined === null) {
        this.#tables.devices.delete(name);
        continue;
      }
      const now = vdpaDevice(joined, (this.#tables.names.get(joined.id)?.size ?? 0) > 1);
      this.#tables.devices.set(name, now);
      after.push(now);
    }
    this.#whole = false;
    const changes = finish(
      changesOf(
        before,
        after,
        ({ name }) => name,
        ({ name }) => recreated.has(name),
      ),
    );
    const gone = changes.filter((change) => change.after === null);
    const rest = changes.filter((change) => change.after !== null);
    return [...gone, ...rest].flatMap(deviceEvents);
  }

  /** The device whose char device has this node. */
  nameOfNode(path: string): string | null {
    for (const { name, charDevice } of this.#tables.devices.values()) {
      if (charDevice?.path === path) return name;
    }
    return null;
  }

  #forget(name: string, id: DeviceId, ids: Set<DeviceId>): void {
    ids.add(id);
    const others = this.#tables.names.get(id);
    others?.delete(name);
    if (others?.size === 0) this.#tables.names.delete(id);
  }

  #joined(name: string): JoinedDevice | null {
    const bus = this.#tables.bus.get(name);
    if (bus === undefined) return null;
    // Read one after the other, so what the two say may be of two devices of one name.
    return joinedDevice(bus, this.#tables.family.get(name), this.#tables.parents, false);
  }
}

interface Tables {
  readonly parents: ParentIndex;
  /** By name, as are the two kinds of rows. */
  readonly devices: Map<string, VdpaDevice>;
  readonly bus: Map<string, BusDeviceRow>;
  readonly family: Map<string, VdpaDeviceRow>;
  readonly names: Map<DeviceId, Set<string>>;
}

function* tablesOf(snapshot: SnapshotRow, { devices }: Inventory): Pausing<Tables> {
  const names = new Map<DeviceId, Set<string>>();
  for (const { id, name } of devices) {
    const others = names.get(id);
    if (others === undefined) names.set(id, new Set([name]));
    else others.add(name);
  }
  return {
    parents: {
      functions: yield* indexed(snapshot.pciFunctions, ({ address }) => address),
      scalableFunctions: yield* indexed(snapshot.scalableFunctions, ({ name }) => name),
    },
    devices: yield* indexed(devices, ({ name }) => name),
    bus: yield* indexed(snapshot.busDevices, ({ name }) => name),
    family: yield* indexed(snapshot.vdpaDevices, ({ name }) => name),
    names,
  };
}
