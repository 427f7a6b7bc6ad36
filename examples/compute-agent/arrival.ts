import type { InstanceId, MigrationId } from 'vdpa-host';
import type { MigrationOffer, PluggedInterface, PreparedMigration } from 'vdpa-host/lifecycle';
import { AgentError } from './agent-error.js';
import type { Definition } from './definition.js';
import { bind } from './port-binding.js';
import { portDevices } from './port-device.js';
import { steps } from './steps.js';
import type { Workplace } from './workplace.js';

export interface PreparedArrival {
  readonly prepared: PreparedMigration;
  /** Where the source's QEMU is to send the guest. */
  readonly uri: string;
}

export interface CompletedArrival {
  readonly interfaces: readonly PluggedInterface[];
  /** Whose bindings on this host are to be activated. */
  readonly activated: readonly string[];
}

/**
 * - `whole`: the guest has been loaded, and waits; nobody here goes on with it unasked
 * - `noted`: it is this host's, durably
 */
export type Arrived = 'no' | 'whole' | 'noted';

/**
 * A live migration, at the destination. The guest does not run here before the source has said
 * `complete`, which it does when nothing can make it run there again: so it never runs twice. The caller
 * has the instance's turn.
 */
export class Arrival {
  readonly #at: Workplace;

  constructor(at: Workplace) {
    this.#at = at;
  }

  /** Changes nothing. @throws {AgentError} `NO_ROOM` */
  async check(offer: MigrationOffer, numaCells: number[] | null): Promise<void> {
    if (await this.#at.operations.liveMigration.check(offer, { numaCells })) return;
    throw new AgentError('NO_ROOM', `there are no devices here for instance ${offer.instance}`);
  }

  /** Takes devices for all that is offered and starts a QEMU that waits for the guest, or does nothing. */
  async prepare(offer: MigrationOffer, numaCells: number[] | null): Promise<PreparedArrival> {
    const { operations, hypervisor, instances } = this.#at;
    const { instance, migration } = offer;
    const phase = { name: 'arriving' as const, migration };
    const arriving = { instance, numaCells, phase, untold: [] };
    await instances.put(arriving);
    try {
      const prepared = await operations.liveMigration.prepare(offer, { numaCells });
      bind(this.#at, instance, prepared.ports);
      await hypervisor.start(instance, 'incoming');
      return { prepared, uri: await hypervisor.listen(instance) };
    } catch (error) {
      await this.#end(instance).catch((failure: unknown) => {
        this.#at.log.error({ instance, error: failure }, 'could not be undone: abort it');
      });
      throw error;
    }
  }

  /**
   * Lets the guest run here and gives it its interfaces. After a failure it may run without them: ask
   * again. Repeated, the same.
   */
  async complete(definition: Definition): Promise<CompletedArrival> {
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance, phase } = definition;
    if (phase.name === 'arriving') {
      await hypervisor.loaded(instance);
      await instances.enter(definition, { ...phase, name: 'arrived' });
    }
    // One that has arrived and ended since starts anew: it runs nowhere else.
    if (phase.name === 'arrived' && (await hypervisor.state(instance)) === null) {
      await hypervisor.start(instance, 'paused');
    }
    if (phase.name !== 'running') await hypervisor.run(instance);
    const reference = places.reference(instance);
    const interfaces = await operations.liveMigration.completeAtDestination(
      instance,
      reference,
      steps(log, instance),
    );
    const activated = this.#ports(instance);
    log.info({ instance, activated }, 'bindings to activate in neutron');
    if (phase.name !== 'running') await instances.enter(definition, { name: 'running' });
    return { interfaces, activated };
  }

  async arrived({ instance, phase }: Definition): Promise<Arrived> {
    if (phase.name !== 'arriving') return 'noted';
    const state = await this.#at.hypervisor.state(instance);
    return state === null || state === 'inmigrate' ? 'no' : 'whole';
  }

  /** It does not come. @throws {AgentError} `GUEST_RUNS_HERE` */
  async abort({ instance, phase }: Definition, migration: MigrationId): Promise<void> {
    if (phase.name !== 'arriving') {
      throw new AgentError('GUEST_RUNS_HERE', `the guest of ${instance} has arrived and runs here`);
    }
    if (phase.migration === migration) await this.#end(instance);
  }

  async #end(instance: InstanceId): Promise<void> {
    const { operations, hypervisor, instances, log } = this.#at;
    await hypervisor.end(instance);
    await operations.liveMigration.abort(instance, steps(log, instance));
    await instances.forget(instance);
  }

  #ports(instance: InstanceId): string[] {
    return portDevices(this.#at.host.tracker.claims(instance)).map(({ port }) => port);
  }
}
