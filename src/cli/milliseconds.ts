import { UsageError } from './usage-error.js';

/**
 * The value of an option that takes milliseconds.
 *
 * @throws {UsageError}
 */
export function milliseconds(option: string, text: string, command: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 600_000) {
    throw new UsageError(
      `--${option} wants a whole number of milliseconds from 1 to 600000, not '${text}'`,
      command,
    );
  }
  return value;
}
