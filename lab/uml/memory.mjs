// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The guest's memory is an unnamed file of the host, mapped executable.

import { readFileSync, statfsSync } from 'node:fs';
import { LabError } from '../lab-error.mjs';

/** @param {string} dir */
function freeMib(dir) {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return Math.floor((bavail * bsize) / 2 ** 20);
  } catch {
    return 0;
  }
}

/** @param {string} dir */
function isNoexec(dir) {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .findLast((mount) => mount.split(' ')[1] === dir);
  return line?.split(' ')[3]?.split(',').includes('noexec') ?? false;
}

/**
 * Choose where the memory's file goes: /dev/shm, which is memory, else /tmp.
 * @param {number} mib
 * @returns {string}
 */
export function memoryDir(mib) {
  for (const dir of ['/dev/shm', '/tmp']) {
    if (freeMib(dir) >= mib && !isNoexec(dir)) return dir;
  }
  throw new LabError(
    `no room for ${mib} MiB of guest memory: /dev/shm has ${freeMib('/dev/shm')} MiB free and ` +
      `/tmp ${freeMib('/tmp')} (and neither may be mounted noexec); ask for less memory`,
  );
}
