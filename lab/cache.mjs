// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The cache: folders named by the hash of what went into them, complete or absent.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { LabError } from './lab-error.mjs';

const UNUSED_DAYS = 30;

/** The checkout this file is in. */
export const checkout = dirname(import.meta.dirname);

/** @param {NodeJS.ProcessEnv} [env] */
export function cacheDir(env = process.env) {
  const { VDPA_HOST_CACHE: own, XDG_CACHE_HOME: xdg } = env;
  if (own) {
    if (!isAbsolute(own)) throw new LabError(`VDPA_HOST_CACHE must be an absolute path: ${own}`);
    return own;
  }
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'vdpa-host');
}

/**
 * A short name for a content. Every part counts with its length, so parts cannot run together.
 * @param {...(string | Buffer)} parts
 */
export function contentKey(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

/**
 * The files of a folder with their names, as parts for contentKey.
 * @param {string} dir
 */
export function folderContent(dir) {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => [name, readFileSync(join(dir, name))]);
}

/**
 * Make folder `dir` by `fill`, which gets an empty sibling of it: `dir` is complete or not there.
 * The caller holds the build lock.
 * @param {string} dir
 * @param {(temporary: string) => Promise<void>} fill
 */
export async function install(dir, fill) {
  const temporary = `${dir}.tmp-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    await fill(temporary);
    rmSync(dir, { recursive: true, force: true });
    renameSync(temporary, dir);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * Remove what interrupted builds left behind and what nobody has used for a long time. The caller
 * holds the build lock, so no temporary folder is in use.
 * @param {string} cache
 */
export function sweepCache(cache) {
  if (!existsSync(cache)) return;
  const old = Date.now() - UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    const locked = /^(?:kernel|nic|helpers|suite)-/.test(name);
    const ours = locked || name.startsWith('built-');
    const unused = ours && statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if ((locked && name.includes('.tmp-')) || (unused && unused < old)) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/**
 * Note that an artifact is in use, for sweepCache. A read-only cache is fine.
 * @param {string} path
 */
export function touch(path) {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Another user's cache: that user's builds keep it.
  }
}
