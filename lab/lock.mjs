// SPDX-License-Identifier: Apache-2.0
// @ts-check
// A lock between processes which the kernel itself releases when the holder dies.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { LabError } from './lab-error.mjs';

/**
 * flock(1) holds the lock as long as its command runs, and the command is a `cat` that reads from
 * us: when this process ends, by whatever signal, `cat` sees the end of its input and the lock is
 * free. So there is no stale lock to recognise.
 *
 * @param {string} file
 * @param {boolean} wait
 * @returns {Promise<(() => Promise<void>) | undefined>} how to release it; undefined: held by another
 */
async function acquire(file, wait) {
  const options = wait ? ['--exclusive'] : ['--exclusive', '--nonblock'];
  const holder = spawn('flock', [...options, file, 'sh', '-c', 'echo held && exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  const answer = await Promise.race([once(holder.stdout, 'data'), ended]);
  if (String(answer[0]).startsWith('held')) {
    return async () => {
      holder.stdin.end();
      await ended;
    };
  }
  if (!wait && answer[0] === 1) return undefined;
  throw new LabError(`cannot lock ${file}: flock ended with ${answer[0] ?? answer[1]}`);
}

/**
 * Run `work` while no other process runs its own under the same file.
 * @template T
 * @param {string} file
 * @param {(message: string) => void} say
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, say, work) {
  mkdirSync(dirname(file), { recursive: true });
  let release = await acquire(file, false);
  if (!release) {
    say('another build is running in this cache: waiting for it');
    release = await acquire(file, true);
  }
  try {
    return await work();
  } finally {
    await release?.();
  }
}
