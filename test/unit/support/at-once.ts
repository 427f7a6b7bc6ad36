import type { Pausing } from '../../../src/turns.js';

/** What pausing work comes to, without its pauses. */
export function atOnce<T>(work: Pausing<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
