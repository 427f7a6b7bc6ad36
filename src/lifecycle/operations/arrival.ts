import { restated, VdpaError } from '../../errors.js';
import type { Claim, ClaimId, InstanceId } from '../../tracker/claim.js';
import { listOf, name, nullable, shape } from '../../tracker/form.js';
import { type Operation, underWay } from '../../tracker/operation.js';
import type { GuestPlace } from '../guest-place.js';
import { entryOf, JournalEntry, type OperationOf } from './journal-entry.js';
import { type OfferedInterface, offeredInterface } from './migration-offer.js';
import { type Operating, type OperationOptions, placeOf } from './operating.js';
import { type PluggedInterface, pluggedHere, releaseClaim } from './plugged-interface.js';
import {
  assertClaimable,
  isOf,
  plugTaken,
  resumePlug,
  takeDevices,
  takenBefore,
  takenClaim,
  type WantedClaim,
} from './prepared-claim.js';
import type { ResumedState } from './resumed-operation.js';

/** The operations by which an instance comes to a host. */
export type ArrivalKind = 'boot' | 'live-migration-destination';

const steps = ['claim', 'prepared', 'plug', 'abort'] as const;

/**
 * - `claim`: devices are being taken
 * - `prepared`: they are taken; the guest may be on its way
 * - `plug`: it is here, and is getting its interfaces
 * - `abort`: it does not come, and what was taken is being given back
 */
type Step = (typeof steps)[number];

interface Detail {
  /** All that it gets is one claim. */
  readonly claim: ClaimId;
  readonly interfaces: readonly OfferedInterface[];
  /** By its driver's reference; null: it is not here yet. */
  readonly guest: string | null;
}

type Arrival = OperationOf<Step, Detail>;

const detailForm = shape<Detail>({
  claim: name,
  interfaces: listOf(offeredInterface),
  guest: nullable(name),
});

/** @throws {VdpaError} `OPERATION_UNDER_WAY`, `STORE_CORRUPT` */
export function arrivalOf(
  { host: { tracker } }: Operating,
  instance: InstanceId,
  kind: ArrivalKind,
): Arrival | null {
  return entryOf<Step, Detail>(tracker.operationOf(instance), kind, steps, detailForm);
}

/** Takes devices for all requests, or none. When that has been done, it does nothing. */
export async function prepareArrival(
  operating: Operating,
  kind: ArrivalKind,
  wanted: WantedClaim,
  signal: AbortSignal | undefined,
): Promise<Claim> {
  const { interfaces, claim: id, instance } = wanted;
  const before = arrivalOf(operating, instance, kind);
  if (before !== null) {
    if (before.step !== 'prepared' || before.detail.claim !== id) throw underWay(before);
    return await takenBefore(operating, wanted, before.detail.interfaces, signal);
  }
  assertNotHere(operating, instance);
  assertClaimable(operating, wanted);
  const detail = { claim: id, interfaces: interfaces ?? [], guest: null };
  const first = { instance, kind, step: 'claim', detail } as const;
  const entry = await JournalEntry.begin<Step, Detail>(operating.host.tracker, first);
  return await takeDevices(operating, entry, wanted, signal, () => entry.end());
}

/** Before anything is taken: what an instance has of its own it has where it runs. */
export function assertNotHere({ host: { tracker } }: Operating, instance: InstanceId): void {
  const own = tracker.claims(instance).find(({ migration }) => migration === null);
  if (own === undefined) return;
  throw new VdpaError(
    'NOT_SUPPORTED',
    `instance ${instance} has claim ${own.id} here already: it cannot come to this host; start it, or release what it no longer needs`,
    { retry: 'after-fix' },
  );
}

/**
 * Gives the guest that has come its interfaces, all or nothing; then what was claimed is its own. When
 * that has been done, it does nothing.
 *
 * @returns what it has
 */
export async function completeArrival(
  operating: Operating,
  instance: InstanceId,
  kind: ArrivalKind,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  const arrival = arrivalOf(operating, instance, kind);
  if (arrival === null) return await pluggedHere(operating, instance, place, options.signal);
  if (!['prepared', 'plug'].includes(arrival.step)) throw underWay(arrival);
  const entry = new JournalEntry(operating.host.tracker, arrival);
  await entry.advance('plug', { guest: place.reference });
  try {
    return await finish(operating, entry, place, options);
  } catch (error) {
    const isPartial = error instanceof VdpaError && error.outcome === 'partial';
    if (arrival.step === 'prepared' && !isPartial) await entry.advance('prepared');
    throw error;
  }
}

/**
 * The instance does not come: what its guest got here is taken from it, and everything is given back.
 * Where none is coming it does nothing.
 */
export async function abortArrival(
  operating: Operating,
  instance: InstanceId,
  kind: ArrivalKind,
  options: OperationOptions,
): Promise<void> {
  const arrival = arrivalOf(operating, instance, kind);
  if (arrival !== null) await giveBack(operating, arrival, options);
}

async function giveBack(
  operating: Operating,
  arrival: Arrival,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  const entry = new JournalEntry(tracker, arrival);
  if (arrival.step !== 'abort') await entry.advance('abort');
  const claim = tracker.claimOf(arrival.detail.claim);
  if (claim !== null && isOf(claim, arrival.instance)) {
    await releaseClaim(operating, claim, options);
  }
  await entry.end();
}

/** Goes on where a process was killed. */
export async function resumeArrival(
  operating: Operating,
  { instance, kind }: Operation,
  options: OperationOptions,
): Promise<ResumedState> {
  const arrival = arrivalOf(operating, instance, kind as ArrivalKind);
  if (arrival === null || arrival.step === 'prepared') return 'kept';
  if (arrival.step !== 'plug') {
    await giveBack(operating, arrival, options);
    return 'undone';
  }
  const { guest } = arrival.detail;
  const place = placeOf(operating, guest ?? '');
  const entry = new JournalEntry(operating.host.tracker, arrival);
  const plug = () => finish(operating, entry, place, options);
  const back = () => entry.advance('prepared');
  return await resumePlug(operating, arrival.detail, place, options, plug, back);
}

async function finish(
  operating: Operating,
  entry: JournalEntry<Step, Detail>,
  place: GuestPlace,
  options: OperationOptions,
): Promise<readonly PluggedInterface[]> {
  const { tracker } = operating.host;
  const claim = takenClaim(operating, entry.detail.claim);
  let own: PluggedInterface[];
  try {
    own = await plugTaken(operating, entry.detail, place, options);
  } catch (error) {
    if (!(error instanceof VdpaError) || claim.migration === null) throw error;
    throw restated(error, `migration ${claim.migration}: ${error.message}`, { cause: error });
  }
  await tracker.adopt({ claim: claim.id, fence: claim.fence });
  await entry.end();
  return own;
}
