import { readFileSync } from 'node:fs';
import type { Command, CommandOptions } from './command.js';
import { commandTable } from './command-table.js';
import { globalOptions } from './global-options.js';

/** `vdpa-host --help`, or of one command. */
export async function helpText(command: Command | null): Promise<string> {
  if (command !== null) return commandHelp(command);
  const commands = await Promise.all([...commandTable.values()].map((load) => load()));
  return [
    'usage: vdpa-host [options] COMMAND [ARGUMENT...]',
    '',
    "Shows and changes a Linux compute host's vDPA devices: what there is, what a guest can have, and",
    'why not.',
    '',
    'commands:',
    ...rows(commands.map(({ usage, summary }) => [usage, summary])),
    '',
    'options:',
    ...optionRows(globalOptions),
    '',
    'Exit status: 0 fine, 1 failed or found errors, 2 wrong command line, 130 interrupted.',
    "More on a command: 'vdpa-host COMMAND --help'.",
  ].join('\n');
}

/** The version of the package this file belongs to. */
export function versionText(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

function commandHelp({ usage, description, options }: Command): string {
  return [
    `usage: vdpa-host ${usage} [options]`,
    '',
    description,
    '',
    'options:',
    // What a command says of an option counts for that command.
    ...optionRows({ ...options, ...globalOptions, ...options }),
  ].join('\n');
}

function optionRows(options: CommandOptions): string[] {
  return rows(
    Object.entries(options).map(([name, { short, value, help }]) => [
      `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
      help,
    ]),
  );
}

function rows(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([left]) => left.length));
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
