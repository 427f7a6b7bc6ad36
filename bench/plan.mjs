// @ts-check

/**
 * What to measure in one start of the lab.
 *
 * @typedef {object} Plan
 * @property {number} devices vDPA devices, as many VFs
 * @property {number} rounds of alternating measurements
 * @property {boolean} judged whether this is the size that the budgets are about
 * @property {boolean} resolveOnly whether this size is only there for `resolve` to be compared with
 * @property {string} programs folder of the compiled C programs
 * @property {string} udevadm the program, where it was unpacked
 */

/** The size that the budgets are about: 8 PFs of 255 VFs. */
export const fullSize = 2040;
export const smallest = 16;
/** The smallest comes first: it finds a broken set-up soonest. */
export const sizes = [smallest, 64, 512, fullSize];

/** @param {number} devices @param {string} programs @param {string} udevadm @returns {Plan} */
export function planOf(devices, programs, udevadm) {
  return {
    devices,
    rounds: devices >= 1000 ? 9 : 15,
    judged: devices === fullSize,
    resolveOnly: devices === smallest,
    programs,
    udevadm,
  };
}
