// @ts-check
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDir, contentKey, touch } from '../lab/cache.mjs';
import { filesBelow, root, StepFailed } from './steps.mjs';

/**
 * Makes what the checkout compiles, unless it has been made of the same content before: here, or in
 * another checkout of this machine, whose result the cache keeps.
 *
 * @param {string} name
 * @param {object} made
 * @param {readonly string[]} made.from files and folders of the checkout that go in
 * @param {readonly string[]} made.words all else that goes in: options, versions of tools
 * @param {readonly string[]} made.outputs files and folders of the checkout that come out
 * @param {() => Promise<void>} made.by
 */
export async function kept(name, { from, words, outputs, by }) {
  const key = await keyOf(from, words);
  const stamp = join(root, 'build/stamps', name);
  const here = (await readFile(stamp, 'utf8').catch(() => '')) === key;
  if (here && outputs.every((output) => existsSync(join(root, output)))) return;

  const folder = join(cacheDir(), `built-${name}-${key}`);
  if (existsSync(folder)) {
    touch(folder);
    for (const output of outputs) await copy(join(folder, output), join(root, output));
  } else {
    await by();
    if ((await keyOf(from, words)) !== key) {
      // Somebody is editing: what was compiled is of no one content, though newer than its sources.
      for (const file of from.flatMap(filesBelow)) touch(join(root, file));
      throw new StepFailed(`${name}: the sources changed while they were compiled; run it again`);
    }
    const temporary = `${folder}.tmp-${process.pid}`;
    for (const output of outputs) await copy(join(root, output), join(temporary, output));
    // Somebody who was faster has made the same.
    await rename(temporary, folder).catch(() => rm(temporary, { recursive: true, force: true }));
  }
  await mkdir(dirname(stamp), { recursive: true });
  await writeFile(stamp, key);
}

/** @param {readonly string[]} from @param {readonly string[]} words */
async function keyOf(from, words) {
  const files = from.flatMap(filesBelow);
  const contents = await Promise.all(files.map((file) => readFile(join(root, file))));
  return contentKey(...words, ...files.flatMap((file, i) => [file, contents[i] ?? '']));
}

/** @param {string} from @param {string} to */
async function copy(from, to) {
  await rm(to, { recursive: true, force: true });
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
}
