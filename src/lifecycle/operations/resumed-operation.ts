import type { InstanceId } from '../../tracker/claim.js';

/**
 * - `finished`: what was begun has been brought to its end
 * - `undone`: the instance is as it was before
 * - `kept`: nothing was under way; it waits for the call that goes on with it
 * - `unknown`: it could not be found out; it is tried again by the next call
 */
export type ResumedState = 'finished' | 'undone' | 'kept' | 'unknown';

/** What became of an operation that a killed process left. */
export interface ResumedOperation {
  readonly instance: InstanceId;
  readonly kind: string;
  /** The step that it was at. */
  readonly step: string;
  readonly state: ResumedState;
  /** Why it is not known. */
  readonly error: Error | null;
}
