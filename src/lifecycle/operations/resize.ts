import { VdpaError } from '../../errors.js';
import { assertForm } from '../../tracker/arguments.js';
import type { Claim, ClaimId, InstanceId, MigrationId } from '../../tracker/claim.js';
import { anything, from, listOf, name, nullable, optional, shape } from '../../tracker/form.js';
import { type Operation, underWay } from '../../tracker/operation.js';
import { numaCells } from '../../tracker/store-form.js';
import type { GuestPlace } from '../guest-place.js';
import type { BootRequest, PreparedBoot } from './boot.js';
import { entryOf, JournalEntry, type OperationOf } from './journal-entry.js';
import { type OfferedInterface, offeredInterface, type PreparedPort } from './migration-offer.js';
import { type Operating, type OperationOptions, placeOf } from './operating.js';
import type { OperationTurns } from './operation-turns.js';
import {
  type PluggedInterface,
  pluggedInterface,
  releaseClaim,
  unplugAll,
} from './plugged-interface.js';
import {
  assertClaimable,
  isOf,
  plugTaken,
  preparedPorts,
  resumePlug,
  takeDevices,
  takenBefore,
  takenClaim,
  type WantedClaim,
} from './prepared-claim.js';
import type { ResumedState } from './resumed-operation.js';
import { interfacesHad, stoppedOperation, unpluggedGuest } from './unplugged-guest.js';

/** What an instance needs in its new size. */
export interface ResizeRequest extends Omit<BootRequest, 'claim'> {
  /** By which the new devices are claimed until the resize is confirmed. */
  readonly migration: MigrationId;
}

const resizeRequest = shape<ResizeRequest>({
  migration: name,
  requests: listOf(anything),
  numaCells: optional(numaCells),
  interfaces: optional(listOf(offeredInterface)),
});

const kind = 'resize';
const steps = [
  ...(['claim', 'prepared', 'unplug', 'unplugged'] as const),
  ...(['plug', 'plugged', 'confirm', 'revert'] as const),
] as const;

/**
 * - `claim`: new devices are being taken
 * - `prepared`: they are taken, beside those that the instance has
 * - `unplug`: its guest has ended, or is to, and what it had is leaving the network
 * - `unplugged`: it has none
 * - `plug`: it has been started in its new size, and is getting the new ones
 * - `plugged`: it has them, and the instance has both until it is confirmed or reverted
 * - `confirm`: the old ones are being given back
 * - `revert`: the new ones are
 */
type Step = (typeof steps)[number];

interface Detail {
  readonly claim: ClaimId;
  readonly interfaces: readonly OfferedInterface[];
  /** By its driver's reference; null: it has not been touched. */
  readonly guest: string | null;
  /** What it had before. */
  readonly before: readonly PluggedInterface[];
  /** Of the new claim, once it is confirmed: what was claimed before that is given back. */
  readonly fence?: number;
}

type Resizing = OperationOf<Step, Detail>;

const detailForm = shape<Detail>({
  claim: name,
  interfaces: listOf(offeredInterface),
  guest: nullable(name),
  before: listOf(pluggedInterface),
  fence: optional(from(1)),
});

/**
 * A resize, or cold migration, to the same host: until it is confirmed or reverted the instance has its
 * old devices and its new ones. To another host it is `stop` on the source and `boot` on the
 * destination, and then `delete` on the one where it no longer runs.
 *
 * 1. `prepare`: devices are claimed; the guest may still run
 * 2. the guest is shut down, `unplug`
 * 3. the guest is started in its new size, best paused, `complete`
 * 4. `confirm`, or `revert`, which is also possible at any point before
 *
 * Each may be repeated.
 */
export class Resize {
  readonly #turns: OperationTurns;

  constructor(turns: OperationTurns) {
    this.#turns = turns;
  }

  /**
   * Claims devices for the instance's new size beside those that it has: all or nothing. Its guest runs, or
   * is stopped; of one that is, `unplug` does nothing.
   *
   * @returns the claim, and for each port what is to be written to its binding
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `CLAIM_UNSATISFIABLE`, `CLAIM_CONFLICT`,
   *   `DEVICE_NOT_SPECIFIED`, those of a store's `commit`
   */
  async prepare(
    instance: InstanceId,
    wanted: ResizeRequest,
    options: Pick<OperationOptions, 'signal'> = {},
  ): Promise<PreparedBoot> {
    assertForm('prepare', resizeRequest, wanted);
    const { migration, requests, numaCells: cells = null, interfaces = null } = wanted;
    // One claim of the migration for all: it goes by the migration's name.
    const id = migration as string as ClaimId;
    const devices = { instance, migration, requests, numaCells: cells };
    return await this.#turns.ofInstance('prepare', instance, options, async (operating) => {
      const claim = await prepare(operating, { claim: id, interfaces, ...devices }, options.signal);
      return { claim, ports: preparedPorts(operating, claim, 'on-complete') };
    });
  }

  /**
   * Of a guest that is shut down, or has ended: takes the interfaces of its old size out of it and out of
   * the network. After a failure it may be called again; or `revert`.
   *
   * @returns what it had. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY`, `CLAIM_NOT_FOUND` (it is not prepared), those of
   *   `VdpaHost.detach`
   */
  async unplug(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    return await this.#turns.ofGuest(
      'unplug',
      instance,
      guest,
      options,
      async (place, operating) => {
        const now = prepared(operating, instance);
        if (isUnplugged(now)) return now.detail.before;
        if (now.step !== 'prepared' && now.step !== 'unplug') throw underWay(now);
        const entry = new JournalEntry(operating.host.tracker, now);
        if (now.step === 'prepared') {
          await operating.host.settled(place.reference);
          const before = await interfacesHad(operating, instance, place, options);
          await entry.advance('unplug', { guest: place.reference, before });
        }
        await unplugOld(operating, entry, place, options);
        return entry.detail.before;
      },
    );
  }

  /**
   * Gives the guest, which has been started in its new size, the new devices: all or nothing. They are the
   * migration's until `confirm`. A guest that has ended since gets them again.
   *
   * @returns what it has. Repeated, the same
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (it is not unplugged), `CLAIM_NOT_FOUND` (it is not
   *   prepared, or the claim was released meanwhile), those of `VdpaHost.attach`
   */
  async complete(
    instance: InstanceId,
    guest: string,
    options: OperationOptions = {},
  ): Promise<readonly PluggedInterface[]> {
    return await this.#turns.ofGuest(
      'complete',
      instance,
      guest,
      options,
      async (place, operating) => {
        const now = prepared(operating, instance);
        if (!isUnplugged(now) && now.step !== 'plug' && now.step !== 'plugged') throw underWay(now);
        const entry = new JournalEntry(operating.host.tracker, now);
        await entry.advance('plug', { guest: place.reference });
        try {
          return await plugNew(operating, entry, place, options);
        } catch (error) {
          const isPartial = error instanceof VdpaError && error.outcome === 'partial';
          if (isUnplugged(now) && !isPartial) await entry.advance('unplugged');
          throw error;
        }
      },
    );
  }

  /**
   * The instance keeps its new size: gives its old devices back. Repeated, it does nothing.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (it is not complete), `CLAIM_NOT_FOUND` (the new one was
   *   released meanwhile), those of `VdpaHost.detach` and of a store's `commit`
   */
  async confirm(instance: InstanceId, options: OperationOptions = {}): Promise<void> {
    await this.#turns.ofInstance('confirm', instance, options, async (operating) => {
      const now = resizing(operating, instance);
      if (now === null) return;
      if (now.step !== 'plugged' && now.step !== 'confirm') throw underWay(now);
      await keepNew(operating, now, options);
    });
  }

  /**
   * The instance keeps its old size: gives its new devices back, once its guest, which should have ended,
   * does not have them. When its old ones had been taken out already it is stopped afterwards, and `start`
   * gives them back. Where nothing is under way it does nothing.
   *
   * @returns for each port of what it has, what is to be written to its binding again
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` (it is being confirmed, or in another operation), those of
   *   `VdpaHost.detach` and of a store's `commit`
   */
  async revert(instance: InstanceId, options: OperationOptions = {}): Promise<PreparedPort[]> {
    return await this.#turns.ofInstance('revert', instance, options, async (operating) => {
      const { tracker } = operating.host;
      // A stopped one was reverted before.
      if (tracker.operationOf(instance)?.kind !== 'stop') {
        const now = resizing(operating, instance);
        if (now?.step === 'confirm') throw underWay(now);
        if (now !== null) await keepOld(operating, now, options);
      }
      const own = tracker.claims(instance).filter(({ migration }) => migration === null);
      return own.flatMap((claim) => preparedPorts(operating, claim, 'now'));
    });
  }
}

/** Claims what is wanted, over what the instance has, and over a stop. When that has been done, it does nothing. */
async function prepare(
  operating: Operating,
  wanted: WantedClaim,
  signal: AbortSignal | undefined,
): Promise<Claim> {
  const { tracker } = operating.host;
  const { instance, claim: id, interfaces } = wanted;
  const operation = tracker.operationOf(instance);
  if (operation?.kind === kind) {
    const before = prepared(operating, instance);
    if (before.step !== 'prepared' || before.detail.claim !== id) throw underWay(before);
    return await takenBefore(operating, wanted, before.detail.interfaces, signal);
  }
  assertClaimable(operating, wanted);
  const stopped = unpluggedGuest(operating, instance, 'stop');
  if (stopped !== null && stopped.step !== 'unplugged') throw underWay(stopped);
  const { guest = null, interfaces: before = [] } = stopped?.detail ?? {};
  const detail = { claim: id, interfaces: interfaces ?? [], guest, before };
  const first: Resizing = { instance, kind, step: 'claim', detail };
  await tracker.setOperation(instance, stopped, first);
  const entry = new JournalEntry(tracker, first);
  return await takeDevices(operating, entry, wanted, signal, async () => {
    if (stopped === null) await entry.end();
    else await entry.become(stopped);
  });
}

/** Also when it was stopped before it was prepared. */
const isUnplugged = ({ step, detail }: Resizing): boolean =>
  step === 'unplugged' || (step === 'prepared' && detail.guest !== null);

/** Goes on where a process was killed. */
export async function resumeResize(
  operating: Operating,
  { instance }: Operation,
  options: OperationOptions,
): Promise<ResumedState> {
  const now = resizing(operating, instance);
  if (now === null) return 'kept';
  const entry = new JournalEntry(operating.host.tracker, now);
  const place = (): GuestPlace => placeOf(operating, now.detail.guest ?? '');
  switch (now.step) {
    case 'prepared':
    case 'unplugged':
    case 'plugged':
      return 'kept';
    case 'claim':
    case 'revert':
      await keepOld(operating, now, options);
      return 'undone';
    case 'unplug':
      await unplugOld(operating, entry, place(), options);
      return 'finished';
    case 'confirm':
      await keepNew(operating, now, options);
      return 'finished';
    case 'plug':
      break;
  }
  const where = place();
  const plug = () => plugNew(operating, entry, where, options);
  const back = () => entry.advance('unplugged');
  return await resumePlug(operating, now.detail, where, options, plug, back);
}

/** @throws {VdpaError} `OPERATION_UNDER_WAY`, `STORE_CORRUPT` */
function resizing({ host: { tracker } }: Operating, instance: InstanceId): Resizing | null {
  return entryOf<Step, Detail>(tracker.operationOf(instance), kind, steps, detailForm);
}

function prepared(operating: Operating, instance: InstanceId): Resizing {
  const now = resizing(operating, instance);
  if (now !== null) return now;
  throw new VdpaError('CLAIM_NOT_FOUND', `nothing was prepared to resize instance ${instance}`, {
    retry: 'never',
  });
}

async function unplugOld(
  operating: Operating,
  entry: JournalEntry<Step, Detail>,
  place: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  await unplugAll(operating, entry.detail.before, place, options);
  await entry.advance('unplugged');
}

async function plugNew(
  operating: Operating,
  entry: JournalEntry<Step, Detail>,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  const own = await plugTaken(operating, entry.detail, place, options);
  await entry.advance('plugged');
  return own;
}

async function keepNew(
  operating: Operating,
  now: Resizing,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  const entry = new JournalEntry(tracker, now);
  const { claim: id } = now.detail;
  if (now.step !== 'confirm') {
    await entry.advance('confirm', { fence: takenClaim(operating, id).fence });
  }
  // An earlier version kept none.
  const { fence = tracker.claimOf(id)?.fence ?? Number.POSITIVE_INFINITY } = entry.detail;
  for (const claim of tracker.claims(now.instance)) {
    // What it has got since is none of its old devices; the new ones may be its own already.
    const isOld = claim.migration === null && claim.fence < fence;
    if (isOld) await releaseClaim(operating, claim, options);
  }
  // Once it is decided, one that was given back by force is missing, not in the way.
  if (tracker.claimOf(id)?.fence === fence) await tracker.adopt({ claim: id, fence });
  await entry.end();
}

async function keepOld(
  operating: Operating,
  now: Resizing,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  const entry = new JournalEntry(tracker, now);
  if (now.step !== 'revert') await entry.advance('revert');
  const { claim: id, guest, before } = now.detail;
  const claim = tracker.claimOf(id);
  if (claim !== null && isOf(claim, now.instance)) await releaseClaim(operating, claim, options);
  if (guest === null) {
    await entry.end();
    return;
  }
  // Where it stopped half-way.
  await unplugAll(operating, before, placeOf(operating, guest), options);
  await entry.become(stoppedOperation(now.instance, guest, before));
}
