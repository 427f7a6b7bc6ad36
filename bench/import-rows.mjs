// @ts-check
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { atMost, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';

/** @param {string} program */
function timeOf(program) {
  const file = join(import.meta.dirname, 'programs', program);
  return () => {
    const started = performance.now();
    const { status } = spawnSync(process.execPath, [file], { stdio: 'inherit' });
    if (status !== 0) throw new Error(`${program} ended with ${status}`);
    return performance.now() - started;
  };
}

/** What importing the library adds to a process's start. Needs no lab. */
export async function importRows() {
  const both = compare(await alternate(25, timeOf('import.mjs'), timeOf('empty.mjs')));
  return [
    row({
      name: "import 'vdpa-host' / an empty module",
      devices: 0,
      unit: 'ms',
      ours: both.ours,
      theirs: both.theirs,
      figure: both.difference,
      figureUnit: 'ms more',
      budget: atMost(25),
    }),
  ];
}
