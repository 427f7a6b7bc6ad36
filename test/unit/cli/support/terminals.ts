import type { Terminal } from '../../../../src/cli/view/terminal.js';

/** A file or pipe in a UTF-8 locale. */
export const plain: Terminal = { colour: false, unicode: true, columns: null };
export const ascii: Terminal = { colour: false, unicode: false, columns: null };
export const coloured: Terminal = { colour: true, unicode: true, columns: null };

export function narrow(columns: number): Terminal {
  return { ...plain, columns };
}
