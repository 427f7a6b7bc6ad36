import type { InstanceId } from '../../tracker/claim.js';
import type { Operation } from '../../tracker/operation.js';
import { JournalEntry, type OperationOf } from './journal-entry.js';
import type { Operating, OperationOptions } from './operating.js';
import { releaseClaim } from './plugged-interface.js';
import type { ResumedState } from './resumed-operation.js';

type Deletion = OperationOf<'release', Readonly<Record<string, unknown>>>;

/** Takes everything that an instance has here from it. Another operation of it ends with that. */
export async function deleteInstance(
  operating: Operating,
  instance: InstanceId,
  options: OperationOptions,
): Promise<void> {
  const { tracker } = operating.host;
  const before = tracker.operationOf(instance);
  if (before === null && tracker.claims(instance).length === 0) return;
  const deletion: Deletion = { instance, kind: 'delete', step: 'release', detail: {} };
  if (before?.kind !== deletion.kind) await tracker.setOperation(instance, before, deletion);
  const entry = new JournalEntry(tracker, deletion);
  // From now on no attach or detach is begun by hand; those that were come to their end first.
  const guests = new Set(tracker.claims(instance).map(({ guest }) => guest));
  for (const guest of guests) if (guest !== null) await operating.host.settled(guest);
  for (const claim of tracker.claims(instance)) await releaseClaim(operating, claim, options);
  await entry.end();
}

/** Goes on where a process was killed. */
export async function resumeDeletion(
  operating: Operating,
  { instance }: Operation,
  options: OperationOptions,
): Promise<ResumedState> {
  await deleteInstance(operating, instance, options);
  return 'finished';
}
