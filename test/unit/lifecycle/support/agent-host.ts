import { expect } from 'vitest';
import { VdpaError } from '../../../../src/errors.js';
import type { GuestPlace } from '../../../../src/lifecycle/guest-place.js';
import { GuestPlugs } from '../../../../src/lifecycle/guest-plugs.js';
import { InstanceOperations } from '../../../../src/lifecycle/operations/instance-operations.js';
import type { InstanceId } from '../../../../src/tracker/claim.js';
import type { Tracker } from '../../../../src/tracker/tracker.js';
import { attachingHost } from './attaching-host.js';
import { type Log, MadeUpGuests, RecordingNetwork } from './made-up-guests.js';

/** Calls to the outside from here on: at one of them the process is killed. */
export class Killer {
  left = Number.POSITIVE_INFINITY;
  /** Resolves when it is dead. */
  readonly dead: Promise<void>;
  #die: () => void = () => {};

  constructor() {
    this.dead = new Promise((done) => {
      this.#die = done;
    });
  }

  /** The same calls, of which the fatal one is made and never returns, or is never made. */
  of<T extends object>(target: T, methods: readonly (keyof T & string)[], after: boolean): T {
    return new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        const call = (...given: unknown[]): unknown => Reflect.apply(value, target, given);
        if (!methods.includes(key as keyof T & string)) return call;
        return async (...given: unknown[]) => {
          if (this.left-- > 0) return await call(...given);
          if (this.left === -1 && after) await call(...given);
          this.#die();
          return await new Promise(() => {});
        };
      },
    });
  }
}

/** A host with guests that are made up; `made-up:NAME` leads to the guest of that instance. */
export class AgentHost {
  readonly log: Log = [];
  readonly guests = new MadeUpGuests(this.log);
  readonly network = new RecordingNetwork(this.log);
  readonly tracker: Tracker;

  constructor(tracker: Tracker) {
    this.tracker = tracker;
  }

  place(reference: string): GuestPlace | null {
    const guest = /^made-up:(.+)$/.exec(reference)?.[1] as InstanceId | undefined;
    const isKnown = guest !== undefined && guest !== 'unknown';
    return isKnown ? { driver: this.guests, guest, reference } : null;
  }

  plugs(tracker: Tracker = this.tracker): GuestPlugs {
    return new GuestPlugs(attachingHost(tracker));
  }

  /** A process of the agent: what it knows by itself goes with it. */
  started(killer = new Killer(), after = false, own: GuestPlugs | null = null): InstanceOperations {
    const driver = killer.of(this.guests, ['attach', 'detach'], after);
    const calls = ['adopt', 'allocate', 'claim', 'release', 'setGuest', 'setOperation'] as const;
    const tracker = killer.of(this.tracker, calls, after);
    const plugs = own ?? this.plugs(tracker);
    return new InstanceOperations(
      {
        tracker,
        attach: async (selection, at, options = {}) => await plugs.attach(selection, at, options),
        detach: async (selection, at, options = {}) => await plugs.detach(selection, at, options),
        settled: async (reference) => await plugs.settled(reference),
        bindingProfile: (id) => {
          const device = this.tracker.record(id)?.device;
          if (device === undefined) throw new VdpaError('DEVICE_NOT_FOUND', id);
          return {
            pci_vendor_info: `${device.vendorId}:${device.productId}`,
            pci_slot: String(device.address),
            physical_network: 'physnet4',
          };
        },
      },
      {
        place: (reference) => {
          const place = this.place(reference);
          return place && { ...place, driver };
        },
        network: killer.of(this.network, ['plug', 'unplug'], after),
        hostName: 'host-of-test',
      },
    );
  }

  /** What a guest has. */
  inGuest(instance: InstanceId) {
    return [...(this.guests.guests.get(instance)?.values() ?? [])].map(
      ({ deviceId, queuePairs, mtu }) => ({ device: deviceId, queuePairs, mtu }),
    );
  }
}

/** Runs work in a process that is killed at one of its calls to the outside, from 0. */
export async function killedIn(
  host: AgentHost,
  work: (killed: InstanceOperations) => Promise<unknown>,
  call: number,
  after: boolean,
): Promise<'done' | 'killed'> {
  const killer = new Killer();
  killer.left = call;
  const done = work(host.started(killer, after)).then(() => 'done' as const);
  return await Promise.race([done, killer.dead.then(() => 'killed' as const)]);
}

/**
 * One round for every call to the outside that an operation makes, in which the process is killed there;
 * and some in which it is not.
 *
 * @param work as `killedIn`, at that call
 * @param after what is left is gone on with, and looked at
 */
export async function atEachCall(
  work: (call: number) => Promise<'done' | 'killed'>,
  after: (round: 'done' | 'killed') => Promise<void>,
): Promise<void> {
  const rounds: ('done' | 'killed')[] = [];
  while (rounds.slice(-3).join() !== 'done,done,done') {
    expect(rounds.length).toBeLessThan(200);
    const round = await work(rounds.length);
    rounds.push(round);
    await after(round);
  }
  expect(rounds.filter((round) => round === 'killed').length).toBeGreaterThan(2);
}
