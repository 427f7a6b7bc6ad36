// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Which processor the kernel runs on. It hands over to its processes and back at every system call of
// theirs, by ptrace: where both have the same processor that takes a third of the time. And labs on
// different processors do not get in each other's way.

import { readdirSync, readFileSync } from 'node:fs';

/** The kernel's program, and by that name all of its processes. */
const name = 'linux';
/** Labs that this process has started: two at once do not see each other yet. */
let started = process.pid;

/** @param {string} status of /proc @returns {number[]} */
function allowedBy(status) {
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** @param {string} pid @returns {number[]} the one processor of a lab's process; none of any other */
function processorOfLab(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const allowed = status.startsWith(`Name:\t${name}\n`) ? allowedBy(status) : [];
    return allowed.length === 1 ? allowed : [];
  } catch {
    return []; // it has ended meanwhile
  }
}

/**
 * The start of a command line that runs the rest of it on one processor: the one with the fewest
 * processes of labs.
 *
 * @returns {string[]}
 */
export function onOneProcessor() {
  const taken = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap(processorOfLab);
  const load = (/** @type {number} */ processor) =>
    taken.filter((other) => other === processor).length;
  const own = allowedBy(readFileSync('/proc/self/status', 'utf8'));
  const first = started++ % own.length;
  const inTurn = [...own.slice(first), ...own.slice(0, first)];
  const [processor = 0] = inTurn.toSorted((a, b) => load(a) - load(b));
  return ['taskset', '--cpu-list', String(processor)];
}
