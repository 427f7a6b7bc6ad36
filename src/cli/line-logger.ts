import { VdpaError } from '../errors.js';
import type { Logger } from '../logger.js';
import { escapeText } from './view/escape.js';

/**
 * Writes a line for each entry: for people, or a JSON object for programs.
 *
 * @param write is given whole lines
 */
export function lineLogger(write: (line: string) => void, json: boolean, now: () => Date): Logger {
  const log =
    (level: string) =>
    (details: object, message: string): void => {
      const facts = Object.fromEntries(
        Object.entries(details).map(([key, value]) => [key, told(value)]),
      );
      const time = now().toISOString();
      if (json) write(`${JSON.stringify({ time, level, message, ...facts })}\n`);
      else {
        const words = Object.entries(facts).map(([key, value]) => `${key}=${value}`);
        write(`${escapeText([`vdpa-host: ${level}: ${message}`, ...words].join(' '))}\n`);
      }
    };
  return { info: log('info'), warn: log('warning'), error: log('error') };
}

function told(value: unknown): string {
  if (value instanceof VdpaError) return `${value.message} [${value.code}]`;
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}
