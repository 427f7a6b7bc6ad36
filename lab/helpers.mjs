// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The two small C programs of the lab: guard (on the host) and supervise (in the guest).

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { contentKey, folderContent, install } from './cache.mjs';
import { LabError } from './lab-error.mjs';
import { Steps } from './step.mjs';

const sources = join(import.meta.dirname, 'helpers');

/** @type {string | undefined} */
let version;

/** The compiler's first line: its name, the distribution's build and its version. */
export function compilerVersion() {
  if (version === undefined) {
    const run = spawnSync('gcc', ['--version'], { encoding: 'utf8' });
    if (run.status !== 0)
      throw new LabError('the lab needs a C compiler: run `node lab/build.mjs`');
    version = /** @type {string} */ (run.stdout.split('\n')[0]);
  }
  return version;
}

/**
 * Where the helpers are or will be.
 * @param {string} cache
 */
export function helpersDir(cache) {
  return join(cache, `helpers-${contentKey(compilerVersion(), ...folderContent(sources))}`);
}

/**
 * Build the helpers, once. The caller holds the build lock.
 * @param {string} cache
 */
export async function buildHelpers(cache) {
  const dir = helpersDir(cache);
  if (existsSync(dir)) return dir;
  const steps = new Steps(join(cache, 'logs', 'helpers.log'));
  await install(dir, async (temporary) => {
    for (const name of ['guard', 'supervise']) {
      const flags = ['-O2', '-Wall', '-Wextra', '-static', '-s'];
      await steps.run('gcc', [...flags, '-o', join(temporary, name), join(sources, `${name}.c`)]);
    }
  });
  return dir;
}
