import type { ClaimId, InstanceId } from '../tracker/claim.js';
import type { CommandOptions, OptionValue } from './command.js';
import { UsageError } from './usage-error.js';

/** Of every command about claims. */
export const configOption: CommandOptions = {
  config: {
    type: 'string',
    value: 'FILE',
    help: 'default: VDPA_HOST_CONFIG, else /etc/vdpa-host/config.json',
  },
};

type Values = Readonly<Record<string, OptionValue>>;

/** The option's text; null when it was not given. */
export function textOf(values: Values, name: string, command: string): string | null {
  const value = values[name];
  if (typeof value !== 'string') return null;
  if (value === '') throw new UsageError(`--${name} wants a value`, command);
  return value;
}

/** @throws {UsageError} when it was not given */
export function neededText(values: Values, name: string, command: string): string {
  const text = textOf(values, name, command);
  if (text === null) throw new UsageError(`${command} wants --${name}`, command);
  return text;
}

/** Whose devices a command is about. @throws {UsageError} unless it is one of the two */
export function instanceOrClaim(
  values: Values,
  command: string,
): { readonly instance: InstanceId } | { readonly claim: ClaimId } {
  const instance = textOf(values, 'instance', command);
  const claim = textOf(values, 'claim', command);
  if (instance !== null && claim === null) return { instance: instance as InstanceId };
  if (claim !== null && instance === null) return { claim: claim as ClaimId };
  throw new UsageError(`${command} wants either --instance ID or --claim ID`, command);
}

/** Instances that live, of an option that may be given several times; null when it was not given. */
export function instancesOf(values: Values, command: string): InstanceId[] | null {
  const { instance: given, 'no-instances': none } = values;
  if (none === true) {
    if (given !== undefined) {
      throw new UsageError('--no-instances and --instance exclude one another', command);
    }
    return [];
  }
  if (!Array.isArray(given)) return null;
  return given.map((id) => {
    if (typeof id !== 'string' || id === '')
      throw new UsageError('--instance wants an id', command);
    return id as InstanceId;
  });
}

export const livingOptions: CommandOptions = {
  instance: {
    type: 'string',
    multiple: true,
    value: 'ID',
    help: 'an instance that lives here (repeat it): claims of others are orphans',
  },
  'no-instances': { type: 'boolean', help: 'no instance lives here: every claim is an orphan' },
};
