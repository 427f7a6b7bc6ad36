import type { HostEvent, Inventory } from '../../../src/index.js';

type Lists = Pick<Inventory, 'pfs' | 'vfs' | 'others' | 'managementDevices' | 'devices'>;

/** What follows a host by its events alone, and objects to one that builds on nothing. */
export class Follower {
  readonly #pfs: Map<string, Lists['pfs'][number]>;
  readonly #vfs: Map<string, Lists['vfs'][number]>;
  readonly #others: Map<string, Lists['others'][number]>;
  readonly #managementDevices: Map<string, Lists['managementDevices'][number]>;
  readonly #devices: Map<string, Lists['devices'][number]>;
  readonly #ready: Set<string>;

  /** @param ready names of the devices that are ready at the start */
  constructor(start: Lists, ready: Iterable<string>) {
    this.#pfs = new Map(start.pfs.map((pf) => [pf.address, pf]));
    this.#vfs = new Map(start.vfs.map((vf) => [vf.address, vf]));
    this.#others = new Map(start.others.map((other) => [other.address, other]));
    this.#managementDevices = new Map(start.managementDevices.map((one) => [one.handle, one]));
    this.#devices = new Map(start.devices.map((device) => [device.name, device]));
    this.#ready = new Set(ready);
  }

  get ready(): ReadonlySet<string> {
    return this.#ready;
  }

  /** In any order. */
  get lists(): Lists {
    return {
      pfs: [...this.#pfs.values()],
      vfs: [...this.#vfs.values()],
      others: [...this.#others.values()],
      managementDevices: [...this.#managementDevices.values()],
      devices: [...this.#devices.values()],
    };
  }

  take(event: HostEvent): void {
    switch (event.type) {
      case 'added':
        come(this.#devices, event.device.name, event.device);
        break;
      case 'removed':
        if (this.#ready.has(event.device.name)) throw new Error('it was not unready before');
        go(this.#devices, event.device.name);
        break;
      case 'changed':
        change(this.#devices, event.device.name, event.device);
        break;
      case 'ready':
        come(this.#ready, event.device.name, event.device);
        break;
      case 'unready':
        go(this.#ready, event.device.name);
        break;
      case 'pfAdded':
        come(this.#pfs, event.pf.address, event.pf);
        break;
      case 'pfRemoved':
        go(this.#pfs, event.pf.address);
        break;
      case 'pfChanged':
        change(this.#pfs, event.pf.address, event.pf);
        break;
      case 'vfAdded':
        come(this.#vfs, event.vf.address, event.vf);
        break;
      case 'vfRemoved':
        go(this.#vfs, event.vf.address);
        break;
      case 'vfChanged':
        change(this.#vfs, event.vf.address, event.vf);
        break;
      case 'otherFunction':
        either(this.#others, ({ address }) => address, event.function, event.before);
        break;
      case 'managementDevice':
        either(
          this.#managementDevices,
          ({ handle }) => handle,
          event.managementDevice,
          event.before,
        );
        break;
      default:
        throw new Error(`${event.type} says nothing of the host`);
    }
  }
}

type Known<T> = Map<string, T> | Set<string>;

function come<T>(known: Known<T>, key: string, thing: T): void {
  if (known.has(key)) throw new Error(`${key} is there already`);
  if (known instanceof Map) known.set(key, thing);
  else known.add(key);
}

function go<T>(known: Known<T>, key: string): void {
  if (!known.delete(key)) throw new Error(`${key} is not there`);
}

function change<T>(known: Map<string, T>, key: string, thing: T): void {
  if (!known.has(key)) throw new Error(`${key} is not there`);
  known.set(key, thing);
}

function either<T>(
  known: Map<string, T>,
  keyOf: (thing: T) => string,
  now: T | null,
  before: T | null,
): void {
  if (now === null && before !== null) go(known, keyOf(before));
  else if (now !== null && before === null) come(known, keyOf(now), now);
  else if (now !== null) change(known, keyOf(now), now);
  else throw new Error('neither before nor after');
}
