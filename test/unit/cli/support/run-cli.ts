import type { HostChanger, HostReader } from '../../../../src/cli/command.js';
import type { CliIo } from '../../../../src/cli/io.js';
import { run } from '../../../../src/cli/run.js';
import { VdpaError } from '../../../../src/errors.js';
import type { VdpaHostOptions } from '../../../../src/index.js';
import type { ClaimDesk } from '../../../../src/lifecycle/claim-desk.js';
import type { Config } from '../../../../src/lifecycle/config.js';
import type { GuestDesk } from '../../../../src/lifecycle/guest-desk.js';
import type { Operation } from '../../../../src/tracker/operation.js';
import type { StoreCheck } from '../../../../src/tracker/store-check.js';
import { fakeConfig, fakeDesk } from './fake-desk.js';
import { fakeGuests } from './fake-guests.js';
import { fakeHost } from './fake-host.js';

/** The store of docs/cli.md. */
export const soundStore: StoreCheck = {
  file: '/var/lib/vdpa-host/store',
  holder: { pid: 812, command: 'vdpa-host agent', since: '2026-01-02T08:15:00.000Z' },
  content: {
    schema: 3,
    epoch: '5f0c2a86-33cd-4d0e-9c6a-1a7c6a0f5b1e',
    revision: 8123,
    fence: 411,
    devices: 64,
    claims: 3,
  },
  faults: [],
};

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were written. */
  readonly terminal: string;
  /** What the host was opened with; undefined when it was not. */
  readonly opened: VdpaHostOptions | undefined;
}

/** Runs a command line over a fake host, and collects what it says. */
export async function runCli(
  argv: readonly string[],
  {
    host = fakeHost(),
    store = soundStore,
    config = fakeConfig,
    desk = fakeDesk(),
    operations = [],
    guests = fakeGuests(desk),
    ...io
  }: {
    host?: HostReader & HostChanger;
    store?: StoreCheck;
    /** Null: there is none. */
    config?: Config | null;
    desk?: ClaimDesk & AsyncDisposable;
    operations?: Operation[];
    guests?: GuestDesk;
  } & Partial<Pick<CliIo, 'isTty' | 'env' | 'columns' | 'signal' | 'now' | 'confirm'>> = {},
): Promise<CliRun> {
  const texts = { stdout: '', stderr: '', terminal: '' };
  let opened: VdpaHostOptions | undefined;
  const code = await run(
    argv,
    {
      isTty: false,
      env: { LANG: 'C.UTF-8' },
      columns: undefined,
      now: () => new Date(2026, 0, 2, 12, 3, 4),
      ...io,
      stdout: {
        write(text, taken) {
          texts.stdout += text;
          texts.terminal += text;
          taken?.();
        },
      },
      stderr: {
        write(text) {
          texts.stderr += text;
          texts.terminal += text;
        },
      },
    },
    {
      async openHost(options) {
        opened = options;
        return host;
      },
      checkStore: async (file) => ({ ...store, file }),
      async readConfig(path) {
        if (config === null) throw new VdpaError('CONFIG_MISSING', 'there is no configuration');
        return { ...config, path: path ?? config.path };
      },
      readClaims: async () => ({ ...desk, operations: async () => operations }),
      openDesk: async () => ({
        claims: desk,
        guests: async () => guests,
        [Symbol.asyncDispose]: async () => {},
      }),
      async serve(_config, _options, { ready }) {
        ready(`${config?.store}.sock`);
      },
    },
  );
  return { code, opened, ...texts };
}
