import type { CliIo } from '../io.js';
import { escapeText } from './escape.js';

/** What a piece of text means; only the terminal knows how that looks. */
export type Style = 'plain' | 'good' | 'caution' | 'bad' | 'faint' | 'strong';

/** A piece of text as it came from the host: escaped when it is painted, never before. */
export interface Cell {
  readonly text: string;
  readonly style: Style;
}

/** What the place where the output goes can show. */
export interface Terminal {
  readonly colour: boolean;
  readonly unicode: boolean;
  /** Where to wrap; null when the output goes to a file or another program. */
  readonly columns: number | null;
}

const colourCodes: Readonly<Record<Style, number | null>> = {
  plain: null,
  good: 32,
  caution: 33,
  bad: 31,
  faint: 2,
  strong: 1,
};

export function terminalOf({ isTty, env, columns }: CliIo, noColour: boolean): Terminal {
  const { NO_COLOR, FORCE_COLOR, TERM } = env;
  const refused = noColour || isSet(NO_COLOR);
  const forced = isSet(FORCE_COLOR) && FORCE_COLOR !== '0';
  return {
    colour: !refused && (forced || (isTty && TERM !== 'dumb')),
    unicode: /utf-?8/i.test(localeOf(env)),
    columns: isTty && columns !== undefined && columns > 0 ? columns : null,
  };
}

export function cell(text: string, style: Style = 'plain'): Cell {
  return { text, style };
}

/** The text that appears, without its colour. */
export function shown({ text }: Cell, { unicode }: Terminal): string {
  return escapeText(text, !unicode);
}

/** Columns that a text takes. */
export function widthOf(text: string): number {
  return [...text].length;
}

/** Colours text that is already safe to print. */
export function paint(text: string, style: Style, { colour }: Terminal): string {
  const code = colourCodes[style];
  return !colour || code === null || text === '' ? text : `\u001b[${code}m${text}\u001b[0m`;
}

/** The first that is set wins, as in setlocale(3). */
function localeOf({ LC_ALL, LC_CTYPE, LANG }: CliIo['env']): string {
  return [LC_ALL, LC_CTYPE, LANG].find(isSet) ?? '';
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
