import type { PlugScope } from '../lifecycle/guest-desk.js';
import { parseGuestReference, referenceText } from '../lifecycle/guest-reference.js';
import type { PortId } from '../policy/device-request.js';
import { instanceOrClaim, textOf } from './claim-options.js';
import type { CommandContext, CommandOptions, OptionValue } from './command.js';
import { UsageError } from './usage-error.js';
import { milliseconds } from './whole-number.js';

type Values = Readonly<Record<string, OptionValue>>;

/** Which devices `attach` and `detach` are about, and for how long they may be at it. */
export const plugOptions: CommandOptions = {
  instance: { type: 'string', value: 'ID', help: 'all vDPA devices claimed for this instance' },
  port: {
    type: 'string',
    value: 'ID',
    help: 'of the instance, only what is for this neutron port',
  },
  claim: { type: 'string', value: 'ID', help: 'the vDPA devices of this claim' },
  timeout: {
    type: 'string',
    value: 'MS',
    help: 'how long it may take for each claim (1 to 600000)',
  },
};

/** @throws {UsageError} */
export function scopeOf(values: Values, command: string): PlugScope {
  const scope = instanceOrClaim(values, command);
  const port = textOf(values, 'port', command);
  if (port === null) return scope;
  if ('claim' in scope) throw new UsageError('--port goes with --instance', command);
  return { ...scope, port: port as PortId };
}

/** @throws {UsageError} */
export function guestOf(values: Values, command: string): string | null {
  const text = textOf(values, 'guest', command);
  if (text === null) return null;
  try {
    return referenceText(parseGuestReference(text));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`--guest: ${error.message}`, command);
  }
}

/** What the calls have in common: limit, signal, and a line for each step. @throws {UsageError} */
export function callOptions(
  { values, signal, json, log }: Pick<CommandContext, 'values' | 'signal' | 'json' | 'log'>,
  command: string,
) {
  const timeout = textOf(values, 'timeout', command);
  return {
    ...(timeout !== null && { timeoutMs: milliseconds('timeout', timeout, command) }),
    signal,
    ...(!json && { onStep: (what: string) => log(`${what} ...\n`) }),
  };
}
