// @ts-check
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';

const log = '/tmp/bench-strace.log';
const begin = '/bench-mark-begin';
const end = '/bench-mark-end';

/**
 * System calls of all threads of a process between its two marks: each looks for a file of that
 * name, which is not there.
 *
 * @typedef {object} SystemCalls
 * @property {number} total
 * @property {Readonly<Record<string, number>>} byName
 * @property {number} configFiles how many opened or otherwise named a file `config`
 */

/**
 * Counts the calls in strace's log. A call that another thread interrupts takes two lines there and
 * counts where it starts.
 *
 * @param {string} text
 * @returns {SystemCalls}
 */
export function parseStrace(text) {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.includes(begin));
  const last = lines.findLastIndex((line) => line.includes(end));
  if (first === -1 || last === -1) throw new Error('the traced program left no marks');
  /** @type {Record<string, number>} */
  const byName = {};
  let total = 0;
  let configFiles = 0;
  for (const line of lines.slice(first + 1, last)) {
    const name = /^\d+\s+(\w+)\(/.exec(line)?.[1];
    if (name === undefined) continue;
    byName[name] = (byName[name] ?? 0) + 1;
    total++;
    if (/"(?:[^"]*\/)?config"/.test(line)) configFiles++;
  }
  return { total, byName, configFiles };
}

/**
 * Runs a program under strace.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
export function countSystemCalls(command, args) {
  try {
    const options = ['-f', '-qq', '-e', 'signal=none', '-s', '200', '-o', log];
    execFileSync('strace', [...options, command, ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return parseStrace(readFileSync(log, 'utf8'));
  } finally {
    rmSync(log, { force: true });
  }
}
