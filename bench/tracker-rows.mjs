// @ts-check
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { DelayWindow } from './delay-window.mjs';
import { DeviceSpec, SqliteStore, Tracker } from './library.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare, median } from './statistics.mjs';
import { BareStorm, diskFolder } from './store-storm.mjs';
import { reportOf, request, spec } from './tracked-devices.mjs';

/** @import { Store, Tracker as TrackerType } from '../src/index.js' */

const sizes = [64, 1000, 8000];
const lanes = 64;
const windowMs = 3000;

/** Keeps nothing: what is left is the decisions. @returns {Store} */
function noStore() {
  return {
    open: async () => ({
      epoch: 'none',
      revision: 0,
      state: { devices: [], claims: [], operations: [], fence: 0 },
    }),
    commit: async (changes) => changes.map(() => ({ committed: true, revision: 1 })),
    changes: async () => null,
    close: async () => {},
  };
}

/** @param {number} devices @param {Store} [store] */
async function trackerOf(devices, store = noStore()) {
  const tracker = await Tracker.open(store, DeviceSpec.parse(spec));
  await tracker.sync({ devices: reportOf(devices), cells: null });
  return tracker;
}

/** Microseconds of a loop that everybody can repeat: how fast this machine is today. */
function calibration() {
  const map = new Map();
  const started = performance.now();
  for (let i = 0; i < 10_000; i++) map.set(`key-${i % 1000}`, { i, text: `${i}` });
  return ((performance.now() - started) / 10_000) * 1000;
}

/** Microseconds of a claim and its release, one after the other. @param {TrackerType} tracker @param {number} times */
async function decisions(tracker, times) {
  const started = performance.now();
  for (let i = 0; i < times; i++) {
    const { id } = await tracker.claim({
      instance: /** @type {never} */ ('instance'),
      requests: [request()],
    });
    await tracker.release({ claim: id });
  }
  return ((performance.now() - started) / times) * 1000;
}

/** Milliseconds of a sync that changes nothing, told in objects of its own. @param {TrackerType} tracker @param {number} devices */
async function resync(tracker, devices) {
  const report = reportOf(devices);
  const started = performance.now();
  await tracker.sync({ devices: report, cells: null });
  return performance.now() - started;
}

/** @param {TrackerType} tracker @param {number} end */
async function storm(tracker, end) {
  let claims = 0;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() < end) {
        const instance = /** @type {never} */ (`instance-${lane}`);
        const { id } = await tracker.claim({ instance, requests: [request()] });
        await tracker.release({ claim: id });
        claims++;
      }
    }),
  );
  return claims;
}

/**
 * What tracking costs. Outside the lab: none of it asks the kernel.
 *
 * @param {string} path a folder on a disk
 */
export async function trackerRows(path) {
  const rows = [];
  const trackers = new Map();
  for (const devices of sizes) trackers.set(devices, await trackerOf(devices));
  const budgets = new Map([[1000, { decision: atMost(20), resync: atMost(2) }]]);
  for (const devices of sizes) {
    const tracker = trackers.get(devices);
    const decision = compare(await alternate(15, () => decisions(tracker, 2000), calibration, 5));
    rows.push(
      row({
        name: 'claim and release decided / a calibration loop',
        devices,
        unit: 'us',
        ours: decision.ours,
        theirs: decision.theirs,
        figure: decision.ours,
        figureUnit: 'us',
        budget: budgets.get(devices)?.decision ?? null,
      }),
    );
    const again = [];
    for (let round = 0; round < 30; round++) again.push(await resync(tracker, devices));
    rows.push(
      row({
        name: 're-sync of records with nothing changed',
        devices,
        unit: 'ms',
        ours: median(again.slice(5)),
        theirs: null,
        figure: median(again.slice(5)),
        figureUnit: 'ms',
        budget: budgets.get(devices)?.resync ?? null,
      }),
    );
  }
  const growth = compare(
    await alternate(
      15,
      () => decisions(trackers.get(8000), 2000),
      () => decisions(trackers.get(1000), 2000),
    ),
  );
  rows.push(
    row({
      name: 'claim and release decided, 8,000 devices / 1,000',
      devices: 8000,
      unit: 'us',
      ours: growth.ours,
      theirs: growth.theirs,
      figure: growth.ratio,
      figureUnit: 'x',
      budget: atMost(2),
    }),
  );
  for (const tracker of trackers.values()) await tracker.close();
  const folder = diskFolder(path);
  rows.push(await oneInFlightRow(folder), ...(await stormRows(folder)), ...memoryRows());
  return rows;
}

/**
 * One durable claim or release at a time, of a device whose PF nobody admits: the same rows as bare.
 *
 * @param {string} folder
 */
async function oneInFlightRow(folder) {
  const tracker = await Tracker.open(new SqliteStore(join(folder, 'one')), DeviceSpec.parse(spec));
  const bare = await BareStorm.make(join(folder, 'one-bare'), 1);
  try {
    const [device] = reportOf(1).filter(({ type }) => type === 'vdpa');
    if (device === undefined) throw new Error('the report has no device');
    await tracker.sync({ devices: [device], cells: null });
    const times = 100;
    const one = compare(
      await alternate(
        21,
        async () => (await decisions(tracker, times)) / 2,
        () => {
          const started = performance.now();
          bare.run(times);
          return ((performance.now() - started) / times) * 1000;
        },
      ),
    );
    return row({
      name: 'durable claim or release, one in flight / a bare transaction of the same rows',
      devices: 1,
      unit: 'us',
      ours: one.ours,
      theirs: one.theirs,
      figure: one.ratio,
      figureUnit: 'x',
      budget: atMost(1.3),
    });
  } finally {
    await tracker.close();
    bare.close();
  }
}

/** @param {string} folder */
async function stormRows(folder) {
  const file = join(folder, 'storm');
  const tracker = await trackerOf(1000, new SqliteStore(file));
  try {
    await storm(tracker, performance.now() + 1000);
    let claims = 0;
    const busy = new DelayWindow(async (end) => {
      claims += await storm(tracker, end);
    }, windowMs);
    const idle = new DelayWindow(
      (end) => new Promise((resolve) => setTimeout(resolve, end - performance.now())),
      windowMs,
    );
    const p99 = compare(
      await alternate(
        7,
        () => busy.p99(),
        () => idle.p99(),
        0,
      ),
    );
    return [
      row({
        name: `event-loop delay p99, durable claims and releases, ${lanes} in flight / idle`,
        devices: 1000,
        unit: 'ms',
        ours: p99.ours,
        theirs: p99.theirs,
        figure: p99.difference,
        figureUnit: 'ms more',
        budget: atMost(5),
      }),
      row({
        name: `durable claims and their releases, ${lanes} in flight`,
        devices: 1000,
        unit: '/s',
        ours: claims / ((windowMs / 1000) * 7),
        theirs: null,
        figure: claims / ((windowMs / 1000) * 7),
        figureUnit: '/s',
        budget: null,
      }),
    ];
  } finally {
    await tracker.close();
  }
}

/** In a process of its own, whose collector can be called. */
function memoryRows() {
  const program = join(import.meta.dirname, 'programs/tracker-memory.mjs');
  const { bytes, slope } = JSON.parse(
    execFileSync(process.execPath, ['--expose-gc', program], { encoding: 'utf8' }),
  );
  return [
    row({
      name: 'memory of a tracked device',
      devices: 2000,
      unit: 'B',
      ours: bytes,
      theirs: null,
      figure: bytes,
      figureUnit: 'B',
      budget: atMost(4096),
    }),
    row({
      name: 'memory gained by a re-sync, over 10,000',
      devices: 2000,
      unit: 'B',
      ours: slope,
      theirs: null,
      figure: slope,
      figureUnit: 'B',
      budget: atMost(16),
    }),
  ];
}
