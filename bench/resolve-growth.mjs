// @ts-check
import { fullSize, smallest } from './plan.mjs';
import { atMost, row } from './row.mjs';

/** @import { Row } from './row.mjs' */

/** The rows that this one compares. */
export const resolveName = 'resolve / 2 readlinkSync';

/**
 * The row that compares the sizes: each by what two readlinks cost there and then, so that neither
 * the machine nor a larger sysfs counts.
 *
 * @param {readonly Row[]} rows of all sizes
 * @returns {Row[]}
 */
export function resolveGrowthRows(rows) {
  const few = rows.find((row) => row.name === resolveName && row.devices === smallest);
  const many = rows.find((row) => row.name === resolveName && row.devices === fullSize);
  if (few === undefined || many === undefined) return [];
  return [
    row({
      name: `resolve at ${fullSize} / at ${smallest}, both by readlinks`,
      devices: fullSize,
      unit: 'x',
      ours: many.figure,
      theirs: few.figure,
      figure: many.figure / few.figure,
      figureUnit: 'x',
      budget: atMost(1.25),
    }),
  ];
}
