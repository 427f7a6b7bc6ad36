import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';

/** Between two attempts to reach a hypervisor whose connection was lost. */
const againMs = 50;

/**
 * Does what is right to repeat, again and anew each time the connection is lost, until it is done.
 *
 * @throws {VdpaError} `GUEST_NOT_FOUND` when the guest is no longer there
 * @throws the signal's reason, once it comes
 */
export async function throughLosses<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isLoss(error) || signal.aborted) throw error;
    }
    await sleep(againMs);
    signal.throwIfAborted();
  }
}

/** Of connecting: it has no time for it, or is ending, or starting anew, at this very moment. */
const passing: ReadonlySet<string> = new Set(['EAGAIN', 'ECONNRESET']);

/** A connection that broke, or that the hypervisor was not there for; not one that cannot be made. */
function isLoss(error: unknown): boolean {
  if (!(error instanceof VdpaError) || error.code !== 'GUEST_UNREACHABLE') return false;
  return !error.step?.startsWith('connect') || passing.has(error.errno ?? '');
}

/** As `throughLosses`. @returns false when the guest is gone */
export async function whileThere(signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
  try {
    await throughLosses(signal, work);
    return true;
  } catch (error) {
    if (saysGuestGone(error)) return false;
    throw error;
  }
}

/** Whether a call failed because its guest has ended, or never was. */
export function saysGuestGone(error: unknown): boolean {
  return error instanceof VdpaError && error.code === 'GUEST_NOT_FOUND';
}
