// @ts-check
/** @import { ClaimDesk } from '../../src/lifecycle/claim-desk.js' */
/** @import { Tracker } from '../../src/tracker/tracker.js' */

/**
 * A tracker, or one that is being opened, as a desk without a host.
 *
 * @param {Tracker | Promise<Tracker>} tracker
 * @returns {ClaimDesk & AsyncDisposable}
 */
export function deskOf(tracker) {
  return {
    claim: async (wanted) => await (await tracker).claim(wanted),
    allocate: async (selection) => await (await tracker).allocate(selection),
    release: async (selection) => await (await tracker).release(selection),
    supports: async (wanted) => (await tracker).supports(wanted),
    pools: async () => (await tracker).pools(),
    records: async () => (await tracker).records(),
    claims: async (instance) => (await tracker).claims(instance),
    reconcile: async (living) => await (await tracker).reconcile(living),
    audit: async (living) => (await tracker).audit(living),
    heal: async (living) => await (await tracker).heal(living),
    [Symbol.asyncDispose]: async () => await (await tracker).close(),
  };
}
