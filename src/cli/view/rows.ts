import { type Cell, paint, shown, type Terminal, widthOf } from './terminal.js';

const gap = '  ';
/** Narrower than this, a wrapped last column is worse to read than the terminal's own wrapping. */
const minimumWrapWidth = 16;
/** How far a wrapped sentence is set in; room for a tree's guide line. */
const minimumHanging = 2;

/**
 * The width of each column. A row's last cell takes no part: nothing stands to its right. Columns
 * that are empty in every row are 0 wide and left out.
 */
export function columnWidths(rows: readonly (readonly Cell[])[], terminal: Terminal): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(shown(cell, terminal)));
    }
  }
  return widths;
}

/**
 * Lays one row out. Only its last cell is wrapped, below itself, and nothing is ever cut.
 *
 * @param indent columns already taken to the left, on every line
 * @returns lines; those after the first begin with the spaces that put them below the last cell
 */
export function layOut(
  row: readonly Cell[],
  widths: readonly number[],
  terminal: Terminal,
  indent = 0,
): string[] {
  let line = '';
  let used = 0;
  for (const [column, cell] of row.slice(0, -1).entries()) {
    const width = widths[column] ?? 0;
    if (width === 0) continue;
    const text = shown(cell, terminal);
    line += paint(text, cell.style, terminal) + ' '.repeat(width - widthOf(text)) + gap;
    used += width + gap.length;
  }
  const last = row.at(-1);
  const text = last === undefined ? '' : shown(last, terminal);
  if (last === undefined || text === '') return [line.trimEnd()];
  const hanging = Math.max(used, minimumHanging);
  const fits = terminal.columns === null || indent + used + widthOf(text) <= terminal.columns;
  const [first = '', ...more] = fits
    ? [text]
    : wrap(text, (terminal.columns ?? 0) - indent - hanging);
  return [
    line + paint(first, last.style, terminal),
    ...more.map((part) => ' '.repeat(hanging) + paint(part, last.style, terminal)),
  ];
}

/** Rows below each other with their columns aligned. */
export function tableLines(rows: readonly (readonly Cell[])[], terminal: Terminal): string[] {
  const widths = columnWidths(rows, terminal);
  return rows.flatMap((row) => layOut(row, widths, terminal));
}

/** Breaks at spaces only: an address or path stays whole, even when it is too long. */
function wrap(text: string, room: number): string[] {
  if (room < minimumWrapWidth) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
