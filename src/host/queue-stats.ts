import { VdpaError } from '../errors.js';
import type { VendorStats } from './vendor-stats.js';

/**
 * Asks every virtqueue's counters. A driver may refuse some by their number, such as the control
 * virtqueue: those are left out, unless it refuses all.
 *
 * @throws {VdpaError} as `ask`; of several refusals the first
 */
export async function queueStats(
  queues: number,
  ask: (queueIndex: number) => Promise<VendorStats>,
): Promise<VendorStats[]> {
  const all: VendorStats[] = [];
  let refusal: VdpaError | undefined;
  for (let queueIndex = 0; queueIndex < queues; queueIndex++) {
    try {
      all.push(await ask(queueIndex));
    } catch (error) {
      if (!(error instanceof VdpaError) || error.code !== 'KERNEL_REFUSED') throw error;
      refusal ??= error;
    }
  }
  if (all.length === 0 && refusal !== undefined) throw refusal;
  return all;
}
