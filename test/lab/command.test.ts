import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import ts from 'typescript';
import { beforeEach, describe, expect, test } from 'vitest';
import { documentSchemas } from '../../src/cli/schema.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

function command(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/main.js', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('the command', () => {
  test('lists, draws, shows and diagnoses the kernel it runs on', () => {
    lab.enableVfs(lab.pfA, 3);
    const vf = lab.vfOf(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${vf}`);
    lab.bind('vdpa0', 'vhost_vdpa');

    expect(command('list').stdout).toMatch(
      /^vdpa0 .*vhost_vdpa .*\/dev\/vhost-vdpa-\d+ .*usable$/m,
    );
    expect(command('tree').stdout).toMatch(new RegExp(`vf 1 +${vf} .*vdpa0 .*usable`));
    const shown = JSON.parse(command('show', vf, '--json').stdout);
    expect(shown.functions[0].devices[0]).toMatchObject({ name: 'vdpa0', usable: true });
    expect(command('doctor')).toMatchObject({ status: 0, stderr: '' });
    expect(command('show', 'vdpa9')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('vdpa0'),
    });
  });
});

describe('the command that follows', () => {
  /** `vdpa-host watch`, and the lines it has printed. */
  function watching(...args: readonly string[]) {
    const child = spawn(process.execPath, ['dist/cli/main.js', 'watch', ...args]);
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.on('data', (text) => {
      output.stderr += text;
    });
    return {
      child,
      output,
      lines: () => output.stdout.split('\n').slice(0, -1),
      async end(signal: NodeJS.Signals) {
        child.kill(signal);
        const [code] = await once(child, 'close');
        return { code, stderr: output.stderr };
      },
    };
  }

  test('prints a line for each event as it comes, until it is interrupted', async () => {
    lab.enableVfs(lab.pfA, 1);
    const { lines, end } = watching();
    await lab.until(() => lines().length === 1);
    expect(lines()[0]).toMatch(/^\d\d:\d\d:\d\d {2}inventory +2 PFs, 1 VF; 0 devices/);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    await lab.until(() => lines().length === 2);
    expect(lines()[1]).toMatch(/added +vdpa0 +! not bound to a driver$/);
    lab.bind('vdpa0', 'vhost_vdpa');
    await lab.until(() => lines().length === 4);
    lab.deleteDevice('vdpa0');
    await lab.until(() => lines().length === 6);
    expect(lines().map((line) => line.split(/ +/)[1])).toEqual([
      'inventory',
      'added',
      'changed',
      'ready',
      'unready',
      'removed',
    ]);
    expect(await end('SIGINT')).toEqual({ code: 0, stderr: '' });
  });

  test('prints documents with --json, and ends by SIGTERM as well', async () => {
    lab.enableVfs(lab.pfA, 1);
    const { lines, end } = watching('--json');
    await lab.until(() => lines().length === 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    lab.enableVfs(lab.pfB, 1);
    const documents = () => lines().map((line) => JSON.parse(line));
    const told = () =>
      documents().flatMap(({ event }) => (event === undefined ? [] : [event.type]));
    await lab.until(() => told().includes('vfAdded') && told().includes('managementDevice'));
    for (const document of documents()) {
      const kind: unknown = document.kind;
      if (kind !== 'inventory' && kind !== 'event') throw new Error(`a document of kind ${kind}`);
      expect(documentSchemas[kind].parse(document)).toEqual(document);
    }
    expect(documents()[0]).toMatchObject({ kind: 'inventory', devices: [], vfs: [{}] });
    expect(documents()[1]).toMatchObject({ event: { type: 'added', device: { name: 'vdpa0' } } });
    expect(await end('SIGTERM')).toEqual({ code: 0, stderr: '' });
  });

  test('ends quietly at the first event that nobody reads', async () => {
    lab.enableVfs(lab.pfA, 1);
    const { child, lines, output } = watching();
    await lab.until(() => lines().length === 1);
    child.stdout.destroy();
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    const [code, signal] = await once(child, 'close');
    expect({ code, signal, stderr: output.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });

  test('refuses a captured tree', async () => {
    const { child, output } = watching('--root', '/usr');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(output.stdout).toBe('');
    expect(output.stderr).toMatch(/^vdpa-host: .*captured.* \[NOT_SUPPORTED\]\n$/);
  });
});

describe('the commands that change', () => {
  test('make VFs and a device, bind it, and delete it', () => {
    const done = (stdout: string) => ({ status: 0, stdout, stderr: '' });
    const vf = lab.vfOf(lab.pfA, 0);
    expect(command('vfs', lab.pfA.slice(5), '1')).toEqual(done(`${lab.pfA} has 1 VF\n`));
    const features = 'MTU,MAC,CTRL_VQ,MQ,VERSION_1,ACCESS_PLATFORM';
    const attributes = ['--mac', '02:00:00:00:00:07', '--mtu', '9000', '--max-vqp', '4'];
    expect(
      command('create', `pci/${vf}`, '--name', 'vdpa0', ...attributes, '--features', features),
    ).toEqual(done(`${lab.charNodeOf('vdpa0')}\n`));
    expect(lab.vdpaJson('dev', 'config', 'show', 'vdpa0')['config']?.['vdpa0']).toMatchObject({
      mac: '02:00:00:00:00:07',
      mtu: 9000,
      max_vq_pairs: 4,
    });
    expect(JSON.parse(command('bind', 'vdpa0', 'vhost_vdpa', '--json').stdout)).toMatchObject({
      kind: 'bind',
      driver: 'vhost_vdpa',
      charDevice: { path: lab.charNodeOf('vdpa0') },
    });
    expect(command('delete', 'vdpa0')).toEqual(done('deleted vdpa0\n'));
  });
});

describe('the examples of', () => {
  /** Runs a document's TypeScript examples as its reader would, in this package. */
  function examples(document: string): { status: number | null; stdout: string; stderr: string }[] {
    const blocks = readFileSync(document, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
    mkdirSync('build/examples', { recursive: true });
    return Array.from(blocks, ([, source = '']) => {
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      writeFileSync('build/examples/example.mjs', outputText);
      return spawnSync(process.execPath, ['build/examples/example.mjs'], { encoding: 'utf8' });
    });
  }

  beforeEach(() => {
    lab.enableVfs(lab.pfA, 2);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, 'mac', '02:00:00:00:00:01');
    lab.addDevice('vdpa1', `pci/${lab.vfOf(lab.pfA, 1)}`);
    lab.bind('vdpa0', 'vhost_vdpa');
  });

  test('README.md run', () => {
    expect(examples('README.md')).toMatchObject([
      {
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(
          /^2 PFs, 2 VFs\npci\/0000:11:00.1 \/dev\/vhost-vdpa-\d+ 02:00:00:00:00:01 NUMA node null\npci\/0000:11:00.2 not-bound\n$/,
        ),
      },
      { status: 0, stderr: '', stdout: '36 pci/0000:11:00.1\n' },
    ]);
  });

  test('docs/captures.md run', () => {
    try {
      expect(examples('docs/captures.md')).toMatchObject([
        { status: 0, stderr: '', stdout: 'true true vdpa0\n' },
      ]);
    } finally {
      rmSync('host.tar.gz', { force: true });
    }
  });

  test('docs/watching.md run', () => {
    expect(examples('docs/watching.md')).toMatchObject([
      {
        status: 0,
        stderr: '',
        // It may be read in the moment in which the kernel has unbound it.
        stdout: expect.stringMatching(
          /^2 devices\n(?:changed vdpa0\n)?unready vdpa0\nremoved vdpa0\nadded vdpa0\nnull\n$/,
        ),
      },
    ]);
  });

  test('docs/changing.md run, and leave nothing', () => {
    const before = lab.deviceNames();
    expect(examples('docs/changing.md')).toMatchObject([
      {
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(/^pci\/0000:13:00.1 0000:13:00.1 \/dev\/vhost-vdpa-\d+\n$/),
      },
    ]);
    expect(lab.deviceNames()).toEqual(before);
  });

  test('docs/errors.md run', () => {
    expect(examples('docs/errors.md')).toMatchObject([
      { status: 0, stderr: '', stdout: expect.stringContaining("mac: '02:00:00:00:00:01'") },
    ]);
  });
});
