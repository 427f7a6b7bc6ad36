// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The lab's `vdpa` command: it must know `dev set` and device_features.

import { spawnSync } from 'node:child_process';
import { findUnpacked, machineRelease, unpackFromSuite } from './suites.mjs';

/** Whether the machine's own iproute2 is new enough. */
function machineIsNew() {
  const run = spawnSync('ip', ['-V'], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const [, major, minor] = /iproute2-(\d+)\.(\d+)/.exec(run.stdout ?? '') ?? [];
  return Number(major) * 100 + Number(minor) >= 612;
}

const suite = () => `${machineRelease()}-backports`;

/**
 * The folders to put first in PATH: none if the machine's own is new enough.
 * @param {string} cache
 * @returns {string[] | undefined} undefined: not unpacked yet
 */
export function findIproute2(cache) {
  if (machineIsNew()) return [];
  return findUnpacked(suite(), ['iproute2'], cache)?.env.PATH.split(':');
}

/** @param {string} cache */
export async function ensureIproute2(cache) {
  if (findIproute2(cache) === undefined) await unpackFromSuite(suite(), ['iproute2'], { cache });
}
