// @ts-check
import { execFileSync } from 'node:child_process';

/**
 * What `vdpa -j WHAT show` prints, made into objects.
 *
 * @param {'dev' | 'mgmtdev'} what
 * @returns {Record<string, any>}
 */
export function vdpaShow(what) {
  const options = /** @type {const} */ ({ encoding: 'utf8', maxBuffer: 64 << 20 });
  return JSON.parse(execFileSync('vdpa', ['-j', what, 'show'], options))[what];
}
