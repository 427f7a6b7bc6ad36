import { parseArgs } from 'node:util';
import type { HostOptions } from '../index.js';
import type { Command, CommandOptions, OptionValue } from './command.js';
import { commandTable } from './command-table.js';
import { globalOptions, hostOptionsOf } from './global-options.js';
import { nearMisses } from './near-misses.js';
import { UsageError } from './usage-error.js';

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly command: Command | null }
  | {
      readonly kind: 'command';
      readonly command: Command;
      readonly positionals: readonly string[];
      readonly values: Readonly<Record<string, OptionValue>>;
      readonly hostOptions: HostOptions;
    };

/** @throws {UsageError} */
export async function parseInvocation(argv: readonly string[]): Promise<Invocation> {
  // The first pass only finds the command: which options are valid depends on it.
  const { tokens } = parseArgs({
    args: [...argv],
    options: globalOptions,
    strict: false,
    tokens: true,
  });
  const first = tokens.find((token) => token.kind === 'positional');
  if (first === undefined) {
    const { version, help } = strictly(argv, {}, null).values;
    if (version === true) return { kind: 'version' };
    if (help === true) return { kind: 'help', command: null };
    throw new UsageError('which command?');
  }

  const rest = argv.filter((_, index) => index !== first.index);
  if (first.value === 'help') return await parseInvocation([...rest, '--help']);
  const load = commandTable.get(first.value);
  if (load === undefined) throw new UsageError(unknownCommand(first.value));
  const command = await load();
  const { values, positionals } = strictly(rest, command.options, command.name);
  const { version, help } = values;
  if (version === true) return { kind: 'version' };
  if (help === true) return { kind: 'help', command };
  checkCount(command, positionals);
  const hostOptions = hostOptionsOf(values, command.name);
  return { kind: 'command', command, positionals, values, hostOptions };
}

/** Whether errors are to be JSON; asked when the command line may not even be valid. */
export function asksFor(argv: readonly string[], option: '--json' | '--verbose'): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).includes(option);
}

interface ParsedOptions {
  readonly values: Readonly<Record<string, OptionValue>>;
  readonly positionals: readonly string[];
}

function strictly(
  args: readonly string[],
  options: CommandOptions,
  command: string | null,
): ParsedOptions {
  try {
    return parseArgs({
      args: [...args],
      options: { ...globalOptions, ...options },
      allowPositionals: true,
    });
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error;
    throw new UsageError(inOwnWords(error.message, args), command);
  }
}

/** What `parseArgs` says, for people at a command line. */
function inOwnWords(message: string, args: readonly string[]): string {
  // The first sentence names the option; the others are about quoting.
  const [sentence = ''] = message.split(/\.\s|\.$|\n/, 1);
  const [name = ''] = /--[\w-]+/.exec(sentence) ?? [];
  if (sentence.endsWith('argument missing')) return `${name} wants a value`;
  if (sentence.endsWith('ambiguous')) {
    const value = args[args.indexOf(name) + 1];
    return `${name} wants a value: one that begins with a dash is written ${name}=${value}`;
  }
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function unknownCommand(name: string): string {
  const [closest] = nearMisses(name, commandTable.keys());
  return `unknown command '${name}'${closest === undefined ? '' : `: did you mean '${closest}'?`}`;
}

function checkCount(command: Command, positionals: readonly string[]): void {
  const { min, max, what } = command.positionals;
  if (positionals.length < min) {
    throw new UsageError(`${command.name} wants ${what}`, command.name);
  }
  if (positionals.length > max) {
    const extra = positionals[max] ?? '';
    throw new UsageError(
      max === 0
        ? `${command.name} takes no argument: '${extra}'`
        : `${command.name} takes only ${what}: '${extra}' is too much`,
      command.name,
    );
  }
}
