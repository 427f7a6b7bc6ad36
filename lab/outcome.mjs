// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What a kernel that has ended means for the command in it.

import { constants } from 'node:os';

/** @import { Ended } from './boot.mjs' */
/** @import { LabResult } from './run.mjs' */

const LAST_LINES = 25;

/** @param {number} number @returns {NodeJS.Signals | null} */
function signalName(number) {
  const entry = Object.entries(constants.signals).find(([, value]) => value === number);
  return entry ? /** @type {NodeJS.Signals} */ (entry[0]) : null;
}

/**
 * The end of the kernel's log, for an error message.
 * @param {string} log
 */
export function lastLines(log) {
  return log.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
}

/**
 * Why the kernel ended before the command did.
 * @param {Ended} ended
 */
function failure(ended) {
  const panic = /Kernel panic - not syncing: .*/.exec(ended.kernelLog)?.[0];
  if (panic) return `the lab's kernel died: ${panic}`;
  const init = /\] (lab: .*)/.exec(ended.kernelLog)?.[1];
  if (init) return `the lab did not start: ${init}`;
  return `the lab's kernel ended (${ended.code}) without a result of the command`;
}

/**
 * @param {Ended} ended
 * @param {string} result what supervise wrote: "exit N", "signal N" or nothing
 * @param {number} timeoutMs
 * @returns {LabResult}
 */
export function outcome(ended, result, timeoutMs) {
  const [, kind, digits] = /^(exit|signal) (\d+)$/.exec(result) ?? [];
  const number = Number(digits);
  const common = {
    stdout: ended.stdout.toString('utf8'),
    stderr: ended.stderr.toString('utf8'),
    stdoutBytes: ended.stdout,
    stderrBytes: ended.stderr,
    kernelLog: ended.kernelLog,
    elapsedMs: ended.elapsedMs,
    timedOut: false,
    aborted: false,
    signal: null,
    error: null,
  };
  // A command that had ended before the axe fell has its status all the same.
  if (kind === 'exit') return { ...common, status: number };
  if (kind === 'signal') return { ...common, status: 128 + number, signal: signalName(number) };
  if (ended.cut === 'timeout') {
    const error = `the time limit of ${timeoutMs / 1000} s ended the lab`;
    return { ...common, status: 124, timedOut: true, error };
  }
  if (ended.cut === 'abort') {
    return { ...common, status: 130, aborted: true, error: 'the run was aborted' };
  }
  return { ...common, status: 125, error: failure(ended) };
}
