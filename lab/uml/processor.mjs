// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Which processor the kernel runs on. It hands over to its processes and back at every system call of
// theirs, by ptrace: where both have the same processor that takes a third of the time.

import { readFileSync } from 'node:fs';

/** @returns {number[]} those that this process may run on */
function allowed() {
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return (list ?? '').split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * The start of a command line that runs the rest of it on one processor, not the same for all who start
 * a lab.
 *
 * @returns {string[]}
 */
export function onOneProcessor() {
  const processors = allowed();
  return ['taskset', '--cpu-list', String(processors[process.pid % processors.length] ?? 0)];
}
