import type { HostOptions } from '../index.js';
import type { CommandOptions, OptionValue } from './command.js';
import { UsageError } from './usage-error.js';
import { milliseconds } from './whole-number.js';

/** The options of every command. */
export const globalOptions: CommandOptions = {
  json: { type: 'boolean', help: 'print one JSON document; errors are one too, on stderr' },
  root: {
    type: 'string',
    value: 'PATH',
    help: 'read a capture, or the files of a captured host, instead of this machine',
  },
  timeout: {
    type: 'string',
    value: 'MS',
    help: 'how long the kernel may take for one answer (1 to 600000, default 10000)',
  },
  'no-color': { type: 'boolean', help: 'no colours, as with NO_COLOR in the environment' },
  verbose: { type: 'boolean', help: 'with an unexpected error, say where it came from' },
  help: { type: 'boolean', short: 'h', help: 'print help, also of one command' },
  version: { type: 'boolean', help: 'print the version' },
};

/**
 * Checks what goes to `VdpaHost.open`, in the command line's own words.
 *
 * @throws {UsageError}
 */
export function hostOptionsOf(
  values: Readonly<Record<string, OptionValue>>,
  command: string,
): HostOptions {
  const { root, timeout } = values;
  if (root === '') throw new UsageError('--root wants a capture or a folder', command);
  return {
    ...(typeof root === 'string' ? { root } : {}),
    ...(typeof timeout === 'string'
      ? { timeoutMs: milliseconds('timeout', timeout, command) }
      : {}),
  };
}
