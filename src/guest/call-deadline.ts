import { VdpaError } from '../errors.js';
import type { GuestCallOptions } from './guest-driver.js';

/** Gives the work a signal that comes with the caller's, or with `GUEST_TIMEOUT` when the time is up. */
export async function withinDeadline<T>(
  defaultMs: number,
  { signal, deadline = performance.now() + defaultMs }: GuestCallOptions,
  work: (signal: AbortSignal, deadline: number) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const late = new VdpaError('GUEST_TIMEOUT', 'the guest was not done by the deadline', {
    retry: 'later',
    outcome: 'unknown',
  });
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(late), Math.max(0, deadline - performance.now()));
  const both = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  try {
    return await work(both, deadline);
  } finally {
    clearTimeout(timer);
  }
}
