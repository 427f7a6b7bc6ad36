import type { InstanceId } from 'vdpa-host';
import type { Log } from './log.js';

/** Has each step of a call of the library logged. */
export function steps(log: Log, instance: InstanceId): { onStep(what: string): void } {
  return { onStep: (what) => log.info({ instance, what }, 'step') };
}
