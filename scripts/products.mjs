// @ts-check
import { existsSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { contentKey } from '../lab/cache.mjs';
import { ensurePackages } from './apt.mjs';
import { kept } from './kept.mjs';
import { filesBelow, root, run, StepFailed } from './steps.mjs';

/** npm as it started this script, or the one on the PATH. @type {[string, ...string[]]} */
const npm = process.env['npm_execpath'] ? [process.execPath, process.env['npm_execpath']] : ['npm'];

/** The npm packages of the lock file. */
export async function ensureNodeModules() {
  const wanted = await Promise.all(
    ['package.json', 'package-lock.json', '.npmrc'].map((file) => readFile(join(root, file))),
  );
  const key = contentKey(process.version, ...wanted);
  const stamp = join(root, 'node_modules/.vdpa-host-installed');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === key) return;
  console.error('Installing the npm packages');
  // Not `npm ci`: it insists that the lock names the optional binaries of every platform, and a
  // mirror need not have them. The versions are the lock's all the same.
  await run(npm[0], [...npm.slice(1), 'install', '--no-save'], { show: 'failure' });
  await writeFile(stamp, key);
}

/**
 * Where the running Node keeps its own headers. Never a setting of the user's: headers of another
 * version build an addon that fails in other ways than by not loading.
 */
export function nodePrefix() {
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include/node/node_api.h'))) return prefix;
  throw new StepFailed(
    `Node's headers are not at ${join(prefix, 'include/node')}: install Node together with them ` +
      '(its official archive and package have both)',
  );
}

/** An environment without anybody's npm settings. */
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config|package)_/i.test(name)),
  );
}

/** What the addon and its programs are built of. */
export const addonSources = [
  'binding.gyp',
  'native/core',
  'native/addon',
  'native/helper',
  'native/libvirt',
  'node_modules/node-addon-api',
];

/**
 * The addon and its programs in build/CONFIGURATION.
 *
 * @param {'Release' | 'Debug'} configuration Debug carries the address and undefined-behaviour
 *   sanitisers
 */
export async function ensureAddon(configuration) {
  ensurePackages(['g++', 'make', 'python3'], 'the native addon');
  const prefix = nodePrefix();
  await kept(`addon-${configuration}`, {
    from: addonSources,
    words: [configuration, process.version, prefix, await compilerVersion('g++')],
    outputs: ['vdpa_host.node', 'vdpa_host_helper', 'vdpa_host_libvirt'].map(
      (name) => `build/${configuration}/${name}`,
    ),
    by: async () => {
      console.error(`Building the addon (${configuration})`);
      const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
      const flags = [`--nodedir=${prefix}`, configuration === 'Debug' ? '--debug' : '--release'];
      const env = cleanEnvironment();
      await run(process.execPath, [gyp, 'configure', ...flags], { show: 'failure', env });
      await run(process.execPath, [gyp, 'build', '--jobs=max', ...flags], { show: 'failure', env });
    },
  });
}

/**
 * The addon of better-sqlite3, for the running Node. Install scripts are off, and building it takes a
 * minute or two: once for each version, on each machine.
 */
async function ensureSqlite() {
  ensurePackages(['g++', 'make', 'python3'], 'SQLite');
  const prefix = nodePrefix();
  const folder = 'node_modules/better-sqlite3';
  await kept('better-sqlite3', {
    from: [`${folder}/package.json`, `${folder}/binding.gyp`],
    words: [process.version, process.arch, prefix, await compilerVersion('g++')],
    outputs: [`${folder}/build/Release/better_sqlite3.node`],
    by: async () => {
      console.error('Building SQLite (a minute or two)');
      const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
      await run(
        process.execPath,
        [gyp, 'rebuild', `--nodedir=${prefix}`, '--release', '--jobs=max'],
        { cwd: join(root, folder), show: 'failure', env: cleanEnvironment() },
      );
    },
  });
}

/** The programs of native/test: units, fuzzers, and what runs inside the lab. */
export async function ensureNativeTests() {
  ensurePackages(
    ['clang-19', 'doctest-dev', 'g++', 'libclang-rt-19-dev', 'libvirt-dev', 'make'],
    'testing the native core',
  );
  const programs = ['fuzz', 'lab'].flatMap((kind) =>
    filesBelow(`native/test/${kind}`)
      .filter((file) => file.endsWith(kind === 'fuzz' ? '_fuzz.cc' : '.cc'))
      .map((file) => `build/native-test/${kind}/${basename(file, '.cc')}`),
  );
  await kept('native-test', {
    from: ['native/core', 'native/libvirt/library.h', 'native/test'],
    words: [await compilerVersion('g++'), await compilerVersion('clang++-19')],
    outputs: ['build/native-test/units/core_units', ...programs],
    by: async () => {
      console.error('Building the native tests');
      await run('make', ['--silent', '-j2', '-C', 'native/test', 'programs'], { show: 'failure' });
    },
  });
}

/** @param {string} compiler */
export async function compilerVersion(compiler) {
  return (await run(compiler, ['--version'], { show: 'failure' })).split('\n', 1)[0] ?? '';
}

const distSources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** The compiled library and command in dist/. */
export async function ensureDist() {
  await kept('dist', {
    from: distSources,
    words: [],
    outputs: ['dist'],
    by: async () => {
      console.error('Compiling the library');
      await rm(join(root, 'dist'), { recursive: true, force: true });
      await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
      await chmod(join(root, 'dist/cli/main.js'), 0o755);
    },
  });
}

/** Everything a user of the checkout needs: packages, addons, library. */
export async function ensureBuilt() {
  await ensureNodeModules();
  await ensureSqlite();
  await ensureAddon('Release');
  await ensureDist();
}

/** The compiled example, which runs with the library in dist/. */
export async function ensureExample() {
  const folder = 'examples/compute-agent';
  await ensureDist();
  await kept('example', {
    from: [folder, 'package.json', ...distSources],
    words: [],
    outputs: [`build/${folder}`],
    by: async () => {
      console.error('Compiling the example');
      await rm(join(root, `build/${folder}`), { recursive: true, force: true });
      await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder]);
    },
  });
}
