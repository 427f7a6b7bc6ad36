import { restated, VdpaError } from '../../errors.js';
import { saysGuestGone } from '../../guest/losses.js';
import type { InstanceId, MigrationId } from '../../tracker/claim.js';
import { listOf, name, nullable, shape } from '../../tracker/form.js';
import { type Operation, underWay } from '../../tracker/operation.js';
import type { GuestPlace } from '../guest-place.js';
import { entryOf, JournalEntry, type OperationOf } from './journal-entry.js';
import { type Operating, type OperationOptions, placeOf } from './operating.js';
import {
  notUndone,
  ownInterfacesAs,
  type PluggedInterface,
  plugAll,
  pluggedInterface,
  pluggedInterfaces,
  releaseClaim,
  unplugAll,
  unplugElsewhere,
  wholeInterfaces,
} from './plugged-interface.js';
import type { ResumedState } from './resumed-operation.js';

/** The operations in which a guest has no vDPA interface for a while. */
export type UnpluggingKind = 'suspend' | 'snapshot' | 'stop' | 'live-migration-source';

const steps = ['unplug', 'unplugged', 'plug', 'release'] as const;

/**
 * - `unplug`: the guest runs, and is letting go of its interfaces
 * - `unplugged`: it has none; its state may be saved or sent, or is
 * - `plug`: it runs again, or still, and is getting them back
 * - `release`: it runs elsewhere, and what it had here is being given back
 */
type Step = (typeof steps)[number];

interface Detail {
  /** By its driver's reference. */
  readonly guest: string;
  readonly interfaces: readonly PluggedInterface[];
  /** The live migration that it is unplugged for. */
  readonly migration: MigrationId | null;
}

export type UnpluggedGuest = OperationOf<Step, Detail>;

const detailForm = shape<Detail>({
  guest: name,
  interfaces: listOf(pluggedInterface),
  migration: nullable(name),
});

/**
 * What is kept of an instance's operation, when it is of this kind.
 *
 * @throws {VdpaError} `OPERATION_UNDER_WAY` when it is of another, `STORE_CORRUPT` when it makes no sense
 */
export function unpluggedGuest(
  { host: { tracker } }: Operating,
  instance: InstanceId,
  kind: UnpluggingKind,
): UnpluggedGuest | null {
  return entryOf<Step, Detail>(tracker.operationOf(instance), kind, steps, detailForm);
}

/**
 * Takes all vDPA interfaces out of a running guest, newest first. When that has been done, it does nothing.
 * A guest that keeps one gets back those that it let go of.
 *
 * @returns what it had
 */
export async function takeOut(
  operating: Operating,
  { instance, kind, migration, assertAsWanted }: OwnUnplugging,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  const { tracker } = operating.host;
  const before = unpluggedGuest(operating, instance, kind);
  if (before !== null) {
    const isDone = before.step === 'unplugged';
    const isOther = before.detail.migration !== migration;
    // A stop goes on where it failed: the guest ends anyway.
    if (isOther || !(isDone || kind === 'stop')) throw underWay(before);
    if (!isDone) {
      await unplugAll(operating, before.detail.interfaces, place, options);
      await new JournalEntry(tracker, before).advance('unplugged');
    }
    return before.detail.interfaces;
  }
  const listed = async () =>
    kind === 'stop'
      ? await interfacesHad(operating, instance, place, options)
      : await pluggedInterfaces(tracker, instance, place, options.signal);
  let interfaces = await listed();
  const entry = await begin(operating, { instance, kind, migration }, 'unplug', place, interfaces);
  try {
    // From now on no attach is begun by hand; one that was, is to go out as well.
    if (await operating.host.settled(place.reference)) {
      interfaces = await listed();
      await entry.advance('unplug', { interfaces });
    }
    assertAsWanted?.();
    await unplugAll(operating, interfaces, place, options);
  } catch (error) {
    throw await pluggedAgain(operating, entry, place, error);
  }
  await entry.advance('unplugged');
  return interfaces;
}

/**
 * Gives a guest that has been started what it had when it was stopped; when it ended without that, all
 * that its instance has here. When that has been done, it does nothing.
 *
 * @returns what it has
 */
export async function putIn(
  operating: Operating,
  instance: InstanceId,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  const { tracker } = operating.host;
  const kind = 'stop';
  const stopped = unpluggedGuest(operating, instance, kind);
  if (stopped !== null) return await putBack(operating, stopped, place, options);
  const there = await wholeInterfaces(tracker, instance, place, options.signal);
  const all = ownInterfacesAs(tracker, instance, there);
  if (all.length === there.length) return all;
  const entry = await begin(operating, { instance, kind, migration: null }, 'plug', place, all);
  try {
    return await putBack(operating, entry.operation, place, options);
  } catch (error) {
    // A guest that runs on is as it was, and in no operation; one that has ended is stopped.
    const left = unpluggedGuest(operating, instance, kind);
    if (left?.step === 'plug') await new JournalEntry(tracker, left).end();
    throw error;
  }
}

async function begin(
  { host: { tracker } }: Operating,
  { instance, kind, migration }: OwnUnplugging,
  step: Step,
  { reference }: GuestPlace,
  interfaces: readonly PluggedInterface[],
): Promise<JournalEntry<Step, Detail>> {
  const detail = { guest: reference, interfaces, migration };
  return await JournalEntry.begin<Step, Detail>(tracker, { instance, kind, step, detail });
}

/**
 * What a guest that is shut down had: it may have ended, and been started again, and then has none, but is to
 * get all that its instance has been given.
 */
export async function interfacesHad(
  { host: { tracker } }: Operating,
  instance: InstanceId,
  place: GuestPlace,
  { signal }: OperationOptions,
): Promise<PluggedInterface[]> {
  let there: PluggedInterface[] = [];
  try {
    there = await pluggedInterfaces(tracker, instance, place, signal);
  } catch (error) {
    if (!saysGuestGone(error)) throw error;
  }
  return ownInterfacesAs(tracker, instance, there);
}

/** An operation as which another goes on, of an instance whose guest has ended: `start` gives it these. */
export function stoppedOperation(
  instance: InstanceId,
  guest: string,
  interfaces: readonly PluggedInterface[],
): UnpluggedGuest {
  const detail = { guest, interfaces, migration: null };
  return { instance, kind: 'stop', step: 'unplugged', detail };
}

interface OwnUnplugging {
  readonly instance: InstanceId;
  readonly kind: UnpluggingKind;
  readonly migration: MigrationId | null;
  /** Looks at what is to go out, once no attach or detach can change it any more. */
  readonly assertAsWanted?: () => void;
}

/**
 * Gives a guest what it had, all or nothing: after a failure it is unplugged, as it was. Also when an
 * earlier call has left it between the two.
 *
 * @returns what it has
 */
export async function putBack(
  operating: Operating,
  unplugged: UnpluggedGuest,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  if (unplugged.step === 'release') throw underWay(unplugged);
  const entry = new JournalEntry(operating.host.tracker, unplugged);
  const { interfaces } = unplugged.detail;
  const hadNone = unplugged.step === 'unplugged';
  await unplugElsewhere(operating, interfaces, place, options);
  await entry.advance('plug', { guest: place.reference });
  let there: readonly PluggedInterface[];
  try {
    there = await plugAll(operating, interfaces, place, options);
  } catch (error) {
    if (saysGuestGone(error)) {
      await stopped(operating, entry, place, options);
      throw error;
    }
    // What is left in the guest keeps it from being unplugged.
    const isPartial = error instanceof VdpaError && error.outcome === 'partial';
    if (hadNone && !isPartial) await entry.advance('unplugged');
    throw error;
  }
  // When that is not stored, it has them all the same: whoever goes on finds nothing left to plug.
  await entry.end();
  return there;
}

/**
 * A guest that has ended has nothing, and neither has the network of it: what it had it is to get when it is
 * started again; when it was suspended, when it is resumed.
 */
async function stopped(
  operating: Operating,
  entry: JournalEntry<Step, Detail>,
  place: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  await unplugAll(operating, entry.detail.interfaces, place, options);
  const kind: UnpluggingKind = entry.kind === 'suspend' ? 'suspend' : 'stop';
  await entry.advance('unplugged', { migration: null }, kind);
}

/** Gives back what an instance has of its own here, now that it runs elsewhere. */
export async function releaseAll(
  operating: Operating,
  unplugged: UnpluggedGuest,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  if (!['unplugged', 'release'].includes(unplugged.step)) throw underWay(unplugged);
  const entry = new JournalEntry(tracker, unplugged);
  if (unplugged.step !== 'release') await entry.advance('release');
  for (const claim of tracker.claims(unplugged.instance)) {
    if (claim.migration !== null) continue;
    await releaseClaim(operating, claim, options);
  }
  await entry.end();
}

/** Goes on where a process was killed. */
export async function resumeUnplugged(
  operating: Operating,
  { instance, kind }: Operation,
  options: OperationOptions,
): Promise<ResumedState> {
  const unplugged = unpluggedGuest(operating, instance, kind as UnpluggingKind);
  if (unplugged === null) return 'kept';
  const { step, detail } = unplugged;
  if (step === 'release') {
    await releaseAll(operating, unplugged, options);
    return 'finished';
  }
  // A snapshot has nobody to go on with it: whoever took it has been killed too.
  if (step === 'unplugged' && kind !== 'snapshot') return 'kept';
  const place = placeOf(operating, detail.guest);
  const entry = new JournalEntry(operating.host.tracker, unplugged);
  try {
    if (step === 'unplug') await hasLetGo(operating, detail.interfaces, place, options);
    await plugAll(operating, detail.interfaces, place, options);
  } catch (error) {
    if (!saysGuestGone(error)) throw error;
    await stopped(operating, entry, place, options);
    return 'undone';
  }
  await entry.end();
  return step === 'plug' && kind !== 'live-migration-source' ? 'finished' : 'undone';
}

/**
 * A guest that was asked to let go may do so seconds later, when nobody looks any more: first it does, or
 * is seen not to.
 */
async function hasLetGo(
  operating: Operating,
  interfaces: readonly PluggedInterface[],
  place: GuestPlace,
  options: OperationOptions,
): Promise<void> {
  try {
    await unplugAll(operating, interfaces, place, options);
  } catch (error) {
    if (!(error instanceof VdpaError)) throw error;
  }
}

/** @returns what is to be thrown, after the guest got back what was taken */
async function pluggedAgain(
  operating: Operating,
  entry: JournalEntry<Step, Detail>,
  place: GuestPlace,
  error: unknown,
): Promise<unknown> {
  try {
    await plugAll(operating, entry.detail.interfaces, place, {});
  } catch (failure) {
    return notUndone(error, failure);
  }
  await entry.end();
  if (!(error instanceof VdpaError)) return error;
  return restated(error, error.message, { outcome: 'undone', leftovers: [], cause: error });
}
