// @ts-check
import { join } from 'node:path';
import { atLeast, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';
import { BareStorm, diskFolder, StoreStorm } from './store-storm.mjs';
import { countSystemCalls } from './system-calls.mjs';

const manyLanes = 64;

/**
 * Milliseconds of one step of all lanes, with the store and bare.
 *
 * @param {string} folder
 * @param {number} lanes
 * @param {number} steps of one measurement
 */
async function measure(folder, lanes, steps) {
  const ours = new StoreStorm(join(folder, `ours-${lanes}`), lanes);
  await ours.open();
  const theirs = await BareStorm.make(join(folder, `bare-${lanes}`), lanes);
  try {
    return compare(
      await alternate(
        21,
        async () => {
          const started = performance.now();
          await ours.run(steps);
          return (performance.now() - started) / steps;
        },
        () => {
          const started = performance.now();
          theirs.run(steps);
          return (performance.now() - started) / steps;
        },
      ),
    );
  } finally {
    await ours.close();
    theirs.close();
  }
}

/**
 * What the durable store costs beside SQLite itself, on the file system of a folder. Outside the lab,
 * whose one processor the store's thread and its caller would share.
 *
 * @param {string} path
 */
export async function storeRows(path) {
  const folder = diskFolder(path);
  const one = await measure(folder, 1, 100);
  const many = await measure(folder, manyLanes, 20);
  const steps = 50;
  const { byName } = countSystemCalls(process.execPath, [
    join(import.meta.dirname, 'programs/traced-store.mjs'),
    join(folder, 'traced'),
    String(manyLanes),
    String(steps),
  ]);
  const syncs = (byName['fdatasync'] ?? 0) + (byName['fsync'] ?? 0);
  /** @param {number} ms */
  const rate = (ms) => (manyLanes / ms) * 1000;
  return [
    row({
      name: 'durable commit, one in flight / a bare transaction',
      devices: 1,
      unit: 'us',
      ours: one.ours * 1000,
      theirs: one.theirs * 1000,
      figure: one.ratio,
      figureUnit: 'x',
      budget: null,
    }),
    row({
      name: `durable commits, ${manyLanes} in flight / ${manyLanes} to a bare transaction`,
      devices: manyLanes,
      unit: '/s',
      ours: rate(many.ours),
      theirs: rate(many.theirs),
      figure: many.speedup,
      figureUnit: 'x',
      budget: atLeast(0.5),
    }),
    row({
      name: `durable commits for each sync, ${manyLanes} in flight`,
      devices: manyLanes,
      unit: 'syncs',
      ours: syncs,
      theirs: null,
      figure: (manyLanes * steps) / syncs,
      figureUnit: 'commits',
      budget: atLeast(16),
    }),
  ];
}
