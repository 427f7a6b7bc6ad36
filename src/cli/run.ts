import { abortable } from '../abortable.js';
import type { HostOptions } from '../index.js';
import type { Config } from '../lifecycle/config.js';
import type { StoreCheck } from '../tracker/store-check.js';
import type { ClaimServices } from './claim-services.js';
import type { CommandContext, HostChanger, HostReader } from './command.js';
import { documentText } from './documents/document.js';
import { reportError } from './error-report.js';
import { asksFor, type Invocation, parseInvocation } from './invocation.js';
import { type CliIo, type ExitCode, Interruption } from './io.js';
import { terminalOf } from './view/terminal.js';

/** What the command uses of the library. */
export interface Services extends ClaimServices {
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
  async readConfig(path) {
    const { readConfig } = await import('../lifecycle/config.js');
    return await readConfig(path);
  },
  async readClaims(config, host) {
    const { readClaims } = await import('../lifecycle/read-claims.js');
    return await readClaims(config, host);
  },
  async openDesk(config, host, signal) {
    const { configuredDesk } = await import('../lifecycle/configured-desk.js');
    return await configuredDesk(config, host, signal);
  },
  async serve(config, host, options) {
    const { serve } = await import('../lifecycle/agent.js');
    await serve(config, host, options);
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
  let desk: ReturnType<Services['openDesk']> | undefined;
  let config: Promise<Config> | undefined;
  const readConfig = (): Promise<Config> => {
    const { config: path } = values;
    config ??= services.readConfig(typeof path === 'string' ? path : null);
    return config;
  };
  const openDesk = async (): ReturnType<Services['openDesk']> => {
    const read = await readConfig();
    desk ??= services.openDesk(read, hostOptions, io.signal);
    return await desk;
  };
  const context: CommandContext = {
    positionals,
    values,
    json,
    hostOptions,
    terminal: terminalOf(io, noColour === true),
    signal: io.signal,
    config: readConfig,
    claims: async () => await services.readClaims(await readConfig(), hostOptions),
    desk: async () => (await openDesk()).claims,
    guests: async () => await (await openDesk()).guests(),
    serve: async (options) => await services.serve(await readConfig(), hostOptions, options),
    confirm: io.confirm ?? null,
    checkStore: (file) => services.checkStore(file),
    now: io.now ?? (() => new Date()),
    log: (lines) => io.stderr.write(lines),
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
    const closed = Promise.all([
      opened?.then((host) => host.close()).catch(() => {}),
      desk?.then((open) => open[Symbol.asyncDispose]()).catch(() => {}),
    ]);
    // An interrupted command does not wait for what the kernel still holds.
    if (io.signal?.aborted !== true) await closed;
  }
}
