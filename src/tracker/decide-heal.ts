import { becomeReported, giveBack } from './decide-release.js';
import type { Decision } from './decision.js';
import { Draft } from './draft.js';
import type { Ledger } from './ledger.js';
import { isForfeit, type Living, orphanedOperations, orphansOf } from './orphans.js';
import { settleStatus } from './settle-status.js';
import { freeDevice, isHeld } from './transitions.js';

/** Sets right what `auditLedger` calls healable: who has a device is what record and claim agree on. */
export function decideHeal(ledger: Ledger, living: Living | null): Decision {
  const draft = new Draft(ledger);
  const isOrphan = orphansOf(living, ledger);
  for (const claim of ledger.claims()) {
    const devices = claim.devices.filter(
      ({ deviceId }) => draft.device(deviceId)?.claimId === claim.id,
    );
    if (isOrphan(claim) && isForfeit(claim)) giveBack(draft, ledger, { claim, devices: null });
    else if (devices.length < claim.devices.length) {
      draft.setClaim(claim.id, devices.length === 0 ? null : { ...claim, devices });
    }
  }
  for (const id of ledger.deviceIds()) {
    const record = draft.device(id);
    if (record === null || !isHeld(record)) continue;
    const claim = record.claimId === null ? null : draft.claim(record.claimId);
    if (claim?.devices.some(({ deviceId }) => deviceId === id)) continue;
    draft.apply(freeDevice(draft.family(record), ledger.nextRelease()));
    becomeReported(draft, id);
  }
  for (const id of ledger.deviceIds()) settleStatus(draft, id);
  const operations = orphanedOperations(living, ledger).flatMap(({ instance }) => {
    const before = ledger.operation(instance);
    if (before === undefined || ledger.claimsOf(instance).length > 0) return [];
    return [{ id: instance, before, after: null }];
  });
  return { ...draft.decision(), operations };
}
