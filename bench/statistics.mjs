// @ts-check

/**
 * The value below which the share `q` of the values lies, interpolated between neighbours.
 *
 * @param {readonly number[]} values
 * @param {number} q from 0 to 1
 */
export function quantile(values, q) {
  if (values.length === 0) throw new RangeError('no values');
  if (!(q >= 0 && q <= 1)) throw new RangeError(`not between 0 and 1: ${q}`);
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const low = sorted[below] ?? Number.NaN;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (position - below);
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * Two things measured alternately.
 *
 * @typedef {object} Pairs
 * @property {readonly number[]} ours
 * @property {readonly number[]} theirs as many
 */

/**
 * What pairs say. The comparisons are medians of the pairs' own, so that a machine which slows down
 * half way does so for both sides.
 *
 * @param {Pairs} pairs
 */
export function compare({ ours, theirs }) {
  if (ours.length !== theirs.length) {
    throw new RangeError(`${ours.length} values do not pair with ${theirs.length}`);
  }
  const pairs = ours.map((value, index) => [value, theirs[index] ?? Number.NaN]);
  return {
    ours: median(ours),
    theirs: median(theirs),
    /** Ours as a multiple of theirs. */
    ratio: median(pairs.map(([a = 0, b = 0]) => a / b)),
    /** Theirs as a multiple of ours. */
    speedup: median(pairs.map(([a = 0, b = 0]) => b / a)),
    /** Ours less theirs. */
    difference: median(pairs.map(([a = 0, b = 0]) => a - b)),
  };
}

/**
 * Measures A B A B ..., after rounds that do not count: the first ones compile, resolve and cache.
 *
 * @param {number} rounds
 * @param {() => Promise<number> | number} ours
 * @param {() => Promise<number> | number} theirs
 * @param {number} [warmUps]
 * @returns {Promise<Pairs>}
 */
export async function alternate(rounds, ours, theirs, warmUps = 2) {
  /** @type {number[]} */
  const a = [];
  /** @type {number[]} */
  const b = [];
  for (let round = -warmUps; round < rounds; round++) {
    const [one, other] = [await ours(), await theirs()];
    if (round < 0) continue;
    a.push(one);
    b.push(other);
  }
  return { ours: a, theirs: b };
}

/** How long something takes, in ms. @param {() => Promise<unknown>} work */
export async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
