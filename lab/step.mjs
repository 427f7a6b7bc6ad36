// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The steps of a build: programs whose output goes to a log, and a few lines for the reader.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LabError } from './lab-error.mjs';

const started = performance.now();
const LAST_LINES = 15;

/**
 * One line of progress, with the seconds since the start.
 * @param {string} message
 */
export function say(message) {
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stderr.write(`[${String(seconds).padStart(4)} s] ${message}\n`);
}

/** A log file and the programs that write to it. */
export class Steps {
  /**
   * @param {string} log path of the log file; emptied
   * @param {string} [guard] the helper that ends a program, with all it started, when we die
   */
  constructor(log, guard) {
    mkdirSync(dirname(log), { recursive: true });
    writeFileSync(log, '');
    this.log = log;
    this.guard = guard;
  }

  /**
   * Run a program to its end; throw, with the end of the log, unless it succeeds.
   * @param {string} program
   * @param {string[]} args
   * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
   */
  async run(program, args, options = {}) {
    appendFileSync(this.log, `\n$ ${[program, ...args].join(' ')}\n`);
    const [command, ...rest] = this.guard
      ? [this.guard, String(process.pid), '-', program, ...args]
      : [program, ...args];
    const log = openSync(this.log, 'a');
    try {
      const child = spawn(/** @type {string} */ (command), rest, {
        ...options,
        stdio: ['ignore', log, log],
      });
      const [code, signal] = await once(child, 'close');
      if (code !== 0) throw this.failure(`${program} failed (${signal ?? code})`);
    } finally {
      closeSync(log);
    }
  }

  /**
   * An error that shows where the log is, and its end.
   * @param {string} message
   */
  failure(message) {
    const lines = readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-LAST_LINES);
    return new LabError(`${message}; the log is ${this.log} and ends with:\n${lines.join('\n')}`);
  }
}
