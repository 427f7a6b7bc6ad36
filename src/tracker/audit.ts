import type { DeviceId } from '../host/device-id.js';
import type { Claim, ClaimId } from './claim.js';
import type { DeviceRecord } from './device-record.js';
import { Draft, pfOf } from './draft.js';
import type { Ledger } from './ledger.js';
import type { Operation } from './operation.js';
import { isForfeit, type Living, orphanedOperations, orphansOf } from './orphans.js';
import { firstStatus, isHeld } from './transitions.js';

export type TrackerFindingCode =
  /** Somebody has a device that the host no longer has. It goes when it is given back. */
  | 'device-vanished'
  /** Somebody has a device that is another now, such as a plain VF. It becomes that when given back. */
  | 'device-changed'
  /** Somebody has a device that no device_spec entry admits any more. */
  | 'device-not-specified'
  /** None of the instances and migrations that live has the claim. */
  | 'claim-orphaned'
  /** An instance that does not live is in an operation that rests, such as a suspend: it spares its claims. */
  | 'operation-orphaned'
  /** The record and the claim contradict one another about who has the device. */
  | 'holder-contradiction'
  /** A PF and a VF of it are both in use, or neither is and one is called so. */
  | 'family-contradiction';

export interface TrackerFinding {
  readonly code: TrackerFindingCode;
  readonly message: string;
  readonly deviceId: DeviceId | null;
  readonly claimId: ClaimId | null;
  /** Whether `heal` sets it right. */
  readonly healable: boolean;
}

/** What does not fit together, by devices, claims and then operations in order of their ids. */
export function auditLedger(ledger: Ledger, living: Living | null): TrackerFinding[] {
  const findings: TrackerFinding[] = [];
  const draft = new Draft(ledger);
  for (const id of [...ledger.deviceIds()].sort()) {
    const record = ledger.record(id);
    if (record !== undefined) findings.push(...recordFindings(record, ledger, draft));
  }
  const isOrphan = orphansOf(living, ledger);
  for (const claim of ledger.claims().sort((a, b) => (a.id < b.id ? -1 : 1))) {
    findings.push(...claimFindings(claim, ledger, isOrphan(claim)));
  }
  for (const operation of orphanedOperations(living, ledger)) {
    findings.push(operationFinding(operation, ledger));
  }
  return findings;
}

function recordFindings(record: DeviceRecord, ledger: Ledger, draft: Draft): TrackerFinding[] {
  const { device, claimId } = record;
  const findings: TrackerFinding[] = [];
  const add = (code: TrackerFindingCode, message: string, healable = false): void => {
    findings.push({ code, message, deviceId: device.id, claimId, healable });
  };
  if (!isHeld(record)) {
    const status = firstStatus(draft.family(record));
    if ((status === 'available') !== (record.status === 'available')) {
      add('family-contradiction', `${device.id} is ${record.status} and should be ${status}`, true);
    }
    return findings;
  }
  const held = `${device.id} is ${record.status} for instance ${record.instance}`;
  if (record.vanished) add('device-vanished', `${held}, and the host no longer has it`);
  if (record.pending !== null) add('device-changed', `${held}, and is another device now`);
  if (!ledger.admits(device)) {
    add('device-not-specified', `${held}, and no device_spec entry admits it`);
  }
  const pf = pfOf(record);
  const parent = pf === null ? undefined : ledger.record(pf);
  if (parent !== undefined && isHeld(parent)) {
    add('family-contradiction', `${held}, and so is its PF for instance ${parent.instance}`);
  }
  const claim = claimId === null ? undefined : ledger.claim(claimId)?.value;
  if (claim === undefined)
    add('holder-contradiction', `${held} by a claim that is not there`, true);
  else if (!claim.devices.some(({ deviceId }) => deviceId === device.id)) {
    add('holder-contradiction', `${held} by claim ${claim.id}, which does not have it`, true);
  }
  return findings;
}

function operationFinding({ instance, kind, step }: Operation, ledger: Ledger): TrackerFinding {
  const [claim] = ledger.claimsOf(instance);
  const cure =
    claim === undefined
      ? ''
      : `, and has claim ${claim.id}: delete it there, or release that by force`;
  return {
    code: 'operation-orphaned',
    message: `instance ${instance}, which is not there, is in operation ${kind} (${step})${cure}`,
    deviceId: null,
    claimId: claim?.id ?? null,
    healable: claim === undefined,
  };
}

function claimFindings(claim: Claim, ledger: Ledger, isOrphan: boolean): TrackerFinding[] {
  const findings: TrackerFinding[] = [];
  if (isOrphan) {
    const whose =
      claim.migration === null ? `instance ${claim.instance}` : `migration ${claim.migration}`;
    const count = claim.devices.length === 1 ? 'a device' : `${claim.devices.length} devices`;
    const inGuest =
      claim.guest === null ? '' : `; guest ${claim.guest} may have it: detach it there first`;
    findings.push({
      code: 'claim-orphaned',
      message: `claim ${claim.id} has ${count} for ${whose}, which is not there${inGuest}`,
      deviceId: null,
      claimId: claim.id,
      healable: isForfeit(claim),
    });
  }
  for (const { deviceId } of claim.devices) {
    if (ledger.record(deviceId)?.claimId === claim.id) continue;
    findings.push({
      code: 'holder-contradiction',
      message: `claim ${claim.id} has ${deviceId}, whose record does not say so`,
      deviceId,
      claimId: claim.id,
      healable: true,
    });
  }
  return findings;
}
