// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Debian packages that a script needs.

import { spawnSync } from 'node:child_process';

/** The machine lacks packages that could not be installed. The message is for people. */
class PackagesError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'PackagesError';
  }
}

const OPTIONS = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];

/**
 * The packages that are not installed.
 * @param {string[]} names
 */
function missingPackages(names) {
  const query = spawnSync(
    'dpkg-query',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format
    ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names],
    {
      encoding: 'utf8',
    },
  );
  if (query.error) {
    throw new PackagesError(
      `needs a Debian system: dpkg-query does not run (${query.error.message})`,
    );
  }
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** @param {string[]} args */
function aptGet(args) {
  const run = spawnSync('apt-get', [...OPTIONS, ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  return { ok: run.status === 0, output: `${run.stdout ?? ''}${run.stderr ?? ''}` };
}

/**
 * Make the machine's package lists known to apt. Only root can.
 * @returns {boolean} whether it worked
 */
export function updateLists() {
  return process.getuid?.() === 0 && aptGet(['update']).ok;
}

/**
 * Install what is missing. Root installs; everybody else is told, in one line, what to run.
 * @param {string[]} names
 * @param {string} why what needs them, for the messages
 * @param {(message: string) => void} [say]
 * @throws {PackagesError}
 */
export function ensurePackages(names, why, say = console.error) {
  const missing = missingPackages(names);
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid?.() !== 0) {
    throw new PackagesError(
      `${why} needs packages: run \`sudo apt-get install -y --no-install-recommends ${list}\``,
    );
  }
  say(`installing packages for ${why}: ${list}`);
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  let result = aptGet(install);
  if (!result.ok && aptGet(['update']).ok) result = aptGet(install);
  if (!result.ok) {
    const end = result.output.trimEnd().split('\n').slice(-5).join('\n');
    throw new PackagesError(`cannot install ${list} for ${why}:\n${end}`);
  }
}
