import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commandTable } from '../../../src/cli/command-table.js';
import { Interruption } from '../../../src/cli/io.js';
import { VdpaError } from '../../../src/errors.js';
import { fakeHost } from './support/fake-host.js';
import { runCli } from './support/run-cli.js';

describe('a wrong command line', () => {
  it.each([
    [[], 'which command?', '--help'],
    [['--json=yes', 'list'], "option '--json' does not take an argument", 'list --help'],
    [['lits'], "unknown command 'lits': did you mean 'list'?", '--help'],
    [['\u001b[2J'], "unknown command '\\x1b[2J'", '--help'],
    [['--frobnicate'], "unknown option '--frobnicate'", '--help'],
    [['list', '--frobnicate'], "unknown option '--frobnicate'", 'list --help'],
    [['list', '-x'], "unknown option '-x'", 'list --help'],
    [['tree', 'extra'], "tree takes no argument: 'extra'", 'tree --help'],
    [['show', 'a', 'b'], "'b' is too much", 'show --help'],
    [['show'], 'show wants one vDPA device name', 'show --help'],
    [['create'], 'create wants one management device', 'create --help'],
    [['create', 'x', '--mtu', '67'], "from 68 to 65535, not '67'", 'create --help'],
    [['create', 'x', '--max-vqp', '1e1'], "from 1 to 32768, not '1e1'", 'create --help'],
    [['create', 'x', '--mac', '01:00:00:00:00:00'], '--mac wants a unicast', 'create --help'],
    [['delete', 'a/b'], "'a/b' is no name of a vDPA device", 'delete --help'],
    [['set-mac', 'vdpa0'], 'set-mac wants a vDPA device name and a MAC', 'set-mac --help'],
    [['set-mac', 'vdpa0', '00:00:00:00:00:00'], 'is no unicast address', 'set-mac --help'],
    [['bind', 'vdpa0', 'vfio-pci'], 'one of vhost_vdpa, virtio_vdpa, none', 'bind --help'],
    [['vfs', 'eth0', '4'], "'eth0' is no PCI address", 'vfs --help'],
    [['vfs', '65:00.0', '65536'], "'65536' is no number of VFs", 'vfs --help'],
    [['list', '--root'], '--root wants a value', 'list --help'],
    [['list', '--timeout', '-5'], 'a dash is written --timeout=-5', 'list --help'],
    [['claims', '--instance', '-x'], 'is written --instance=-x', 'claims --help'],
    [['help', 'lits'], "unknown command 'lits': did you mean 'list'?", '--help'],
    [['list', '--root='], '--root wants a capture or a folder', 'list --help'],
    [['list', '--timeout', '0'], "from 1 to 600000, not '0'", 'list --help'],
    [['list', '--timeout', '1e3'], "not '1e3'", 'list --help'],
    [['list', '--timeout', '600001'], "not '600001'", 'list --help'],
  ])('%j: one line on stderr, status 2', async (argv, message, help) => {
    const { code, stdout, stderr, opened } = await runCli(argv);
    expect({ code, stdout, opened }).toEqual({ code: 2, stdout: '', opened: undefined });
    expect(stderr).toMatch(/^vdpa-host: [^\n]*\n$/);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`(see 'vdpa-host ${help}')`);
  });

  it('is a document with --json', async () => {
    const { code, stdout, stderr } = await runCli(['--json', 'lits']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      schemaVersion: 1,
      kind: 'error',
      error: {
        code: 'USAGE',
        message: "unknown command 'lits': did you mean 'list'?",
        retry: 'never',
        outcome: 'unchanged',
      },
    });
  });

  it('asks for help as well by a word, and a command’s own words come before those of all', async () => {
    for (const command of ['', 'attach'])
      expect(await runCli(['help', command].filter(Boolean))).toEqual(
        await runCli([command, '--help'].filter(Boolean)),
      );
    const { stdout } = await runCli(['attach', '--help']);
    expect(stdout.match(/--timeout MS +(.*)/)?.[1]).toMatch(/^how long it may take for each claim/);
    expect((await runCli(['list', '--help'])).stdout).toMatch(/--timeout MS +how long the kernel/);
  });

  it('takes --json after -- for an argument', async () => {
    const { code, stderr } = await runCli(['show', '--', '--json']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^vdpa-host: --json: no vDPA device/);
  });
});

describe('options', () => {
  it('go to the host, before or after the command', async () => {
    const { opened } = await runCli(['--root', '/captures/a', 'list', '--timeout', '250']);
    expect(opened).toEqual({ root: '/captures/a', timeoutMs: 250 });
    expect((await runCli(['list'])).opened).toEqual({});
  });

  it('--no-color refuses colours', async () => {
    const io = { isTty: true, env: { TERM: 'xterm', LANG: 'C.UTF-8' }, columns: 200 };
    expect((await runCli(['list'], io)).stdout).toContain('\u001b[');
    expect((await runCli(['list', '--no-color'], io)).stdout).not.toContain('\u001b[');
  });
});

describe('help', () => {
  it.each([['--help'], ['-h']])('%s lists every command', async (option) => {
    const { code, stdout, stderr, opened } = await runCli([option]);
    expect({ code, stderr, opened }).toEqual({ code: 0, stderr: '', opened: undefined });
    for (const name of commandTable.keys())
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
  });

  it.each([...commandTable.keys()])(
    '%s --help shows its usage, whatever else is missing',
    async (name) => {
      const { code, stdout } = await runCli([name, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^usage: vdpa-host ${name}\\b.* \\[options\\]\n`));
      expect(stdout).toContain('--root PATH');
    },
  );

  it.each([...commandTable])('%s is called so in its own file', async (name, load) => {
    expect((await load()).name).toBe(name);
  });

  it('fits 100 columns', async () => {
    for (const argv of [['-h'], ...[...commandTable.keys()].map((name) => [name, '-h'])]) {
      for (const line of (await runCli(argv)).stdout.split('\n')) {
        expect(line.length).toBeLessThanOrEqual(100);
      }
    }
  });

  it('--version prints that of the package', async () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    );
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await runCli(['list', '--version'])).toMatchObject({ stdout: `${version}\n` });
  });
});

describe('an error', () => {
  const refused = new VdpaError('PERMISSION_DENIED', 'dump: run as root (EPERM: \u001b[2Jno)', {
    errno: 'EPERM',
    extack: 'no',
    step: 'DEV_GET',
    outcome: 'partial',
    leftovers: ['vdpa0'],
  });
  const failing = (error: unknown) => ({ ...fakeHost(), inventory: () => Promise.reject(error) });

  it('of the library is printed with its code', async () => {
    expect(await runCli(['list'], { host: failing(refused) })).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'vdpa-host: dump: run as root (EPERM: \\x1b[2Jno) [PERMISSION_DENIED]\n' +
        'vdpa-host: left over: vdpa0\n',
    });
  });

  it('of the library is one document on stderr with --json', async () => {
    const { code, stdout, stderr } = await runCli(['list', '--json'], { host: failing(refused) });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({
      schemaVersion: 1,
      kind: 'error',
      error: {
        code: 'PERMISSION_DENIED',
        message: 'dump: run as root (EPERM: \u001b[2Jno)',
        errno: 'EPERM',
        extack: 'no',
        step: 'DEV_GET',
        retry: 'after-fix',
        outcome: 'partial',
        leftovers: ['vdpa0'],
      },
    });
  });

  it('nobody expected asks for a report, and tells the stack only with --verbose', async () => {
    const host = failing(new RangeError('off by one', { cause: new Error('deeper') }));
    const short = await runCli(['list'], { host });
    expect(short.code).toBe(1);
    expect(short.stderr).toMatch(
      /^vdpa-host: unexpected error: off by one \[UNEXPECTED\]\n.*report/,
    );
    expect(short.stderr).not.toContain('    at ');
    const long = await runCli(['list', '--verbose'], { host });
    expect(long.stderr).toMatch(/RangeError: off by one\n {4}at [\s\S]*caused by: Error: deeper\n/);
  });

  it.each(['list', 'tree', 'doctor'])('in %s closes the host all the same', async (name) => {
    const host = { ...failing(refused), preflight: () => Promise.reject(refused) };
    expect((await runCli([name], { host })).code).toBe(1);
    expect(host.closed).toBe(true);
  });
});

it('closes the host after a command', async () => {
  const host = fakeHost();
  await runCli(['list'], { host });
  expect(host.closed).toBe(true);
});

it('ends at once and in silence when interrupted, even if the host can not be closed', async () => {
  const controller = new AbortController();
  const host = {
    ...fakeHost(),
    inventory: (options?: { signal?: AbortSignal | undefined }) =>
      new Promise<never>((_, reject) => {
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
        queueMicrotask(() => controller.abort(new Interruption('interrupted', 130)));
      }),
    close: () => new Promise<never>(() => {}),
  };
  expect(await runCli(['list'], { host, signal: controller.signal })).toMatchObject({
    code: 130,
    stdout: '',
    stderr: '',
  });
});
