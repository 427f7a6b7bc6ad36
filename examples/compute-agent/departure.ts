import { randomUUID } from 'node:crypto';
import { VdpaError } from 'vdpa-host';
import type { PreparedMigration, PreparedPort } from 'vdpa-host/lifecycle';
import { z } from 'zod';
import { RemoteError } from './agent-error.js';
import { ask } from './client.js';
import { type Definition, type Leaving, migrationId } from './definition.js';
import { steps } from './steps.js';
import type { Workplace } from './workplace.js';

/** The other host's agent may be being started at this moment. */
const patienceMs = 10_000;
/** For what is done with a QEMU and some devices there. */
const timeoutMs = 600_000;

const preparedArrival = z.looseObject({
  // The library looks at it itself.
  prepared: z.custom<PreparedMigration>(),
  uri: z.string(),
});
const completedArrival = z.looseObject({
  interfaces: z.array(z.unknown()),
  activated: z.array(z.string()),
});

export interface CompletedMigration extends z.infer<typeof completedArrival> {
  readonly migration: string;
  /** Of the ports on the destination: to be written to neutron, then activated. */
  readonly bindings: readonly PreparedPort[];
}

/**
 * A live migration, at the source. Until the guest has left, everything that fails is taken back on both
 * sides; once it has, nothing makes it run here again. The caller has the instance's turn.
 */
export class Departure {
  readonly #at: Workplace;

  constructor(at: Workplace) {
    this.#at = at;
  }

  /** @param to the other agent's socket */
  async migrate(
    definition: Definition,
    to: string,
    numaCells: number[] | null,
  ): Promise<CompletedMigration> {
    const { operations, places, instances, log } = this.#at;
    const { instance } = definition;
    const migration = migrationId.parse(randomUUID());
    const reference = places.reference(instance);
    const offer = await operations.liveMigration.offer(instance, reference, migration);
    await asked(to, 'check', { offer, numaCells });
    const leaving = await instances.enter(definition, { name: 'leaving', migration, to });
    let bindings: readonly PreparedPort[] = [];
    try {
      bindings = await this.#send(leaving, { offer, numaCells });
    } catch (error) {
      if (await this.#stays(leaving, error)) throw error;
      log.warn({ instance, error }, 'the guest has left all the same');
    }
    const completed = await this.#leave(leaving);
    return { ...completed, migration, bindings };
  }

  /** What a killed agent has left, or could not do before. */
  async settle(leaving: Leaving): Promise<void> {
    const hasLeft = leaving.phase.name === 'left' || (await this.#hasLeft(leaving));
    if (hasLeft) await this.#leave(leaving);
    else await this.#stay(leaving);
  }

  /** Up to where the guest is whole at the destination, and waits there. */
  async #send({ instance, phase }: Leaving, offered: object): Promise<readonly PreparedPort[]> {
    const { operations, hypervisor, places, log } = this.#at;
    const answer = await asked(phase.to, 'prepare', offered);
    const { prepared, uri } = preparedArrival.parse(answer);
    const reference = places.reference(instance);
    await operations.liveMigration.unplug(prepared, reference, steps(log, instance));
    await hypervisor.send(instance, uri);
    return prepared.ports;
  }

  /**
   * From here on the guest is the destination's, whatever happens. What fails there once the guest is there
   * fails there alone; when that is not known, the last of the guest here waits for it.
   */
  async #leave(leaving: Leaving): Promise<z.infer<typeof completedArrival>> {
    const { operations, hypervisor, instances, log } = this.#at;
    const { instance, phase } = leaving;
    await instances.enter(leaving, { ...phase, name: 'left' });
    const outcome = await asked(phase.to, 'complete', { instance }).catch(
      async (error: unknown) => {
        log.error({ instance, error }, 'the guest has left, and its destination fails');
        if (error instanceof RemoteError && (await hasArrived(leaving))) return error;
        throw error;
      },
    );
    await hypervisor.end(instance);
    await operations.liveMigration.completeAtSource(instance);
    await instances.forget(instance);
    if (outcome instanceof RemoteError) throw outcome;
    return completedArrival.parse(outcome);
  }

  /** @returns whether the instance stays here, and all is as before; else its guest has left */
  async #stays(leaving: Leaving, reason: unknown): Promise<boolean> {
    const { instance } = leaving;
    try {
      if (await this.#hasLeft(leaving)) return false;
      await this.#stay(leaving);
    } catch (error) {
      this.#at.log.error({ instance, reason, error }, 'could not be undone: settle it');
    }
    return true;
  }

  /** Asked of the destination where the QEMU here has ended: it may have been sent whole before. */
  async #hasLeft(leaving: Leaving): Promise<boolean> {
    const { instance } = leaving;
    const { hypervisor } = this.#at;
    if (await hypervisor.isThere(instance)) return await hypervisor.endSending(instance);
    return await hasArrived(leaving);
  }

  async #stay(leaving: Leaving): Promise<void> {
    const { operations, hypervisor, instances, log } = this.#at;
    const { instance, phase } = leaving;
    const told = steps(log, instance);
    if (await hypervisor.isThere(instance)) await hypervisor.run(instance);
    await operations.liveMigration.abort(instance, told).catch((error: unknown) => {
      // It has ended: the library has stopped the instance.
      if (!(error instanceof VdpaError && error.code === 'GUEST_NOT_FOUND')) throw error;
    });
    await asked(phase.to, 'abort', { instance, migration: phase.migration });
    await instances.enter(leaving, { name: 'running' });
  }
}

async function hasArrived({ instance, phase }: Leaving): Promise<boolean> {
  return z.boolean().parse(await asked(phase.to, 'arrived', { instance }));
}

async function asked(to: string, verb: string, given: object): Promise<unknown> {
  return await ask(to, verb, given, { patienceMs, timeoutMs });
}
