import { Arrival } from './arrival.js';
import { type Definition, isLeaving } from './definition.js';
import { Departure } from './departure.js';
import { GuestLife } from './guest-life.js';
import { PortLife } from './port-life.js';
import type { Workplace } from './workplace.js';

/** What becomes of what a killed agent has left in the middle. */
export class Settlement {
  readonly #at: Workplace;
  readonly #life: GuestLife;
  readonly #ports: PortLife;
  readonly #arrival: Arrival;
  readonly #departure: Departure;

  constructor(at: Workplace) {
    this.#at = at;
    this.#life = new GuestLife(at);
    this.#ports = new PortLife(at);
    this.#arrival = new Arrival(at);
    this.#departure = new Departure(at);
  }

  /** At the start, before anything else is asked for: the library's part first, then each instance's. */
  async ofAll(): Promise<void> {
    const { host, operations, places, network, instances, log } = this.#at;
    for (const resumed of await operations.resumeOperations()) {
      log[resumed.error === null ? 'info' : 'warn'](resumed, 'operation of before');
    }
    for (const definition of instances.all()) await this.#tried(definition);
    // First: what a guest may still have is not given back.
    for (const recovered of await host.recoverGuests({ place: places.place, network })) {
      log[recovered.error === null ? 'info' : 'warn'](recovered, 'claim and guest');
    }
    const living = { ...this.#living(), asOf: host.tracker.fence };
    for (const { id, instance } of await host.reconcile(living)) {
      log.warn({ claim: id, instance }, 'claim of nobody given back');
    }
    for (const { instance } of instances.all()) await this.#ports.settle(instance);
  }

  /** Goes on with an instance, or takes back what was begun. */
  async of(definition: Definition): Promise<void> {
    if (isLeaving(definition)) return await this.#departure.settle(definition);
    switch (definition.phase.name) {
      case 'booting':
      case 'deleting':
        return await this.#life.delete(definition);
      case 'stopping':
      case 'starting':
        return await this.#life.stop(definition);
      case 'suspending':
        return await this.#life.settleSuspend(definition);
      case 'loading':
        return await this.#life.settleLoad(definition);
      case 'resuming':
        return await this.#life.settleResume(definition);
      case 'arrived':
        await this.#arrival.complete(definition);
        return;
      case 'arriving':
        // It is the source that goes on with it, or aborts.
        return;
      case 'staying':
        return await this.#departure.stay(definition);
      default:
        await this.#departure.tell(definition.instance);
        return await this.#ports.settle(definition.instance);
    }
  }

  /** One that cannot be settled keeps no other from it: it stays as it is, to be asked for again. */
  async #tried(definition: Definition): Promise<void> {
    const { instance, phase } = definition;
    if (['running', 'stopped', 'suspended', 'arriving'].includes(phase.name)) return;
    try {
      await this.of(definition);
      const now = this.#at.instances.find(instance)?.phase ?? null;
      this.#at.log.info({ instance, before: phase, now }, 'settled');
    } catch (error) {
      this.#at.log.error({ instance, phase, error }, 'could not be settled');
    }
  }

  #living() {
    const all = this.#at.instances.all();
    return {
      instances: all.map(({ instance }) => instance),
      migrations: all.flatMap(({ instance, phase }) =>
        'migration' in phase ? [{ id: phase.migration, instance }] : [],
      ),
    };
  }
}
