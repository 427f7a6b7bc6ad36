// @ts-check
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensurePackages } from './apt.mjs';
import { contentKey, unlessDone } from './content-key.mjs';
import { root, run, StepFailed } from './steps.mjs';

/** npm as it started this script, or the one on the PATH. @type {[string, ...string[]]} */
const npm = process.env['npm_execpath'] ? [process.execPath, process.env['npm_execpath']] : ['npm'];

/** The npm packages of the lock file. */
export async function ensureNodeModules() {
  const key = await contentKey(['package.json', 'package-lock.json', '.npmrc'], [process.version]);
  if (!existsSync(join(root, 'node_modules')))
    await rm(join(root, 'build/stamps/npm'), { force: true });
  await unlessDone('npm', key, async () => {
    console.error('Installing the npm packages');
    // Not `npm ci`: it insists that the lock names the optional binaries of every platform, and a
    // mirror need not have them. The versions are the lock's all the same.
    await run(npm[0], [...npm.slice(1), 'install', '--no-save'], { quiet: true });
  });
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

/**
 * The addon in build/CONFIGURATION.
 *
 * @param {'Release' | 'Debug'} configuration Debug carries the address and undefined-behaviour
 *   sanitisers
 */
export async function ensureAddon(configuration) {
  ensurePackages(['g++', 'make', 'python3'], 'the native addon');
  const prefix = nodePrefix();
  const key = await contentKey(
    ['binding.gyp', 'native/core', 'native/addon', 'node_modules/node-addon-api/package.json'],
    [configuration, process.version, prefix],
  );
  await unlessDone(`addon-${configuration}`, key, async () => {
    console.error(`Building the addon (${configuration})`);
    const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
    const flags = [`--nodedir=${prefix}`, configuration === 'Debug' ? '--debug' : '--release'];
    const env = cleanEnvironment();
    await run(process.execPath, [gyp, 'configure', ...flags], { quiet: true, env });
    await run(process.execPath, [gyp, 'build', '--jobs=max', ...flags], { quiet: true, env });
  });
}

/** The compiled library and command in dist/. */
async function ensureDist() {
  const key = await contentKey(['src', 'tsconfig.json', 'tsconfig.build.json'], []);
  if (!existsSync(join(root, 'dist'))) await rm(join(root, 'build/stamps/dist'), { force: true });
  await unlessDone('dist', key, async () => {
    console.error('Compiling the library');
    await rm(join(root, 'dist'), { recursive: true, force: true });
    await rm(join(root, 'build/tsc.tsbuildinfo'), { force: true });
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
    await run('chmod', ['+x', 'dist/cli/main.js']);
  });
}

/** Everything a user of the checkout needs: packages, addon, library. */
export async function ensureBuilt() {
  await ensureNodeModules();
  await ensureAddon('Release');
  await ensureDist();
}
