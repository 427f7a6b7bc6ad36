import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { eachOf } from '../../each-of.js';
import { VdpaError } from '../../errors.js';
import type { NetworkBackend } from '../../guest/network-backend.js';
import type { NeutronNetwork, NeutronPort } from '../../policy/port-requests.js';
import { assertForm } from '../../tracker/arguments.js';
import type { ClaimId, InstanceId } from '../../tracker/claim.js';
import { anything, listOf, name, shape } from '../../tracker/form.js';
import type { Operation } from '../../tracker/operation.js';
import type { GuestPlace } from '../guest-place.js';
import {
  abortArrival,
  arrivalOf,
  completeArrival,
  prepareArrival,
  resumeArrival,
} from './arrival.js';
import { type BootRequest, bootRequest, type PreparedBoot } from './boot.js';
import { assertPortsAsBound } from './bound-ports.js';
import { deleteInstance, resumeDeletion } from './delete-instance.js';
import { LiveMigration } from './live-migration.js';
import type { Operating, OperatingHost, OperationOptions } from './operating.js';
import { OperationTurns, operationOptions } from './operation-turns.js';
import { notUndone, type PluggedInterface, pluggedInterfaces } from './plugged-interface.js';
import { preparedPorts } from './prepared-claim.js';
import { Resize, resumeResize } from './resize.js';
import type { ResumedOperation, ResumedState } from './resumed-operation.js';
import { putBack, putIn, resumeUnplugged, takeOut, unpluggedGuest } from './unplugged-guest.js';

export interface OperationsOptions {
  /**
   * Where a guest's reference leads, such as `qmp:/run/vm1.qmp`; null: nobody knows it. Also asked for
   * guests of before a crash.
   */
  readonly place: (reference: string) => GuestPlace | null;
  /** The control plane's part in all operations. Default: nothing is done. */
  readonly network?: NetworkBackend | undefined;
  /** This host's name, for neutron's bindings. Default: what the kernel says. */
  readonly hostName?: string | undefined;
}

const portsForm = shape({ instance: name, ports: listOf(anything), networks: listOf(anything) });

type Resume = (
  operating: Operating,
  operation: Operation,
  options: OperationOptions,
) => Promise<ResumedState>;

const resumeByKind: ReadonlyMap<string, Resume> = new Map([
  ['suspend', resumeUnplugged],
  ['snapshot', resumeUnplugged],
  ['stop', resumeUnplugged],
  ['live-migration-source', resumeUnplugged],
  ['live-migration-destination', resumeArrival],
  ['boot', resumeArrival],
  ['delete', resumeDeletion],
  ['resize', resumeResize],
]);

/** Of different instances: what they write to the store is then synced together. */
const resumedAtOnce = 16;

/**
 * What an instance goes through, for the agent that runs it. Each call is kept in the store while it is
 * under way: what a killed process left is finished or undone by `resumeOperations`. Calls about one
 * instance follow one another.
 */
export class InstanceOperations {
  readonly liveMigration: LiveMigration;
  readonly resize: Resize;
  readonly #turns: OperationTurns;

  /** @param host opened with `deviceSpec` and `store` */
  constructor(host: OperatingHost, { place, network, hostName = hostname() }: OperationsOptions) {
    this.#turns = new OperationTurns({ host, network, place, hostName });
    this.liveMigration = new LiveMigration(this.#turns);
    this.resize = new Resize(this.#turns);
  }

  /**
   * Takes devices for an instance that is to run here: one that is made, evacuated, unshelved. Its agent
   * starts the guest paused next, then calls `completeBoot`, and lets it run.
   *
   * @returns the claim, and for each port what is to be written to its binding on this host. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `NOT_SUPPORTED` (it has claims here already),
   *   `CLAIM_UNSATISFIABLE`, `CLAIM_CONFLICT`, `DEVICE_NOT_SPECIFIED`, those of a store's `commit`
   */
  async boot(
    instance: InstanceId,
    wanted: BootRequest,
    options: Pick<OperationOptions, 'signal'> = {},
  ): Promise<PreparedBoot> {
    assertForm('boot', bootRequest, wanted);
    return await this.#turns.ofInstance('boot', instance, options, async (operating) => {
      const { requests, numaCells = null, interfaces = null } = wanted;
      const before = arrivalOf(operating, instance, 'boot');
      const id = wanted.claim ?? before?.detail.claim ?? (randomUUID() as string as ClaimId);
      const own = { instance, claim: id, migration: null, requests, numaCells, interfaces };
      const claim = await prepareArrival(operating, 'boot', own, options.signal);
      return { claim, ports: preparedPorts(operating, claim, 'now') };
    });
  }

  /**
   * Gives the guest, which has been started paused, its interfaces: all or nothing. After a failure it
   * may be called again; or `abortBoot`.
   *
   * @param guest by its driver's reference
   * @returns what it has. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `GUEST_NOT_FOUND`, `CLAIM_NOT_FOUND` (released
   *   meanwhile), those of `VdpaHost.attach`
   */
  async completeBoot(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    const call = 'completeBoot';
    return await this.#turns.ofGuest(call, instance, guest, options, (place, operating) =>
      completeArrival(operating, instance, 'boot', place, options),
    );
  }

  /**
   * The instance does not run here: takes from its guest what it got, and gives everything back. Where
   * none is booting it does nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (another operation), those of `VdpaHost.detach`
   */
  async abortBoot(instance: InstanceId, options: OperationOptions = {}): Promise<void> {
    await this.#turns.ofInstance('abortBoot', instance, options, (operating) =>
      abortArrival(operating, instance, 'boot', options),
    );
  }

  /**
   * Takes everything that an instance has on this host from it: one that is deleted, shelved, or runs on
   * another host after an evacuation. Whatever else was under way ends with that. Its guest should have
   * ended; one that runs loses its interfaces. Repeated, it does nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `GUEST_NOT_FOUND` (a claim's guest that nobody knows), those of
   *   `VdpaHost.detach` and of a store's `commit`
   */
  async delete(instance: InstanceId, options: OperationOptions = {}): Promise<void> {
    await this.#turns.ofInstance('delete', instance, options, (operating) =>
      deleteInstance(operating, instance, options),
    );
  }

  /**
   * Of a guest that is shut down, or has ended: takes its vDPA interfaces out of it and out of the network.
   * Its devices stay allocated until it is started again.
   *
   * @returns what it had. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} those of `suspend`
   */
  async stop(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    const own = { instance, kind: 'stop', migration: null } as const;
    return await this.#turns.ofGuest('stop', instance, guest, options, (place, operating) =>
      takeOut(operating, own, place, options),
    );
  }

  /**
   * Gives a guest that has been started, best paused, what it had when it was stopped; one that ended
   * without `stop`, or that let go of something by itself, all that its instance has here. All or nothing.
   *
   * @returns what it has. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `GUEST_NOT_FOUND`, those of `VdpaHost.attach`
   */
  async start(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    return await this.#turns.ofGuest('start', instance, guest, options, (place, operating) =>
      putIn(operating, instance, place, options),
    );
  }

  /**
   * Takes all vDPA interfaces out of a running guest, newest first, so that its state can be saved. Its
   * devices stay allocated. When the guest keeps one, it gets back those that it let go of.
   *
   * @param guest by its driver's reference
   * @returns what it had; nothing when it had no vDPA interface. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `GUEST_NOT_FOUND`, those of `VdpaHost.detach`; `outcome`
   *   is `undone`, or `partial` when not all could be given back
   */
  async suspend(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    const own = { instance, kind: 'suspend', migration: null } as const;
    return await this.#turns.ofGuest('suspend', instance, guest, options, (place, operating) =>
      takeOut(operating, own, place, options),
    );
  }

  /**
   * Gives a guest that runs again what it had when it was suspended; char devices are looked for anew.
   * All or nothing: after a failure it is as it was, suspended.
   *
   * @returns what it has. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, those of `VdpaHost.attach`
   */
  async resume(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    return await this.#turns.ofGuest(
      'resume',
      instance,
      guest,
      options,
      async (place, operating) => {
        const suspended = unpluggedGuest(operating, instance, 'suspend');
        if (suspended !== null) return await putBack(operating, suspended, place, options);
        return await pluggedInterfaces(operating.host.tracker, instance, place, options.signal);
      },
    );
  }

  /**
   * Takes all vDPA interfaces out of a running guest, has its snapshot taken, and gives them back,
   * whether that succeeded or not.
   *
   * @param take by whoever runs the guest
   * @returns what `take` returns
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws what `take` throws
   * @throws {VdpaError} those of `suspend`; those of `resume`, and then the next `resumeOperations` tries
   *   again
   */
  async snapshot<T>(
    instance: InstanceId,
    guest: string,
    take: () => Promise<T>,
    options: OperationOptions = {},
  ): Promise<T> {
    const own = { instance, kind: 'snapshot', migration: null } as const;
    return await this.#turns.ofGuest(
      'snapshot',
      instance,
      guest,
      options,
      async (place, operating) => {
        await takeOut(operating, own, place, options);
        // Given back also when it is not waited for any more.
        const back = async () => {
          const unplugged = unpluggedGuest(operating, instance, 'snapshot');
          if (unplugged === null) return;
          await putBack(operating, unplugged, place, { ...options, signal: undefined });
        };
        let taken: T;
        try {
          taken = await take();
        } catch (error) {
          await back().catch((failure: unknown) => {
            throw notUndone(error, failure);
          });
          throw error;
        }
        await back();
        return taken;
      },
    );
  }

  /**
   * Sees that neutron has the instance's ports as its devices were claimed for them: before a start, or when
   * neutron tells of a change. Changes nothing; ports that it has no device for are left alone.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `PORT_CHANGED` for the first that is another now, `REQUEST_INVALID`,
   *   `NUMA_POLICY_INVALID`
   */
  checkPorts(
    instance: InstanceId,
    ports: readonly NeutronPort[],
    networks: readonly NeutronNetwork[],
  ): void {
    assertForm('checkPorts', portsForm, { instance, ports, networks });
    assertPortsAsBound(this.#turns.operating.host.tracker, instance, ports, networks);
  }

  /**
   * After this process was killed: finishes what was under way, or undoes it. Before anything else is
   * asked for.
   *
   * @returns what became of each, in order of the instances
   * @throws {VdpaError} those of a store's `commit`
   */
  async resumeOperations(options: OperationOptions = {}): Promise<ResumedOperation[]> {
    assertForm('resumeOperations', operationOptions, options);
    const { tracker } = this.#turns.operating.host;
    const left = tracker.operations().map(({ instance }) => instance);
    const resumed = await eachOf(left, resumedAtOnce, (instance) =>
      this.#turns.of(instance, options.signal, async () => {
        const operation = tracker.operationOf(instance);
        return operation && (await this.#resumed(operation, options));
      }),
    );
    return resumed.filter((one) => one !== null);
  }

  async #resumed(operation: Operation, options: OperationOptions): Promise<ResumedOperation> {
    const { instance, kind, step } = operation;
    try {
      const resume = resumeByKind.get(kind);
      if (resume === undefined) throw ofAnotherVersion(operation);
      const state = await resume(this.#turns.operating, operation, options);
      return { instance, kind, step, state, error: null };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      return { instance, kind, step, state: 'unknown', error };
    }
  }
}

function ofAnotherVersion({ instance, kind }: Operation): VdpaError {
  return new VdpaError(
    'NOT_SUPPORTED',
    `instance ${instance} is in operation ${kind}, which this version does not know: go on with the version that began it`,
    { retry: 'after-fix' },
  );
}
