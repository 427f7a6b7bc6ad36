import { DeviceSpec, Tracker } from './bench/library.mjs';
import { reportOf, request, spec } from './bench/tracked-devices.mjs';

const store = {
  open: async () => ({ epoch: 'n', revision: 0, state: { devices: [], claims: [], fence: 0 } }),
  commit: async (c) => c.map(() => ({ committed: true, revision: 1 })),
  changes: async () => null,
  close: async () => {},
};
const tracker = await Tracker.open(store, DeviceSpec.parse(spec));
await tracker.sync({ devices: reportOf(1000), cells: null });
const run = async (n) => {
  const t = process.cpuUsage().user;
  for (let i = 0; i < n; i++) {
    const { id } = await tracker.claim({ instance: 'i', requests: [request()] });
    await tracker.release({ claim: id });
  }
  return (process.cpuUsage().user - t) / n;
};
await run(20000);
const xs = [];
for (let i = 0; i < 15; i++) xs.push(await run(4000));
xs.sort((a, b) => a - b);
console.error(xs[0].toFixed(1), xs[7].toFixed(1));
