import { VdpaError } from '../errors.js';
import type { RequestId } from '../policy/device-request.js';
import type { ClaimId, InstanceId } from './claim.js';
import type { DeviceRecord, DeviceStatus } from './device-record.js';

/** A device with those that stand and fall with it. */
export interface Family {
  readonly record: DeviceRecord;
  /** The PF above a VF or vDPA device, when it is tracked. */
  readonly parent: DeviceRecord | null;
  /** The VFs and vDPA devices below a PF; none for a device of another type. */
  readonly children: Iterable<DeviceRecord>;
  /** Whether all other children of the parent are available. */
  siblingsAvailable(): boolean;
}

/** Who takes a device, and what for. */
export interface Holder {
  readonly claimId: ClaimId | null;
  readonly instance: InstanceId;
  readonly requestId: RequestId | null;
}

/** Where a member of the family stands from now on. */
export interface Transition {
  readonly before: DeviceRecord;
  readonly after: DeviceRecord;
}

const claimable: readonly DeviceStatus[] = ['available'];
const allocatable: readonly DeviceStatus[] = ['available', 'claimed'];
const freeable: readonly DeviceStatus[] = ['claimed', 'allocated'];
/** What the rest of the family may be in while one of it is taken. */
const unheld: readonly DeviceStatus[] = ['available', 'unclaimable', 'unavailable'];

export const isHeld = ({ status }: DeviceRecord): boolean =>
  status === 'claimed' || status === 'allocated';

const isPf = ({ device }: DeviceRecord): boolean => device.type === 'type-PF';

/**
 * Takes a device for a holder that does not have it yet; the rest of its family is unclaimable.
 *
 * @throws {VdpaError} `DEVICE_NOT_FREE`, `DEVICE_FAMILY_HELD`
 */
export function claimDevice(family: Family, holder: Holder): Transition[] {
  assertStatus(family.record, claimable);
  return take(family, unheld, { ...holder, status: 'claimed' }, 'unclaimable');
}

/**
 * The holder has it now; the rest of its family is unavailable.
 *
 * @throws {VdpaError} `DEVICE_NOT_FREE`, `DEVICE_HELD_BY_OTHER`, `DEVICE_FAMILY_HELD`
 */
export function allocateDevice(family: Family, holder: Holder): Transition[] {
  const { record } = family;
  assertStatus(record, allocatable);
  if (record.status === 'claimed') assertHolder(record, holder.instance);
  return take(
    family,
    ['available', 'unclaimable'],
    {
      status: 'allocated',
      claimId: record.claimId ?? holder.claimId,
      instance: holder.instance,
      requestId: record.requestId ?? holder.requestId,
    },
    'unavailable',
  );
}

/**
 * Gives a device back. What belongs to a PF is to be had again with it; a PF, when all below it is.
 *
 * @param released its place in the order of releases
 * @param instance whose it must be; null: whoever's
 * @throws {VdpaError} `DEVICE_NOT_HELD`, `DEVICE_HELD_BY_OTHER`
 */
export function freeDevice(
  family: Family,
  released: number,
  instance: InstanceId | null = null,
): Transition[] {
  const { record, parent, children } = family;
  assertStatus(record, freeable);
  if (instance !== null) assertHolder(record, instance);
  const transitions = [transition(record, nobody, released)];
  if (isPf(record)) {
    for (const child of children) transitions.push(...statusOf(child, 'available'));
  } else if (parent !== null && family.siblingsAvailable()) {
    transitions.push(...statusOf(parent, 'available'));
  }
  return transitions;
}

/**
 * That a device may be forgotten: nobody has it.
 *
 * @throws {VdpaError} `DEVICE_NOT_FREE`, `DEVICE_HELD_BY_OTHER`
 */
export function assertForgettable(record: DeviceRecord): void {
  assertStatus(record, unheld);
  assertHolder(record, null);
}

/** What a device is from the start, by what has been taken of its family. */
export function firstStatus({ record, parent, children }: Family): DeviceStatus {
  if (!isPf(record)) return dependentStatus(parent) ?? 'available';
  let status: DeviceStatus = 'available';
  for (const child of children) {
    const forced = dependentStatus(child);
    if (forced === 'unavailable') return forced;
    status = forced ?? status;
  }
  return status;
}

/** What holding this device makes of those that depend on it. */
function dependentStatus(holder: DeviceRecord | null): DeviceStatus | null {
  if (holder?.status === 'claimed') return 'unclaimable';
  return holder?.status === 'allocated' ? 'unavailable' : null;
}

const nobody: Taken = { status: 'available', claimId: null, instance: null, requestId: null };

type Taken = Pick<DeviceRecord, 'status' | 'claimId' | 'instance' | 'requestId'>;

function take(
  { record, parent, children }: Family,
  childrenIn: readonly DeviceStatus[],
  taken: Taken,
  dependents: DeviceStatus,
): Transition[] {
  const transitions = [transition(record, taken, record.released)];
  if (isPf(record)) {
    for (const child of children) {
      if (!childrenIn.includes(child.status)) throw familyHeld(record, child);
      transitions.push(...dependentOf(child, dependents));
    }
  } else if (parent !== null) {
    if (!unheld.includes(parent.status)) throw familyHeld(record, parent);
    transitions.push(...dependentOf(parent, dependents));
  }
  return transitions;
}

/** Written out: it is done four times for a claim and its release. */
function transition(
  before: DeviceRecord,
  { status, claimId, instance, requestId }: Taken,
  released: number,
): Transition {
  const { device, home, pending, vanished } = before;
  const after: DeviceRecord = {
    device,
    home,
    status,
    claimId,
    instance,
    requestId,
    pending,
    vanished,
    released,
  };
  return { before, after };
}

/** None when it is so already. */
function statusOf(record: DeviceRecord, status: DeviceStatus): Transition[] {
  if (record.status === status) return [];
  const { claimId, instance, requestId, released } = record;
  return [transition(record, { status, claimId, instance, requestId }, released)];
}

/** What is unavailable stays so when another of its family is claimed. */
function dependentOf(record: DeviceRecord, status: DeviceStatus): Transition[] {
  return record.status === 'unavailable' ? [] : statusOf(record, status);
}

function assertStatus(record: DeviceRecord, allowed: readonly DeviceStatus[]): void {
  if (allowed.includes(record.status)) return;
  const { id } = record.device;
  if (allowed === freeable) {
    throw new VdpaError('DEVICE_NOT_HELD', `${id} is ${record.status}: nobody holds it`, {
      retry: 'never',
    });
  }
  throw new VdpaError(
    'DEVICE_NOT_FREE',
    `${id} is ${record.status}${heldBy(record)}, not ${allowed.join(' or ')}`,
    { retry: 'later' },
  );
}

function assertHolder(record: DeviceRecord, instance: InstanceId | null): void {
  if (record.instance === instance) return;
  throw new VdpaError(
    'DEVICE_HELD_BY_OTHER',
    `${record.device.id} is ${record.status}${heldBy(record)}, not for ${instance === null ? 'nobody' : `instance ${instance}`}`,
    { retry: 'never' },
  );
}

function familyHeld(record: DeviceRecord, relative: DeviceRecord): VdpaError {
  const { id } = record.device;
  const relation = isPf(record) ? 'its VF' : 'its PF';
  return new VdpaError(
    'DEVICE_FAMILY_HELD',
    `${id} cannot be taken: ${relation} ${relative.device.id} is ${relative.status}${heldBy(relative)}`,
    { retry: 'later' },
  );
}

const heldBy = ({ instance }: DeviceRecord): string =>
  instance === null ? '' : ` for instance ${instance}`;
