// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The User-Mode Linux kernel, from the distribution's source package.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { updateLists } from '../../scripts/apt.mjs';
import { contentKey, install } from '../cache.mjs';
import { compilerVersion } from '../helpers.mjs';
import { LabError } from '../lab-error.mjs';
import { Steps, say } from '../step.mjs';

const PACKAGE = 'linux-source-6.12';
const config = join(import.meta.dirname, 'uml.config');
/** Change it when the steps below change what comes out. */
const RECIPE = '1';

/**
 * Additions to arch/um/Kconfig. UML's emulated DMA uses the generic dma-mapping header, which
 * serves per-device operations (VDUSE wants them); the generic PCI domains let the NIC choose one.
 */
const KCONFIG = ['ARCH_HAS_DMA_OPS', 'PCI_DOMAINS_GENERIC'];

/** What building a module against the kernel needs of its source tree; the rest is removed. */
const KEPT = ['.config', 'Makefile', 'Module.symvers', 'arch', 'include', 'scripts'];

/** @typedef {{ dir: string, key: string, release: string }} UmlKernel */

/** Everything of the key but the package's version. */
function keyBase() {
  return contentKey(RECIPE, ...KCONFIG, readFileSync(config), compilerVersion(), process.arch);
}

/** @param {string} dir @returns {UmlKernel} */
function kernelAt(dir) {
  const release = readFileSync(join(dir, 'release'), 'utf8').trim();
  return { dir, key: basename(dir), release };
}

/**
 * The newest kernel in the cache for this configuration and compiler. Its package's version is
 * part of the name, but a newer package alone is no reason to build again: `--upgrade` asks apt.
 * @param {string} cache
 * @returns {UmlKernel | undefined}
 */
export function findKernel(cache) {
  const prefix = `kernel-${keyBase()}-`;
  const names = existsSync(cache) ? readdirSync(cache) : [];
  const versions = names
    .filter((name) => name.startsWith(prefix) && !name.includes('.tmp-'))
    .map((name) => name.slice(prefix.length))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const version = versions.at(-1);
  return version === undefined ? undefined : kernelAt(join(cache, prefix + version));
}

/** The version of the source package that apt would download. */
function candidateVersion() {
  for (const attempt of [1, 2]) {
    const policy = spawnSync('apt-cache', ['policy', PACKAGE], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    const version = /^ {2}Candidate: (\S+)/m.exec(policy.stdout ?? '')?.[1];
    if (version && version !== '(none)') return version;
    if (attempt === 1 && !updateLists()) break;
  }
  throw new LabError(`apt does not know ${PACKAGE}: run \`sudo apt-get update\``);
}

/**
 * Every line of our configuration must have survived the kernel's own dependency rules.
 * @param {Steps} steps
 * @param {string} source
 */
function checkConfig(steps, source) {
  const lines = (/** @type {string} */ path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => /^(?:CONFIG_|# CONFIG_\w+ is not set$)/.test(line));
  const result = new Set(lines(join(source, '.config')));
  const lost = lines(config).filter((line) => !result.has(line) && !line.startsWith('#'));
  const unwanted = lines(config)
    .filter((line) => line.startsWith('#'))
    .map((line) => /** @type {string} */ (line.split(' ')[1]))
    .filter((name) => [...result].some((line) => line.startsWith(`${name}=`)));
  if (lost.length + unwanted.length > 0) {
    throw steps.failure(`uml.config cannot be had: ${[...lost, ...unwanted].join(' ')}`);
  }
}

/**
 * @param {Steps} steps
 * @param {string} temporary
 * @param {string} version
 */
async function makeKernel(steps, temporary, version) {
  const source = join(temporary, 'source');
  const make = (/** @type {string[]} */ ...args) =>
    steps.run('make', ['-C', source, 'ARCH=um', ...args], {
      env: { ...process.env, KCONFIG_ALLCONFIG: config, LC_ALL: 'C', MAKEFLAGS: '' },
    });

  say(`kernel: downloading ${PACKAGE} ${version}`);
  const download = ['-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=3', 'download'];
  await steps.run('apt-get', [...download, `${PACKAGE}=${version}`], { cwd: temporary });
  say('kernel: unpacking the source');
  // Straight from package to tree: neither the package's content nor the tar file touches the disk.
  const unpack = `mkdir source && dpkg-deb --fsys-tarfile *.deb |
    tar -xO --wildcards '*/${PACKAGE}.tar.xz' | tar -xJ -C source --strip-components=1 && rm *.deb`;
  await steps.run('bash', ['-o', 'pipefail', '-ec', unpack], { cwd: temporary });

  const kconfig = join(source, 'arch/um/Kconfig');
  const selects = KCONFIG.map((symbol) => `\tselect ${symbol}\n`).join('');
  const text = readFileSync(kconfig, 'utf8');
  writeFileSync(kconfig, text.replace(/^config UML_DMA_EMULATION\n/m, `$&${selects}`));

  say('kernel: configuring');
  await make('allnoconfig');
  checkConfig(steps, source);
  say('kernel: compiling (a few minutes)');
  await make('-s', `-j${availableParallelism()}`);
  const modules = join(temporary, 'modules');
  await make(
    'modules_install',
    `INSTALL_MOD_PATH=${modules}`,
    'INSTALL_MOD_STRIP=1',
    'DEPMOD=true',
  );
  await steps.run('strip', ['--strip-debug', join(source, 'linux')]);
  renameSync(join(source, 'linux'), join(temporary, 'linux'));

  say('kernel: removing what modules do not need of the source');
  const release = join(source, 'include/config/kernel.release');
  writeFileSync(join(temporary, 'release'), readFileSync(release));
  for (const name of readdirSync(source)) {
    if (!KEPT.includes(name)) rmSync(join(source, name), { recursive: true, force: true });
  }
  for (const name of readdirSync(join(source, 'arch'))) {
    if (name !== 'um' && name !== 'x86') {
      rmSync(join(source, 'arch', name), { recursive: true, force: true });
    }
  }
  const leftovers = ['.', '(', '-name', '*.[oac]', '-o', '-name', '.*.cmd', ')', '-not', '-path'];
  await steps.run('find', [...leftovers, './scripts/*', '-delete'], { cwd: source });
  const links = ['modules', '-type', 'l', '-name', 'build', '-delete'];
  await steps.run('find', links, { cwd: temporary });
}

/**
 * Build the kernel unless it is there. The caller holds the build lock.
 * @param {string} cache
 * @param {string} guard
 * @param {{ upgrade?: boolean }} [options]
 * @returns {Promise<UmlKernel>}
 */
export async function buildKernel(cache, guard, options = {}) {
  const found = findKernel(cache);
  if (found && !options.upgrade) return found;
  const version = candidateVersion();
  const dir = join(cache, `kernel-${keyBase()}-${version}`);
  if (!existsSync(dir)) {
    const steps = new Steps(join(cache, 'logs', 'kernel.log'), guard);
    await install(dir, (temporary) => makeKernel(steps, temporary, version));
    say('kernel: ready');
  }
  return kernelAt(dir);
}
