// SPDX-License-Identifier: Apache-2.0
// @ts-check
// A run's own directory: named after its runner, so that the next run can tell a dead one's.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = /^vdpa-lab-(\d+)-(\d+)-\w{6}$/;

/** The path goes on the kernel's command line: short, and without anything to quote. */
function base() {
  const dir = tmpdir();
  return /^[\w./-]{1,80}$/.test(dir) ? dir : '/tmp';
}

/**
 * When a process started, in clock ticks since boot; with its id that names it for good.
 * @param {number} pid
 */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Remove the directories of runners that are gone. */
export function sweepRunDirs() {
  for (const name of readdirSync(base())) {
    const match = NAME.exec(name);
    if (!match || startTime(Number(match[1])) === match[2]) continue;
    const path = join(base(), name);
    const owner = statSync(path, { throwIfNoEntry: false })?.uid;
    if (owner === process.getuid?.()) rmSync(path, { recursive: true, force: true });
  }
}

/** @returns {string} a new directory for a run of this process */
export function makeRunDir() {
  return mkdtempSync(join(base(), `vdpa-lab-${process.pid}-${startTime(process.pid)}-`));
}
