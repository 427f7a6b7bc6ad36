// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The kernel as processes of the host: its channels, its time limit, its end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** @import { Readable } from 'node:stream' */
/** @import { Lab } from './build.mjs' */

/**
 * @typedef {object} Output
 * @property {boolean} inherit
 * @property {((chunk: Buffer) => void) | undefined} onStdout
 * @property {((chunk: Buffer) => void) | undefined} onStderr
 */

/**
 * @typedef {object} Machine
 * @property {Lab} lab
 * @property {string} runDir
 * @property {string} memory where the file of the guest's memory goes
 * @property {number} memoryMiB
 * @property {string[]} disks
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
 * The kernel's own console is file descriptor 2; descriptors 3 and 4 carry the command's output.
 * @param {Machine} machine
 */
function kernelArguments(machine) {
  const { runDir, memoryMiB, disks } = machine;
  return [
    `mem=${memoryMiB}M`,
    ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'],
    `init=${runDir}/init.sh`,
    `labrun=${runDir}`,
    ...[`uml_dir=${runDir}/`, 'umid=uml'],
    // The driver is built in and would make a dummy0 by itself.
    'dummy.numdummies=0',
    ...['con=null', 'con0=null,fd:2', 'con1=null,fd:3', 'con2=null,fd:4', 'ssl=null'],
    ...disks,
  ];
}

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
 * Boot the kernel and wait for its end, or bring it about.
 * @param {Machine} machine
 * @returns {Promise<Ended>}
 */
export async function runKernel(machine) {
  const { lab, output, signal, timeoutMs } = machine;
  const start = performance.now();
  const own = [String(process.pid), machine.runDir, lab.linux];
  const guard = spawn(lab.guard, [...own, ...kernelArguments(machine)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    cwd: machine.runDir,
    env: { PATH: '/usr/bin:/bin', TMPDIR: machine.memory, HOME: machine.runDir },
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
    // The guard kills every process of the kernel and only then ends.
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
