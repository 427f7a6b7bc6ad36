import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const run = promisify(execFile);

describe('the package manifest', () => {
  test('runs nothing at installation', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'];
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
    // Without this npm itself would run node-gyp, because there is a binding.gyp.
    expect(manifest.gypfile).toBe(false);
  });

  test('exports what has been built', () => {
    const { '.': main, './policy': policy } = manifest.exports;
    const entrances = [main, policy].flatMap(({ types, default: module }) => [types, module]);
    for (const path of [...entrances, manifest.main, manifest.types, manifest.bin['vdpa-host']]) {
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    }
    expect(Object.keys(manifest.exports)).toEqual([
      '.',
      './policy',
      './tracker',
      './guest',
      './lifecycle',
      './package.json',
    ]);
  });

  test('needs at run time no more than what the library imports', () => {
    expect(Object.keys(manifest.dependencies)).toEqual([
      '@xmldom/xmldom',
      'better-sqlite3',
      'bindings',
      'zod',
    ]);
  });
});

describe('the packed package', () => {
  let files: string[];
  let home: string;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'vdpa-host-pack-'));
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--offline'], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: home, npm_config_cache: join(home, 'cache') },
      timeout: 60_000,
    });
    files = JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
  }, 60_000);
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  test('has the library, the command, and the source of addon and programs', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'binding.gyp',
        'dist/index.js',
        'dist/index.d.ts',
        'dist/cli/main.js',
        'native/core/result.h',
        'native/core/snapshot.cc',
        'native/addon/addon.cc',
        'native/helper/main.cc',
        'native/libvirt/main.cc',
        'docs/errors.md',
        'docs/schema/list.json',
        'systemd/vdpa-host-provision.service',
      ]),
    );
  });

  test('has a module for every source, and nothing of a source that is gone', () => {
    const modules = files.filter((file) => /^dist\/.*\.js$/.test(file));
    const sources = modules.map((file) => file.replace(/^dist\/(.*)\.js$/, 'src/$1.ts'));
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
  });

  test('has no tests, no lab, no bench and nothing that is built for one machine', () => {
    const kinds = /(^|\/)(test|lab|bench|scripts|src|build|node_modules|\.ci)\/|\.test\.|\.map$/;
    expect(files.filter((file) => kinds.test(file))).toEqual([]);
    expect(
      files.filter((file) => file.endsWith('.node') && !file.startsWith('prebuilds/')),
    ).toEqual([]);
  });
});

describe('importing the library', () => {
  /** Tells which modules a process loads, ES modules and CommonJS ones and addons. */
  const probe = `
    import Module, { register } from 'node:module';
    import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
    const { port1, port2 } = new MessageChannel();
    const hook = \`
      let port;
      export function initialize(data) { port = data; }
      export async function resolve(specifier, context, next) {
        const resolved = await next(specifier, context);
        port.postMessage(resolved.url);
        return resolved;
      }\`;
    register('data:text/javascript,' + encodeURIComponent(hook), {
      parentURL: import.meta.url, data: port2, transferList: [port2],
    });
    const urls = [];
    function loaded() {
      for (let got; (got = receiveMessageOnPort(port1)); ) urls.push(got.message);
      const all = [...urls, ...Object.keys(Module._cache), ...process.report.getReport().sharedObjects];
      return ['zod', 'better-sqlite3', 'bindings', 'vdpa_host.node'].filter((name) => all.some((url) => url.includes(name)));
    }
  `;

  test('loads neither zod nor the addon; opening a host loads the addon only', async () => {
    const index = JSON.stringify(join(root, 'dist/index.js'));
    const source = `${probe}
      const { VdpaHost, parseDeviceId } = await import(${index});
      parseDeviceId('vdpa/sim0');
      const seen = [loaded()];
      await (await VdpaHost.open()).close();
      seen.push(loaded());
      await (await VdpaHost.open({ timeoutMs: 100 })).close();
      seen.push(loaded());
      console.log(JSON.stringify(seen));
      process.exit();
    `;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], {
      timeout: 30_000,
    });
    expect(JSON.parse(stdout)).toEqual([
      [],
      ['bindings', 'vdpa_host.node'],
      ['zod', 'bindings', 'vdpa_host.node'],
    ]);
  });
});
