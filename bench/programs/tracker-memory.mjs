// @ts-check
// Prints what 2,000 tracked devices take of the heap and beside it, and what 10,000 re-syncs add.
import { DeviceSpec, Tracker } from '../library.mjs';
import { reportOf, spec } from '../tracked-devices.mjs';

const devices = 2000;
const resyncs = 10_000;

const { gc } = globalThis;
if (gc === undefined) throw new Error('run with --expose-gc');
const used = () => {
  for (let i = 0; i < 5; i++) gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const store = {
  open: async () => ({
    epoch: 'none',
    revision: 0,
    state: { devices: [], claims: [], operations: [], fence: 0 },
  }),
  commit: async (/** @type {readonly unknown[]} */ changes) =>
    changes.map(() => /** @type {const} */ ({ committed: true, revision: 1 })),
  changes: async () => null,
  close: async () => {},
};
const tracker = await Tracker.open(store, DeviceSpec.parse(spec));
// What is loaded and compiled on the way is not the devices'.
await tracker.sync({ devices: reportOf(devices), cells: null });
await tracker.sync({ devices: [], cells: null });
const before = used();
await tracker.sync({ devices: reportOf(devices), cells: null });
const tracked = used();
const sync = async (/** @type {number} */ times) => {
  for (let i = 0; i < times; i++) await tracker.sync({ devices: reportOf(devices), cells: null });
};
// By then all is compiled that is going to be.
await sync(2500);
const start = used();
await sync(resyncs);
console.log(
  JSON.stringify({ bytes: (tracked - before) / devices, slope: (used() - start) / resyncs }),
);
