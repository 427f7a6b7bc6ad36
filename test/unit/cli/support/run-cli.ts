import type { HostChanger, HostReader } from '../../../../src/cli/command.js';
import type { CliIo } from '../../../../src/cli/io.js';
import { run } from '../../../../src/cli/run.js';
import type { VdpaHostOptions } from '../../../../src/index.js';
import { fakeHost } from './fake-host.js';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the host was opened with; undefined when it was not. */
  readonly opened: VdpaHostOptions | undefined;
}

/** Runs a command line over a fake host, and collects what it says. */
export async function runCli(
  argv: readonly string[],
  {
    host = fakeHost(),
    ...io
  }: { host?: HostReader & HostChanger } & Partial<
    Pick<CliIo, 'isTty' | 'env' | 'columns' | 'signal' | 'now'>
  > = {},
): Promise<CliRun> {
  const texts = { stdout: '', stderr: '' };
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
          taken?.();
        },
      },
      stderr: { write: (text) => (texts.stderr += text) },
    },
    {
      async openHost(options) {
        opened = options;
        return host;
      },
    },
  );
  return { code, opened, ...texts };
}
