// @ts-check
import { join } from 'node:path';
import { DeviceSpec, InstanceOperations, SqliteStore, Tracker } from './library.mjs';
import { row } from './row.mjs';
import { median, timed } from './statistics.mjs';
import { diskFolder } from './store-storm.mjs';
import { reportOf, request, spec } from './tracked-devices.mjs';

/** @import { ClaimId, InstanceId } from '../src/index.js' */

const claims = 1000;
const rounds = 5;

/** A store whose agent was killed with an operation of each instance under way. @param {string} file @param {string} step */
async function leftBy(file, step) {
  const tracker = await Tracker.open(new SqliteStore(file), DeviceSpec.parse(spec));
  await tracker.sync({ devices: reportOf(claims), cells: null });
  await Promise.all(
    Array.from({ length: claims }, async (_, index) => {
      const instance = /** @type {InstanceId} */ (`instance-${index}`);
      const id = /** @type {ClaimId} */ (`claim-${index}`);
      const detail = { claim: id, interfaces: [], guest: null };
      await tracker.setOperation(instance, null, { instance, kind: 'boot', step, detail });
      await tracker.claim({ id, instance, requests: [request()] });
    }),
  );
  await tracker.close();
}

/** Until all that was under way is settled, in ms. @param {string} file @param {string} state */
async function recovered(file, state) {
  /** @type {import('../src/index.js').Tracker | undefined} */
  let tracker;
  const ms = await timed(async () => {
    tracker = await Tracker.open(new SqliteStore(file), DeviceSpec.parse(spec));
    await tracker.sync({ devices: reportOf(claims), cells: null });
    // What was never in a guest needs neither the host nor a driver.
    const host = /** @type {never} */ ({ tracker });
    const operations = new InstanceOperations(host, { place: () => null });
    const all = await operations.resumeOperations();
    const wrong = all.filter((one) => one.state !== state);
    if (all.length !== claims || wrong.length > 0) throw new Error(`not ${state}: ${wrong.length}`);
  });
  await tracker?.close();
  return ms;
}

/**
 * What an agent's start takes after a kill. Outside the lab: none of it asks the kernel.
 *
 * @param {string} path a folder on a disk
 */
export async function recoveryRows(path) {
  const folder = diskFolder(path);
  const rows = [];
  for (const [step, state] of [
    ['prepared', 'kept'],
    ['claim', 'undone'],
  ]) {
    const times = [];
    for (let round = 0; round < rounds; round++) {
      const file = join(folder, `${step}-${round}`);
      await leftBy(file, step ?? '');
      times.push(await recovered(file, state ?? ''));
    }
    rows.push(
      row({
        name: `recovery of ${claims} claims with an operation each, ${state}`,
        devices: claims,
        unit: 'ms',
        ours: median(times),
        theirs: null,
        figure: median(times),
        figureUnit: 'ms',
        budget: null,
      }),
    );
  }
  return rows;
}
