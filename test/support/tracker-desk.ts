import type { ClaimDesk } from '../../src/lifecycle/claim-desk.js';
import type { Tracker } from '../../src/tracker/tracker.js';

/** A tracker as a desk, without a host. */
export function deskOf(tracker: Tracker): ClaimDesk & AsyncDisposable {
  return {
    claim: (wanted) => tracker.claim(wanted),
    allocate: (selection) => tracker.allocate(selection),
    release: (selection) => tracker.release(selection),
    supports: async (wanted) => tracker.supports(wanted),
    pools: async () => tracker.pools(),
    records: async () => tracker.records(),
    claims: async (instance) => tracker.claims(instance),
    reconcile: (living) => tracker.reconcile(living),
    audit: async (living) => tracker.audit(living),
    heal: (living) => tracker.heal(living),
    [Symbol.asyncDispose]: () => tracker.close(),
  };
}
