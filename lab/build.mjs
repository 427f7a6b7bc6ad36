#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Everything a lab is made of: packages, helpers, kernel, NIC module, a new enough iproute2.

import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages } from '../scripts/apt.mjs';
import { cacheDir, sweepCache, touch } from './cache.mjs';
import { buildHelpers, helpersDir } from './helpers.mjs';
import { ensureIproute2, findIproute2 } from './iproute2.mjs';
import { LabError } from './lab-error.mjs';
import { withLock } from './lock.mjs';
import { machineNamed } from './machine.mjs';
import { buildNic, nicDir } from './nic.mjs';
import { say } from './step.mjs';

/** @import { Kernel, Machine } from './machine.mjs' */

/** What every machine needs. */
const PACKAGES = ['busybox-static', 'cpio', 'gcc', 'iproute2', 'kmod', 'libc6-dev', 'make'];

/**
 * The parts of a built lab.
 * @typedef {object} Lab
 * @property {string} cache
 * @property {string} guard the host's helper
 * @property {string} supervise the guest's helper
 * @property {Kernel} kernel
 * @property {string} nic folder of the NIC module
 * @property {string[]} path folders that come first in PATH in the lab
 */

/**
 * The lab for the sources as they are now, if it is built.
 * @param {string} [cache]
 * @param {Machine['name']} [machine]
 * @returns {Lab | undefined}
 */
export function findLab(cache = cacheDir(), machine = 'uml') {
  const kernel = machineNamed(machine).find(cache);
  if (!kernel) return undefined;
  const helpers = helpersDir(cache);
  const nic = nicDir(cache, kernel);
  const path = findIproute2(cache);
  if (!path || !existsSync(nic) || !existsSync(helpers) || !existsSync('/bin/busybox')) {
    return undefined;
  }
  return {
    cache,
    guard: join(helpers, 'guard'),
    supervise: join(helpers, 'supervise'),
    kernel,
    nic,
    path,
  };
}

/**
 * Build what is missing of the lab. Quick when nothing is.
 * @param {{ cache?: string, machine?: Machine['name'], upgrade?: boolean }} [options]
 *   upgrade: ask apt for a newer kernel
 * @returns {Promise<Lab>}
 */
export async function ensureLab(options = {}) {
  const cache = options.cache ?? cacheDir();
  const machine = machineNamed(options.machine ?? 'uml');
  const there = options.upgrade ? undefined : labIfPossible(cache, machine.name);
  if (there) {
    for (const part of [...there.kernel.folders, dirname(there.guard), there.nic]) touch(part);
    return there;
  }
  ensurePackages([...PACKAGES, ...machine.packages], 'the lab', say);
  await withLock(join(cache, 'build.lock'), say, async () => {
    sweepCache(cache);
    const guard = join(await buildHelpers(cache), 'guard');
    const kernel = await machine.build(cache, guard, options.upgrade ?? false);
    await buildNic(cache, guard, kernel);
  });
  await ensureIproute2(cache);
  const lab = findLab(cache, machine.name);
  if (!lab) throw new LabError('the lab was built and is not there: did its sources change?');
  return lab;
}

/**
 * findLab, where a machine without a compiler has no lab rather than an error.
 * @param {string} cache
 * @param {Machine['name']} machine
 */
function labIfPossible(cache, machine) {
  try {
    return findLab(cache, machine);
  } catch (error) {
    if (error instanceof LabError) return undefined;
    throw error;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      machine: { type: 'string', default: 'uml' },
      upgrade: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(`usage: node lab/build.mjs [--machine uml|qemu] [--upgrade]

Build the lab's kernel, NIC module and helpers into the cache; quick when they are there.
  --machine uml|qemu  which kernel: User-Mode Linux, or the distribution's own for QEMU
  --upgrade           ask apt whether there is a newer kernel, and take that
The cache is $VDPA_HOST_CACHE, else \${XDG_CACHE_HOME:-~/.cache}/vdpa-host.`);
    return;
  }
  const machine = machineNamed(values.machine).name;
  const lab = await ensureLab({ machine, upgrade: values.upgrade ?? false });
  say(`the lab is ready: kernel ${lab.kernel.release}, NIC ${lab.nic}`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) {
  main().catch((/** @type {Error} */ error) => {
    process.stderr.write(`lab: ${error.message}\n`);
    process.exitCode = 1;
  });
}
