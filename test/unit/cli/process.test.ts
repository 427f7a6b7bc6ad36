import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// The command as a process: the sources are compiled into a folder of their own, without
// dependencies beside them. A run that loaded zod or the addon would fail there.

const root = new URL('../../../', import.meta.url);
const sources = new URL('src/', root);
let folder: string;

/** What a script needs to run the command over a host of its own. */
const prelude = `
import { runInProcess } from './dist/cli/process.js';
const parent = { kind: 'other', path: '', pciAddress: null, pfAddress: null, vfIndex: null, sfNumber: null, numaNode: null };
const devices = (count) => Array.from({ length: count }, (_, index) => ({
  id: 'vdpa/d' + index, name: 'd' + index, class: 'net', vendorId: null, maxVqs: null,
  maxVqSize: null, minVqSize: null, managementDevice: null, parent, driver: null,
  charDevice: null, usable: false, reasons: ['software-parent'],
}));
const inventory = (count) => ({
  pfs: [], vfs: [], others: [], managementDevices: [], devices: devices(count), abi: null, consistent: true,
});
const host = { close: async () => {} };
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-cli-'));
  copyFileSync(new URL('package.json', root), join(folder, 'package.json'));
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const { outputText } = ts.transpileModule(readFileSync(new URL(name, sources), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    const target = join(folder, 'dist', name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  const script = (name: string, text: string): void =>
    writeFileSync(join(folder, name), prelude + text);
  script(
    'big.mjs',
    'await runInProcess({ openHost: async () => ({ ...host, inventory: async () => inventory(5000) }) });',
  );
  script(
    'stuck.mjs',
    `setInterval(() => {}, 1000);
    const neverAnswers = ({ signal }) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      process.stderr.write('asked\\n');
    });
    await runInProcess({ openHost: async () => ({ close: () => new Promise(() => {}), inventory: neverAnswers }) });`,
  );
  // What a command that follows the host does: it writes until it is told to end.
  script(
    'following.mjs',
    `const follows = ({ signal }) => new Promise((_, reject) => {
      const timer = setInterval(() => process.stdout.write('event\\n'), 5);
      signal.addEventListener('abort', () => { clearInterval(timer); reject(signal.reason); });
    });
    await runInProcess({ openHost: async () => ({ ...host, inventory: follows }) });`,
  );
  script(
    'watching.mjs',
    `const watch = async ({ signal }) => ({
      inventory: inventory(1),
      close: async () => { process.stderr.write('closed\\n'); },
      async *[Symbol.asyncIterator]() {
        for (;;) {
          if (signal.aborted) throw signal.reason;
          yield { type: 'resync', reason: 'events-lost' };
        }
      },
    });
    await runInProcess({ openHost: async () => ({ ...host, watch }) });`,
  );
  // Nothing happens, and nothing else holds the process.
  script(
    'idle.mjs',
    `const watch = async ({ signal }) => ({
      inventory: inventory(1),
      close: async () => { process.stderr.write('closed\\n'); },
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        [Symbol.asyncIterator]() { return this; },
      }),
    });
    await runInProcess({ openHost: async () => ({ ...host, watch }) });`,
  );
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], stdout: 'pipe' | number = 'pipe'): ChildProcess {
  return spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', stdout, 'pipe'] });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    texts.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    texts.stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...texts };
}

describe('the process', { timeout: 60_000 }, () => {
  it('runs help and version without any dependency', async () => {
    const main = join('dist', 'cli', 'main.js');
    expect(await ended(start([main, '--version']))).toMatchObject({ code: 0, stderr: '' });
    const help = await ended(start([main, '--help']));
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(/^usage: vdpa-host /);
    expect(readFileSync(join(folder, main), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('ends with 2 and one line on stderr when the command line is wrong', async () => {
    const { code, stdout, stderr } = await ended(start([join('dist', 'cli', 'main.js'), 'lst']));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^vdpa-host: unknown command 'lst'.*\n$/);
  });

  it.each([['list'], ['tree']])('%s needs neither zod nor the addon itself', async (command) => {
    const { code, stderr } = await ended(start(['big.mjs', command]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('writes all of a big result before it ends', async () => {
    const { code, stdout } = await ended(start(['big.mjs', 'list', '--json']));
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(1_000_000);
    expect(JSON.parse(stdout).devices).toHaveLength(5_000);
  });

  it.each([['big.mjs'], ['following.mjs']])(
    'ends quietly when nobody reads on (%s)',
    async (script) => {
      const child = start([script, 'list']);
      child.stdout?.once('data', () => child.stdout?.destroy());
      const errors: string[] = [];
      child.stderr?.setEncoding('utf8').on('data', (text) => errors.push(text));
      const [code, signal] = await once(child, 'close');
      expect({ code, signal, errors }).toEqual({ code: 0, signal: null, errors: [] });
    },
  );

  it('fails when the output can not be written', async () => {
    const { code, stderr } = await ended(start(['big.mjs', 'list'], openSync('/dev/full', 'w')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^vdpa-host: the output could not be written: .*ENOSPC.*\n$/);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'ends with the status of %s while the kernel keeps its call',
    async (signal, code) => {
      const child = start(['stuck.mjs', 'list']);
      child.stderr?.once('data', () => child.kill(signal));
      expect(await ended(child)).toEqual({ code, signal: null, stdout: '', stderr: 'asked\n' });
    },
  );

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'is held by watch while nothing happens, and ends well by %s',
    async (signal) => {
      const child = start(['idle.mjs', 'watch']);
      child.stdout?.once('data', () => child.kill(signal));
      expect(await ended(child)).toMatchObject({ code: 0, signal: null, stderr: 'closed\n' });
    },
  );

  it('ends watch quietly when nobody reads on', async () => {
    const child = start(['watching.mjs', 'watch']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const errors: string[] = [];
    child.stderr?.setEncoding('utf8').on('data', (text) => errors.push(text));
    const [code, signal] = await once(child, 'close');
    expect({ code, signal, errors: errors.join('') }).toEqual({
      code: 0,
      signal: null,
      errors: 'closed\n',
    });
  });

  it('lets a reader who stopped hold watch up, not its memory', async () => {
    const child = start(['watching.mjs', 'watch']);
    const closed = once(child, 'close');
    // What it may write ahead: the pipe, and the stream on our side.
    await once(child.stdout ?? child, 'readable');
    const written = () =>
      /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${child.pid}/io`, 'utf8'))?.[1];
    const resident = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    let before = written();
    for (let same = 0; same < 10; ) {
      await sleep(50);
      same = written() === before ? same + 1 : 0;
      before = written();
    }
    const full = resident();
    await sleep(300);
    expect(resident() - full).toBeLessThan(16 << 10);
    child.kill('SIGKILL');
    child.stdout?.resume();
    await closed;
  });
});
