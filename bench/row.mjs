// @ts-check
import { compare } from './statistics.mjs';

/**
 * What a row's figure may be.
 *
 * @typedef {object} Budget
 * @property {'at most' | 'at least'} kind
 * @property {number} limit
 */

/**
 * One line of the table.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {number} devices
 * @property {string} unit of `ours` and `theirs`
 * @property {number} ours
 * @property {number | null} theirs
 * @property {number} figure what counts
 * @property {string} figureUnit `x`: ours as a multiple of theirs; `x faster`: theirs as a multiple
 *   of ours; otherwise a quantity of its own
 * @property {Budget | null} budget null: for information
 * @property {boolean | null} met null when there is no budget
 */

/** @param {number} limit @returns {Budget} */
export const atMost = (limit) => ({ kind: 'at most', limit });

/** @param {number} limit @returns {Budget} */
export const atLeast = (limit) => ({ kind: 'at least', limit });

/**
 * Judges a row. A figure that is no number meets nothing.
 *
 * @param {Omit<Row, 'met'>} figures
 * @returns {Row}
 */
export function row(figures) {
  const { figure, budget } = figures;
  if (budget === null) return { ...figures, met: null };
  const met = budget.kind === 'at most' ? figure <= budget.limit : figure >= budget.limit;
  return { ...figures, met };
}

/**
 * Two things measured alternately, in ms: ours as a multiple of theirs.
 *
 * @param {string} name
 * @param {number} devices
 * @param {import('./statistics.mjs').Pairs} pairs
 * @param {Budget | null} [budget]
 */
export function timesRow(name, devices, pairs, budget = null) {
  const { ours, theirs, ratio } = compare(pairs);
  return row({ name, devices, unit: 'ms', ours, theirs, figure: ratio, figureUnit: 'x', budget });
}

/** @param {readonly Row[]} rows */
export function missed(rows) {
  return rows.filter(({ met }) => met === false);
}
