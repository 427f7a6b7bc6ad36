// @ts-check

/** @import { Row } from './row.mjs' */

const headings = ['what', 'devices', 'ours', 'theirs', 'figure', 'budget', 'met'];
/** Columns of numbers stand to the right. */
const rightAligned = new Set([1, 2, 3, 4, 5]);

/**
 * Three significant digits, all digits of larger numbers, thousands apart.
 *
 * @param {number} value
 */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return String(value);
  const decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Number.isInteger(value) ? 0 : decimals,
    maximumFractionDigits: decimals,
  });
}

/** @param {Row} row */
function cells({ name, devices, unit, ours, theirs, figure, figureUnit, budget, met }) {
  return [
    name,
    formatNumber(devices),
    `${formatNumber(ours)} ${unit}`,
    theirs === null ? '' : `${formatNumber(theirs)} ${unit}`,
    `${formatNumber(figure)} ${figureUnit}`,
    budget === null ? '' : `${budget.kind} ${formatNumber(budget.limit)}`,
    met === null ? '' : met ? 'yes' : 'NO',
  ];
}

/**
 * The rows as text, one line each below the headings.
 *
 * @param {readonly Row[]} rows
 */
export function renderTable(rows) {
  const lines = [headings, ...rows.map(cells)];
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((text, column) => {
          const width = widths[column] ?? 0;
          return rightAligned.has(column) ? text.padStart(width) : text.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
