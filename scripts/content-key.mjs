// @ts-check
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root } from './steps.mjs';

/**
 * A hash of the files (directories with all below them) and words that an output depends on.
 *
 * @param {readonly string[]} paths relative to the checkout
 * @param {readonly string[]} words
 */
export async function contentKey(paths, words) {
  const hash = createHash('sha256');
  for (const word of words) hash.update(`${word}\0`);
  for (const path of paths) {
    for (const file of await filesBelow(path)) {
      hash.update(`${file}\0`).update(await readFile(join(root, file)));
    }
  }
  return hash.digest('hex');
}

/**
 * Does the work unless the same content has already been through it.
 *
 * @param {string} stamp file below build/ that remembers the key
 * @param {string} key
 * @param {() => Promise<void>} work
 */
export async function unlessDone(stamp, key, work) {
  const file = join(root, 'build', 'stamps', stamp);
  const done = await readFile(file, 'utf8').catch(() => '');
  if (done === key) return;
  await work();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, key);
}

/** @param {string} path @returns {Promise<string[]>} */
async function filesBelow(path) {
  const entries = await readdir(join(root, path), { withFileTypes: true }).catch(() => null);
  if (entries === null) return [path];
  const nested = await Promise.all(
    entries
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((entry) => {
        const child = `${path}/${entry.name}`;
        return entry.isDirectory() ? filesBelow(child) : [child];
      }),
  );
  return nested.flat();
}
