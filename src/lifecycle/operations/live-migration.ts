import { assertForm } from '../../tracker/arguments.js';
import type { ClaimId, InstanceId, MigrationId } from '../../tracker/claim.js';
import { abortSignal, name, optional, shape } from '../../tracker/form.js';
import { underWay } from '../../tracker/operation.js';
import { numaCells } from '../../tracker/store-form.js';
import { abortArrival, assertNotHere, completeArrival, prepareArrival } from './arrival.js';
import {
  assertAsPrepared,
  assertMigratable,
  type MigrationOffer,
  migrationOffer,
  offerForm,
  type PreparedMigration,
  preparedForm,
} from './migration-offer.js';
import { type OperationOptions, placeOf } from './operating.js';
import type { OperationTurns } from './operation-turns.js';
import { assertVersion, operationsVersion } from './operation-version.js';
import { type PluggedInterface, pluggedInterfaces } from './plugged-interface.js';
import { preparedPorts } from './prepared-claim.js';
import { putBack, releaseAll, takeOut, unpluggedGuest } from './unplugged-guest.js';

export interface PrepareOptions {
  /** The destination's NUMA nodes that the guest is to run on. Default: no topology. */
  readonly numaCells?: readonly number[] | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

const prepareForm = shape<PrepareOptions>({
  numaCells: optional(numaCells),
  signal: optional(abortSignal),
});

const kind = 'live-migration-source';
const arrivalKind = 'live-migration-destination';
const operation = 'live migration';

/**
 * The live migration of an instance whose guest has vDPA interfaces: they go out of it at the source
 * before it moves, and others in at the destination afterwards. The agents of both hosts ask for the
 * steps in this order, and send each other what they answer:
 *
 * 1. source `offer`, destination `check`: nothing is touched
 * 2. destination `prepare`: devices are claimed, and the ports' new binding profiles told
 * 3. source `unplug`; then the hypervisors migrate the guest
 * 4. destination `completeAtDestination`, source `completeAtSource`
 *
 * or, at any point before 4, `abort` on either side. Each may be repeated.
 */
export class LiveMigration {
  readonly #turns: OperationTurns;

  constructor(turns: OperationTurns) {
    this.#turns = turns;
  }

  /**
   * At the source: what the instance has, for the destination. Changes nothing.
   *
   * @param guest by its driver's reference
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `GUEST_NOT_FOUND`, `OPERATION_UNDER_WAY` (another operation, or
   *   migration), `NOT_SUPPORTED` (a device that is not live-migratable),
   *   those of `GuestDriver.interfaces`
   */
  async offer(
    instance: InstanceId,
    guest: string,
    migration: MigrationId,
    options: Pick<OperationOptions, 'signal'> = {},
  ): Promise<MigrationOffer> {
    assertForm('offer', shape<{ migration: MigrationId }>({ migration: name }), { migration });
    return await this.#turns.ofGuest(
      'offer',
      instance,
      guest,
      options,
      async (place, operating) => {
        const { tracker } = operating.host;
        const unplugged = unpluggedGuest(operating, instance, kind);
        if (unplugged !== null && unplugged.detail.migration !== migration) {
          throw underWay(unplugged);
        }
        const there =
          unplugged?.detail.interfaces ??
          (await pluggedInterfaces(tracker, instance, place, options.signal));
        const offer = migrationOffer(tracker, instance, migration, there);
        assertMigratable(offer);
        return offer;
      },
    );
  }

  /**
   * At the destination: whether `prepare` would find devices at this moment. Changes nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `NOT_SUPPORTED` (the source's library is too old, the instance is here, a
   *   device that is not live-migratable)
   */
  async check(offer: MigrationOffer, options: PrepareOptions = {}): Promise<boolean> {
    this.#assertOffer('check', offer, options);
    const operating = this.#turns.operating;
    assertNotHere(operating, offer.instance);
    const { requests } = offer;
    return operating.host.tracker.supports({ requests, numaCells: options.numaCells ?? null });
  }

  /**
   * At the destination: claims devices for everything that is offered, or nothing. They belong to the
   * migration until it is complete.
   *
   * @returns for each port what is to be written to its binding on this host
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} those of `check`, `OPERATION_UNDER_WAY`, `CLAIM_UNSATISFIABLE`, those of a
   *   store's `commit`
   */
  async prepare(offer: MigrationOffer, options: PrepareOptions = {}): Promise<PreparedMigration> {
    this.#assertOffer('prepare', offer, options);
    const { instance, migration, requests, interfaces } = offer;
    const { signal } = options;
    // One claim of the migration for all: it goes by the migration's name.
    const claim = migration as string as ClaimId;
    const cells = options.numaCells ?? null;
    const wanted = { instance, claim, migration, requests, numaCells: cells, interfaces };
    return await this.#turns.of(instance, signal, async (operating) => {
      const taken = await prepareArrival(operating, arrivalKind, wanted, signal);
      const ports = preparedPorts(operating, taken, 'on-complete');
      return { version: operationsVersion, instance, migration, ports };
    });
  }

  /**
   * At the source: takes all vDPA interfaces out of the running guest, one at a time, newest first. When
   * it keeps one it gets back those that it let go of. The devices stay allocated.
   *
   * @param prepared the destination's answer: before it there is nothing to move to
   * @returns what the guest had
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `NOT_SUPPORTED` (the destination's library is too old), `PORT_CHANGED` (it was given a
   *   port, or lost one, since it was offered), and those of `InstanceOperations.suspend`
   */
  async unplug(
    prepared: PreparedMigration,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    assertForm('unplug', preparedForm, prepared);
    assertVersion(operation, prepared.version);
    const { instance, migration } = prepared;
    return await this.#turns.ofGuest('unplug', instance, guest, options, (place, operating) => {
      const assertAsWanted = () => assertAsPrepared(operating.host.tracker, prepared);
      return takeOut(operating, { instance, kind, migration, assertAsWanted }, place, options);
    });
  }

  /**
   * At the destination, where the guest runs now: gives it its interfaces, all or nothing, and makes
   * what was claimed the instance's own. After a failure it is prepared, as it was.
   *
   * @returns what it has. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `CLAIM_NOT_FOUND` (released meanwhile), those of
   *   `VdpaHost.attach`
   */
  async completeAtDestination(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    const call = 'completeAtDestination';
    return await this.#turns.ofGuest(call, instance, guest, options, (place, operating) =>
      completeArrival(operating, instance, arrivalKind, place, options),
    );
  }

  /**
   * At the source, once the guest runs at the destination: gives back everything that the instance has
   * of its own here. Repeated, it does nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (it is not unplugged), `CLAIM_IN_GUEST`, those of a
   *   store's `commit`
   */
  async completeAtSource(
    instance: InstanceId,
    options: Pick<OperationOptions, 'signal'> = {},
  ): Promise<void> {
    await this.#turns.ofInstance('completeAtSource', instance, options, async (operating) => {
      const unplugged = unpluggedGuest(operating, instance, kind);
      if (unplugged !== null) await releaseAll(operating, unplugged, options);
    });
  }

  /**
   * On either side: the guest stays at the source, where it gets back exactly what was taken out of it;
   * the destination gives back what was claimed. Where nothing is under way it does nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (another operation), `GUEST_NOT_FOUND` (it has ended at the
   *   source: the instance is stopped now, and `start` gives it what it had), those of
   *   `VdpaHost.attach` and `detach`
   */
  async abort(instance: InstanceId, options: OperationOptions = {}): Promise<void> {
    await this.#turns.ofInstance('abort', instance, options, async (operating) => {
      const now = operating.host.tracker.operationOf(instance)?.kind;
      // Its guest had ended: aborted before.
      if (now === 'stop') return;
      if (now !== kind) {
        await abortArrival(operating, instance, arrivalKind, options);
        return;
      }
      const unplugged = unpluggedGuest(operating, instance, kind);
      if (unplugged === null) return;
      await putBack(operating, unplugged, placeOf(operating, unplugged.detail.guest), options);
    });
  }

  #assertOffer(call: string, offer: MigrationOffer, options: PrepareOptions): void {
    assertForm(call, offerForm, offer);
    assertForm(call, prepareForm, options);
    assertVersion(operation, offer.version);
    assertMigratable(offer);
  }
}
