import { UsageError } from './usage-error.js';

export interface NumberRange {
  readonly least: number;
  readonly most: number;
}

/**
 * The value of an option that takes a whole number, in no more digits than the largest has.
 *
 * @param unit for the message, with a space before it: ` of milliseconds`
 * @throws {UsageError}
 */
export function wholeNumber(
  option: string,
  text: string,
  { least, most }: NumberRange,
  command: string,
  unit = '',
): number {
  const value = /^\d+$/.test(text) && text.length <= `${most}`.length ? Number(text) : least - 1;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `--${option} wants a whole number${unit} from ${least} to ${most}, not '${text}'`,
    command,
  );
}

/** The value of an option that takes milliseconds. @throws {UsageError} */
export function milliseconds(option: string, text: string, command: string): number {
  return wholeNumber(option, text, { least: 1, most: 600_000 }, command, ' of milliseconds');
}
