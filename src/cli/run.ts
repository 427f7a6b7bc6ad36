import { abortable } from '../abortable.js';
import type { HostOptions } from '../index.js';
import type { StoreCheck } from '../tracker/store-check.js';
import type { CommandContext, HostChanger, HostReader } from './command.js';
import { documentText } from './documents/document.js';
import { reportError } from './error-report.js';
import { asksFor, type Invocation, parseInvocation } from './invocation.js';
import { type CliIo, type ExitCode, Interruption } from './io.js';
import { terminalOf } from './view/terminal.js';

/** What the command uses of the library. */
export interface Services {
  openHost(options: HostOptions): Promise<HostReader & HostChanger>;
  checkStore(file: string): Promise<StoreCheck>;
}

const library: Services = {
  async openHost(options) {
    const { VdpaHost } = await import('../vdpa-host.js');
    return await VdpaHost.open(options);
  },
  async checkStore(file) {
    const { checkStore } = await import('../tracker/store-check.js');
    return checkStore(file);
  },
};

/** Runs one command line to its end. Never rejects. */
export async function run(
  argv: readonly string[],
  io: CliIo,
  services: Services = library,
): Promise<ExitCode> {
  try {
    const invocation = await parseInvocation(argv);
    if (invocation.kind === 'command') return await runCommand(invocation, io, services);
    const { helpText, versionText } = await import('./help.js');
    const text = invocation.kind === 'help' ? await helpText(invocation.command) : versionText();
    io.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    if (error instanceof Interruption) return error.exitCode;
    const json = asksFor(argv, '--json');
    return reportError(error, io, { json, verbose: asksFor(argv, '--verbose') });
  }
}

async function runCommand(
  { command, positionals, values, hostOptions }: Invocation & { kind: 'command' },
  io: CliIo,
  services: Services,
): Promise<ExitCode> {
  const { json: wantsJson, 'no-color': noColour } = values;
  const json = wantsJson === true;
  let opened: Promise<HostReader & HostChanger> | undefined;
  const context: CommandContext = {
    positionals,
    values,
    json,
    hostOptions,
    terminal: terminalOf(io, noColour === true),
    signal: io.signal,
    checkStore: (file) => services.checkStore(file),
    now: io.now ?? (() => new Date()),
    host() {
      opened ??= services.openHost(hostOptions);
      return opened;
    },
    print({ document, lines }) {
      // One write: a reader sees all of the result or, when something fails before it, nothing.
      io.stdout.write(json ? documentText(document(), io.isTty) : `${lines().join('\n')}\n`);
    },
    async printNext({ document, lines }) {
      io.signal?.throwIfAborted();
      const text = json ? documentText(document(), false) : `${lines().join('\n')}\n`;
      await abortable(new Promise<void>((taken) => io.stdout.write(text, taken)), io.signal);
    },
  };
  try {
    return await command.run(context);
  } finally {
    const closed = opened?.then((host) => host.close()).catch(() => {});
    // An interrupted command does not wait for what the kernel still holds.
    if (io.signal?.aborted !== true) await closed;
  }
}
