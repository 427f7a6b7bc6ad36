// SPDX-License-Identifier: Apache-2.0
// @ts-check
// libvirt with its QEMU, for tests inside the lab. Neither is ever installed.

import { cacheDir } from '../cache.mjs';
import { findUnpacked, machineRelease, unpackFromSuite } from '../suites.mjs';

const PACKAGES = [
  ...['libvirt0', 'libvirt-daemon', 'libvirt-daemon-driver-qemu', 'libvirt-clients'],
  ...['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios', 'ipxe-qemu'],
];

/** Of the machine's own release, and of its backports. @typedef {'release' | 'backports'} LibvirtSuite */

/** @param {LibvirtSuite} suite */
const suiteOf = (suite) => `${machineRelease()}${suite === 'release' ? '' : '-backports'}`;

/**
 * The folder of what is unpacked, to lie over the system's.
 * @param {LibvirtSuite} suite
 * @param {string} [cache]
 * @returns {string | undefined}
 */
export function findLibvirt(suite, cache = cacheDir()) {
  return findUnpacked(suiteOf(suite), PACKAGES, cache)?.dir;
}

/** Fetches it unless it is there. @param {LibvirtSuite} suite @param {string} [cache] */
export async function ensureLibvirt(suite, cache = cacheDir()) {
  if (findLibvirt(suite, cache) === undefined) {
    await unpackFromSuite(suiteOf(suite), PACKAGES, { cache });
  }
}
