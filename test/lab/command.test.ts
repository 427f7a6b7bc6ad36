import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';
import { beforeEach, describe, expect, test } from 'vitest';
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
