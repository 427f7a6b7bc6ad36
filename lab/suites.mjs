#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Packages of another suite, unpacked beside the system: nothing is ever installed.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheDir, contentKey, install, touch } from './cache.mjs';
import { LabError } from './lab-error.mjs';
import { withLock } from './lock.mjs';
import { machineSources, sourcesFor } from './sources.mjs';
import { Steps, say } from './step.mjs';

const BIN = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];
const LIB = ['usr/lib', 'lib', 'usr/lib64', 'lib64'];

/**
 * @typedef {object} Unpacked
 * @property {string} dir the root of the unpacked packages
 * @property {Record<string, string>} versions of every package in it
 * @property {{ PATH: string, LD_LIBRARY_PATH: string }} env prefixes; LD_LIBRARY_PATH may be empty
 * @property {string | null} loader its own dynamic loader, when a C library came along: then run
 *   LOADER --library-path LD_LIBRARY_PATH PROGRAM, and do not set LD_LIBRARY_PATH
 */

/** The machine's release, such as bookworm. */
export function machineRelease() {
  const name = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (!name) throw new LabError('/etc/os-release names no release');
  return name;
}

/** @param {string} suite @param {readonly string[]} packages */
function requestKey(suite, packages) {
  for (const name of [suite, ...packages]) {
    if (!/^[a-z0-9][a-z0-9+.-]*$/.test(name)) throw new LabError(`bad name: ${name}`);
  }
  return `suite-${suite}-${contentKey(...[...packages].sort())}`;
}

/**
 * apt with lists, cache and sources of its own; the system's package status is only read.
 * @param {string} state
 */
function privateOptions(state) {
  for (const dir of ['lists/partial', 'archives/partial', 'etc']) {
    mkdirSync(join(state, dir), { recursive: true });
  }
  return Object.entries({
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'Dir::Cache': state,
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': join(state, 'etc'),
    'Dir::Etc::sourcelist': join(state, 'machine.sources'),
    'Dir::Etc::sourceparts': join(state, 'etc'),
    'Dir::State': state,
    'Dir::State::status': '/var/lib/dpkg/status',
    // The hooks of the machine's configuration are for the machine's own lists.
    'APT::Update::Post-Invoke-Success': '',
    'Debug::NoLocking': 'true',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
}

/**
 * What an installation would bring: the names and versions that apt's simulation prints.
 * @param {string[]} apt
 * @param {string} suite
 * @param {readonly string[]} packages
 */
function resolve(apt, suite, packages) {
  const args = ['--simulate', '--yes', '--no-install-recommends', '-t', suite, 'install'];
  const run = spawnSync('apt-get', [...apt, ...args, '--reinstall', ...packages], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 << 20,
  });
  const lines = [
    ...(run.stdout ?? '').matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) .*\[(\w+)\]\)/gm),
  ];
  if (run.status !== 0 || lines.length === 0) {
    const reason = (run.stderr ?? '').trim().split('\n').slice(-3).join('; ');
    throw new LabError(`apt cannot resolve ${packages.join(' ')} from ${suite}: ${reason}`);
  }
  return Object.fromEntries(lines.map(([, name, version]) => [String(name), String(version)]));
}

/** @param {string} dir @returns {Unpacked} */
function describe(dir) {
  /** @type {Record<string, string>} */
  const versions = JSON.parse(readFileSync(join(dir, 'versions.json'), 'utf8'));
  const root = join(dir, 'root');
  const existing = (/** @type {string[]} */ list) =>
    list.map((name) => join(root, name)).filter((path) => existsSync(path));
  const libraries = existing(LIB).flatMap((lib) => {
    const triplet = readdirSync(lib).find((name) => /^\w+-linux-gnu\w*$/.test(name));
    return triplet ? [join(lib, triplet)] : [];
  });
  const loader = libraries
    .flatMap((lib) => readdirSync(lib).map((name) => join(lib, name)))
    .find((path) => /\/ld-linux[\w-]*\.so\.\d$/.test(path));
  return {
    dir: root,
    versions,
    env: { PATH: existing(BIN).join(':'), LD_LIBRARY_PATH: libraries.join(':') },
    loader: loader ?? null,
  };
}

/**
 * The folder of an earlier request, without asking apt.
 * @param {string} suite
 * @param {readonly string[]} packages
 * @param {string} [cache]
 * @returns {Unpacked | undefined}
 */
export function findUnpacked(suite, packages, cache = cacheDir()) {
  const pointer = join(cache, 'suites', requestKey(suite, packages));
  if (!existsSync(pointer)) return undefined;
  const dir = join(cache, readFileSync(pointer, 'utf8').trim());
  return existsSync(dir) ? describe(dir) : undefined;
}

/**
 * Unpack packages of a suite, with everything an installation would bring along, into a folder of
 * the cache that is named by the resolved versions.
 *
 * @param {string} suite such as bookworm-backports; of the machine's own mirror
 * @param {readonly string[]} packages
 * @param {{ cache?: string, upgrade?: boolean }} [options] upgrade: ask the mirror though it is there
 * @returns {Promise<Unpacked>}
 */
export async function unpackFromSuite(suite, packages, options = {}) {
  const cache = options.cache ?? cacheDir();
  const key = requestKey(suite, packages);
  const found = options.upgrade ? undefined : findUnpacked(suite, packages, cache);
  if (found) {
    touch(join(found.dir, '..'));
    return found;
  }
  return withLock(join(cache, 'suites.lock'), say, async () => {
    const meanwhile = options.upgrade ? undefined : findUnpacked(suite, packages, cache);
    if (meanwhile) return meanwhile;
    const state = join(cache, 'suites', `apt-${suite}`);
    const apt = privateOptions(state);
    const sources = sourcesFor(machineSources('/etc/apt'), machineRelease(), suite);
    writeFileSync(join(state, 'machine.sources'), sources);
    const steps = new Steps(join(cache, 'logs', `${key}.log`));
    say(`${suite}: asking for ${packages.join(' ')}`);
    await steps.run('apt-get', [...apt, 'update']);
    const versions = resolve(apt, suite, packages);
    const names = Object.entries(versions).map(([name, version]) => `${name}=${version}`);
    const folder = `suite-${suite}-${contentKey(...names.sort())}`;
    if (!existsSync(join(cache, folder))) {
      say(`${suite}: unpacking ${names.length} package(s)`);
      await install(join(cache, folder), async (temporary) => {
        const debs = join(temporary, 'debs');
        const root = join(temporary, 'root');
        mkdirSync(debs);
        await steps.run('apt-get', [...apt, 'download', ...names], { cwd: debs });
        for (const deb of readdirSync(debs)) await steps.run('dpkg', ['-x', join(debs, deb), root]);
        rmSync(debs, { recursive: true });
        writeFileSync(join(temporary, 'versions.json'), `${JSON.stringify(versions, null, 2)}\n`);
      });
    }
    writeFileSync(join(cache, 'suites', key), `${folder}\n`);
    return describe(join(cache, folder));
  });
}

async function main() {
  const [suite, ...packages] = process.argv.slice(2);
  if (!suite || suite.startsWith('-') || packages.length === 0) {
    throw new LabError('usage: node lab/suites.mjs SUITE PACKAGE...');
  }
  console.log(JSON.stringify(await unpackFromSuite(suite, packages), null, 2));
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) {
  main().catch((/** @type {Error} */ error) => {
    process.stderr.write(`lab: ${error.message}\n`);
    process.exitCode = 1;
  });
}
