// SPDX-License-Identifier: Apache-2.0
// @ts-check
// A machine as processes of the host: its channels, its time limit, its end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** @import { Readable } from 'node:stream' */
/** @import { Launch } from './machine.mjs' */

/**
 * @typedef {object} Output
 * @property {boolean} inherit
 * @property {((chunk: Buffer) => void) | undefined} onStdout
 * @property {((chunk: Buffer) => void) | undefined} onStderr
 */

/**
 * @typedef {object} Boot
 * @property {string} guard the helper
 * @property {Launch} launch the machine's program
 * @property {string} runDir
 * @property {number} timeoutMs
 * @property {AbortSignal | undefined} signal
 * @property {Output} output
 */

/**
 * @typedef {object} Ended
 * @property {Buffer} stdout
 * @property {Buffer} stderr
 * @property {string} kernelLog
 * @property {'timeout' | 'abort' | null} cut why the runner ended it
 * @property {number | null} code of the kernel process
 * @property {number} elapsedMs
 */

/** A kernel that prints without end must not take the runner's memory. */
const KERNEL_LOG_LIMIT = 8 << 20;

/**
 * @param {Readable} stream
 * @param {((chunk: Buffer) => void) | undefined} listener
 * @param {NodeJS.WriteStream | false} target
 */
function follow(stream, listener, target) {
  /** @type {Buffer[]} */
  const chunks = [];
  stream.on('data', (/** @type {Buffer} */ chunk) => {
    listener?.(chunk);
    if (!target) {
      chunks.push(chunk);
      return;
    }
    // A slow reader slows the guest down instead of filling our memory.
    if (!target.write(chunk)) {
      stream.pause();
      target.once('drain', () => stream.resume());
    }
  });
  return chunks;
}

/** @param {Readable[]} streams */
function followLog(streams) {
  let text = '';
  for (const stream of streams) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ chunk) => {
      text = (text + chunk).slice(-KERNEL_LOG_LIMIT);
    });
  }
  return () => text.replaceAll('\r\n', '\n');
}

/**
 * Boot a machine and wait for its end, or bring it about.
 * @param {Boot} options
 * @returns {Promise<Ended>}
 */
export async function boot({ guard: program, launch, runDir, timeoutMs, signal, output }) {
  const start = performance.now();
  const guard = spawn(program, [String(process.pid), runDir, ...launch.argv], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    cwd: runDir,
    env: { PATH: '/usr/bin:/bin', HOME: runDir, ...launch.env },
  });
  const [, log1, log2, out, err] = /** @type {(Readable)[]} */ (
    /** @type {unknown} */ (guard.stdio)
  );
  if (!log1 || !log2 || !out || !err) throw new TypeError('spawn made no pipes');
  const kernelLog = followLog([log1, log2]);
  const stdout = follow(out, output.onStdout, output.inherit && process.stdout);
  const stderr = follow(err, output.onStderr, output.inherit && process.stderr);

  /** @type {Ended['cut']} */
  let cut = null;
  const end = (/** @type {'timeout' | 'abort'} */ reason) => {
    cut ??= reason;
    // The guard kills every process of the machine and only then ends.
    guard.kill('SIGTERM');
  };
  const timer = timeoutMs > 0 ? setTimeout(end, timeoutMs, 'timeout') : undefined;
  const onAbort = () => end('abort');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const [code] = /** @type {[number | null]} */ (await once(guard, 'close'));
    return {
      stdout: Buffer.concat(stdout),
      stderr: Buffer.concat(stderr),
      kernelLog: kernelLog(),
      cut,
      code,
      elapsedMs: performance.now() - start,
    };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
