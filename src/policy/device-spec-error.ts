import { VdpaError } from '../errors.js';
import { shown } from './written.js';

/**
 * What is wrong with an entry of device_spec.
 *
 * - `entry`: it is no object, nor text that holds one
 * - `value`: a key has a value that it cannot have
 * - `address`: the address has another form than an address
 * - `address-and-devname`: it has both
 * - `remote-device-absent`: the interface of a remote-managed device is not there
 * - `remote-pf`: a PF was to be remote-managed
 */
export type DeviceSpecProblem =
  | 'entry'
  | 'value'
  | 'address'
  | 'address-and-devname'
  | 'remote-device-absent'
  | 'remote-pf';

/** Which entry, as it counts and as it was written. */
export interface EntryPlace {
  /** From 1; an entry of a list within the list has two: `3.2`. */
  readonly number: string;
  readonly written: unknown;
}

/** An entry of device_spec that cannot be used. Its code is `DEVICE_SPEC_INVALID`. */
export class DeviceSpecError extends VdpaError {
  readonly problem: DeviceSpecProblem;
  /** Number of the entry, from 1; of an entry of a list within the list `3.2`. */
  readonly entry: string;
  /** The key that is at fault; null when it is the entry as a whole. */
  readonly key: string | null;

  constructor(
    { number, written }: EntryPlace,
    key: string | null,
    problem: DeviceSpecProblem,
    reason: string,
  ) {
    const at = key === null ? '' : `${key}: `;
    super('DEVICE_SPEC_INVALID', `device_spec entry ${number}, ${shown(written)}: ${at}${reason}`);
    this.problem = problem;
    this.entry = number;
    this.key = key;
  }
}
