// SPDX-License-Identifier: Apache-2.0
// @ts-check
// QEMU for guests inside the lab, unpacked and never installed.

import { join } from 'node:path';
import { cacheDir } from '../cache.mjs';
import { findUnpacked, machineRelease, unpackFromSuite } from '../suites.mjs';

/** With what it looks for beside itself, its modules and its firmware: the machine may have them or not. */
const PACKAGES = [
  ...['qemu-system-x86', 'qemu-system-common', 'qemu-system-data'],
  ...['seabios', 'ipxe-qemu'],
];
/** QEMU looks for these where its packages would have been installed. */
const FIRMWARE = ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'];

/** QEMU of the machine's own release, or of its backports. @typedef {'release' | 'backports'} QemuSuite */

/**
 * @typedef {object} QemuProgram
 * @property {string[]} argv the program, and where its firmware lies
 * @property {Record<string, string>} env what its environment needs
 */

/** @param {QemuSuite} suite */
const suiteOf = (suite) => `${machineRelease()}${suite === 'release' ? '' : '-backports'}`;

/** @param {QemuSuite} suite @param {string} [cache] @returns {QemuProgram | undefined} */
export function findQemu(suite, cache = cacheDir()) {
  const packages = findUnpacked(suiteOf(suite), PACKAGES, cache);
  if (packages === undefined) return undefined;
  const { dir, env, loader } = packages;
  const libraries = env.LD_LIBRARY_PATH;
  const program = join(dir, 'usr/bin/qemu-system-x86_64');
  const firmware = FIRMWARE.flatMap((folder) => ['-L', join(dir, folder)]);
  return loader === null
    ? { argv: [program, ...firmware], env: { LD_LIBRARY_PATH: libraries } }
    : { argv: [loader, '--library-path', libraries, program, ...firmware], env: {} };
}

/** Fetches it unless it is there. @param {QemuSuite} suite @param {string} [cache] */
export async function ensureQemu(suite, cache = cacheDir()) {
  if (findQemu(suite, cache) === undefined) {
    await unpackFromSuite(suiteOf(suite), PACKAGES, { cache });
  }
}
