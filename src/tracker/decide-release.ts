import type { DeviceId } from '../host/device-id.js';
import type { Claim } from './claim.js';
import type { Decision } from './decision.js';
import { Draft } from './draft.js';
import type { Ledger } from './ledger.js';
import { freeDevice } from './transitions.js';

/** What of a claim is given back. */
export interface Returned {
  readonly claim: Claim;
  /** Null: all of it. */
  readonly devices: readonly DeviceId[] | null;
}

/** Gives devices back. What has vanished meanwhile goes; what has changed is as the host has it now. */
export function decideRelease(ledger: Ledger, returned: readonly Returned[]): Decision {
  const draft = new Draft(ledger);
  const freed: DeviceId[] = [];
  for (const { claim, devices } of returned) {
    const gone = new Set(devices ?? claim.devices.map(({ deviceId }) => deviceId));
    for (const id of gone) {
      const record = draft.device(id);
      if (record?.claimId !== claim.id) continue;
      draft.apply(freeDevice(draft.family(record), ledger.nextRelease()));
      freed.push(id);
    }
    const left = claim.devices.filter(({ deviceId }) => !gone.has(deviceId));
    draft.setClaim(claim.id, left.length === 0 ? null : { ...claim, devices: left });
  }
  // Only now: what goes has counted in its family until here.
  for (const id of freed) {
    const record = draft.device(id);
    if (record === null) continue;
    if (record.vanished) draft.setDevice(id, null);
    else if (record.pending !== null) {
      const { pending } = record;
      draft.setDevice(id, {
        ...record,
        device: pending,
        home: pending.parentAddress,
        pending: null,
      });
    }
  }
  return draft.decision();
}
