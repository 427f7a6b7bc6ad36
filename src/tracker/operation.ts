import { VdpaError } from '../errors.js';
import type { InstanceId } from './claim.js';

/**
 * What is being done with an instance's devices, as far as it has come: what is needed to finish it or
 * to undo it after the process was killed. An instance has one at a time.
 */
export interface Operation {
  readonly instance: InstanceId;
  /** Such as `suspend`. */
  readonly kind: string;
  /** How far it has come, in the words of its kind. */
  readonly step: string;
  /** What its kind keeps to go on with: JSON. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Of an instance with which something else is being done, or was when a process was killed. */
export function underWay({ instance, kind, step }: Operation): VdpaError {
  return otherwise(instance, `is in operation ${kind} (${step})`);
}

/** Of an instance whose operation somebody else has ended meanwhile. */
export function noLongerUnderWay(instance: InstanceId): VdpaError {
  return otherwise(instance, 'is in no operation any more');
}

function otherwise(instance: InstanceId, what: string): VdpaError {
  return new VdpaError('OPERATION_UNDER_WAY', `instance ${instance} ${what}`, { retry: 'later' });
}
