import type { DeviceId } from '../host/device-id.js';
import type { Claim } from './claim.js';
import type { Decision } from './decision.js';
import { Draft } from './draft.js';
import type { Ledger } from './ledger.js';
import { freeDevice } from './transitions.js';

/** What of a claim is given back. */
export interface Returned {
  readonly claim: Claim;
  /** Null: all of it. What it does not have is not given back. */
  readonly devices: readonly DeviceId[] | null;
}

/** Gives devices back. What has vanished meanwhile goes; what has changed is as the host has it now. */
export function decideRelease(ledger: Ledger, returned: readonly Returned[]): Decision {
  const draft = new Draft(ledger);
  for (const one of returned) giveBack(draft, ledger, one);
  return draft.decision();
}

export function giveBack(draft: Draft, ledger: Ledger, { claim, devices }: Returned): void {
  const gone = devices === null ? null : new Set(devices);
  const freed = claim.devices.filter(({ deviceId }) => gone?.has(deviceId) ?? true);
  if (freed.length === 0 && claim.devices.length > 0) return;
  for (const { deviceId } of freed) {
    const record = draft.device(deviceId);
    if (record?.claimId !== claim.id) continue;
    draft.apply(freeDevice(draft.family(record), ledger.nextRelease()));
  }
  const left = gone === null ? [] : claim.devices.filter(({ deviceId }) => !gone.has(deviceId));
  draft.setClaim(claim.id, left.length === 0 ? null : { ...claim, devices: left });
  // Only now: what goes has counted in its family until here.
  for (const { deviceId } of freed) becomeReported(draft, deviceId);
}

/** What was freed goes if it has vanished, or is what the host has now. */
export function becomeReported(draft: Draft, id: DeviceId): void {
  const record = draft.device(id);
  if (record === null) return;
  const { pending } = record;
  if (record.vanished) draft.setDevice(id, null);
  else if (pending !== null) {
    draft.setDevice(id, { ...record, device: pending, home: pending.parentAddress, pending: null });
  }
}
