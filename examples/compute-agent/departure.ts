import { randomUUID } from 'node:crypto';
import { type InstanceId, VdpaError } from 'vdpa-host';
import type { PreparedMigration, PreparedPort } from 'vdpa-host/lifecycle';
import { z } from 'zod';
import { RemoteError } from './agent-error.js';
import type { Arrived } from './arrival.js';
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

const arrivedForm = z.literal(['no', 'whole', 'noted']) satisfies z.ZodType<Arrived>;

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
    else await this.stay(await this.abandon(leaving));
  }

  /** From here on the guest is this host's, whatever the destination has of it: nobody asks there any more. */
  async abandon({ instance, phase: { migration, to } }: Leaving): Promise<Definition> {
    const { instances } = this.#at;
    const now = instances.get(instance);
    const untold = [...now.untold, { migration, to }];
    const staying: Definition = { ...now, phase: { name: 'staying' }, untold };
    await instances.put(staying);
    return staying;
  }

  /** Gives the guest back what it had. The destination is told in any case. */
  async stay({ instance }: Definition): Promise<void> {
    const { operations, hypervisor, instances, log } = this.#at;
    try {
      if (await hypervisor.isThere(instance)) await hypervisor.run(instance);
      await operations.liveMigration
        .abort(instance, steps(log, instance))
        .catch((error: unknown) => {
          // It has ended: the library has stopped the instance.
          if (!(error instanceof VdpaError && error.code === 'GUEST_NOT_FOUND')) throw error;
        });
      await instances.enter(instances.get(instance), { name: 'running' });
    } finally {
      await this.tell(instance);
    }
  }

  /** Of migrations that do not come about, whoever may still have something of them: who is away is told later. */
  async tell(instance: InstanceId): Promise<void> {
    const { instances, log } = this.#at;
    for (const { migration, to } of instances.find(instance)?.untold ?? []) {
      try {
        await asked(to, 'abort', { instance, migration }).catch((error: unknown) => {
          // That is another guest of the name, or another time.
          if (!(error instanceof RemoteError && error.code === 'GUEST_RUNS_HERE')) throw error;
        });
        const now = instances.get(instance);
        const untold = now.untold.filter((one) => one.migration !== migration);
        await instances.put({ ...now, untold });
      } catch (error) {
        log.error({ instance, migration, to, error }, 'could not be told: settle it');
      }
    }
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
    const { host, operations, hypervisor, instances, log } = this.#at;
    const { instance, phase } = leaving;
    await instances.enter(leaving, { ...phase, name: 'left' });
    const outcome = await asked(phase.to, 'complete', { instance }).catch(
      async (error: unknown) => {
        log.error({ instance, error }, 'the guest has left, and its destination fails');
        const isIts = error instanceof RemoteError && (await arrived(leaving)) === 'noted';
        if (isIts) return error;
        throw error;
      },
    );
    await hypervisor.end(instance);
    // Of one that ended here before it was known to have left the library has made a stop.
    const isStopped = host.tracker.operationOf(instance)?.kind === 'stop';
    if (isStopped) await operations.delete(instance);
    else await operations.liveMigration.completeAtSource(instance);
    await instances.forget(instance);
    if (outcome instanceof RemoteError) throw outcome;
    return completedArrival.parse(outcome);
  }

  /** @returns whether the instance stays here, and all is as before; else its guest has left */
  async #stays(leaving: Leaving, reason: unknown): Promise<boolean> {
    const { instance } = leaving;
    try {
      if (await this.#hasLeft(leaving)) return false;
      await this.stay(await this.abandon(leaving));
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
    return (await arrived(leaving)) !== 'no';
  }
}

async function arrived({ instance, phase }: Leaving): Promise<Arrived> {
  return arrivedForm.parse(await asked(phase.to, 'arrived', { instance }));
}

async function asked(to: string, verb: string, given: object): Promise<unknown> {
  return await ask(to, verb, given, { patienceMs, timeoutMs });
}
