// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The software NIC's module, and the folder in which modprobe finds it beside the kernel's own.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { contentKey, folderContent, install } from './cache.mjs';
import { Steps, say } from './step.mjs';

/** @import { Kernel } from './machine.mjs' */

const sources = join(import.meta.dirname, 'nic');
/** Change it when the steps below change what comes out. */
const RECIPE = '1';

/**
 * Where the module for this kernel is or will be.
 * @param {string} cache
 * @param {Kernel} kernel
 */
export function nicDir(cache, kernel) {
  return join(cache, `nic-${contentKey(RECIPE, kernel.key, ...folderContent(sources))}`);
}

/**
 * The names of the module's parameters, as its own information lists them.
 * @param {string} dir
 */
export function nicParameters(dir) {
  return readFileSync(join(dir, 'parameters'), 'utf8').split('\n').filter(Boolean);
}

/**
 * Build the module unless it is there. The caller holds the build lock.
 * @param {string} cache
 * @param {string} guard
 * @param {Kernel} kernel
 */
export async function buildNic(cache, guard, kernel) {
  const dir = nicDir(cache, kernel);
  if (existsSync(dir)) return dir;
  const steps = new Steps(join(cache, 'logs', 'nic.log'), guard);
  say('NIC module: compiling');
  await install(dir, async (temporary) => {
    const work = join(temporary, 'work');
    cpSync(sources, work, { recursive: true });
    await steps.run('make', [...kernel.make, `M=${work}`, 'modules'], {
      env: { ...process.env, LC_ALL: 'C', MAKEFLAGS: '' },
    });
    cpSync(kernel.modules, join(temporary, 'root'), { recursive: true });
    // kmod looks below lib or usr/lib, by its version.
    await mkdir(join(temporary, 'root', 'usr'));
    symlinkSync('../lib', join(temporary, 'root', 'usr', 'lib'));
    const extra = join(temporary, 'root', 'lib/modules', kernel.release, 'updates');
    await mkdir(extra);
    cpSync(join(work, 'labnic.ko'), join(extra, 'labnic.ko'));
    await steps.run('strip', ['--strip-debug', join(extra, 'labnic.ko')]);
    await steps.run('/sbin/depmod', ['-b', join(temporary, 'root'), kernel.release]);
    const info = spawnSync('/sbin/modinfo', ['-F', 'parm', join(extra, 'labnic.ko')], {
      encoding: 'utf8',
    });
    const names = info.stdout.match(/^\w+(?=:)/gm) ?? [];
    if (names.length === 0) throw steps.failure('modinfo shows no parameters of labnic.ko');
    writeFileSync(join(temporary, 'parameters'), `${names.sort().join('\n')}\n`);
    rmSync(work, { recursive: true });
  });
  say('NIC module: ready');
  return dir;
}
