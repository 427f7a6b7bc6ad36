// @ts-check
// What runs inside the lab: DEVICES PROGRAMS UDEVADM CAPTURE. Its rows are the one line on stdout, and
// the host that it made is in the file CAPTURE.
import { execFileSync } from 'node:child_process';
import { release } from 'node:os';
import { join } from 'node:path';
import { inventoryRows } from './inventory-rows.mjs';
import { VdpaHost } from './library.mjs';
import { netlinkRows } from './netlink-rows.mjs';
import { planOf } from './plan.mjs';
import { resolveRows } from './resolve-rows.mjs';
import { systemCallRows } from './system-call-rows.mjs';
import { watchRows } from './watch-rows.mjs';

if (process.env['VDPA_LAB'] !== '1') throw new Error('this runs inside the lab: npm run bench');
const [devices = '', programs = '', udevadm = '', capture = ''] = process.argv.slice(2);
const plan = planOf(Number(devices), programs, udevadm);

// Elsewhere, so that what it leaves on the heap is not in the figures.
execFileSync(
  process.execPath,
  [join(import.meta.dirname, 'programs/create-devices.mjs'), devices],
  { stdio: 'inherit' },
);
const parts = plan.resolveOnly
  ? [resolveRows]
  : [netlinkRows, inventoryRows, systemCallRows, resolveRows];
if (plan.judged) {
  const host = await VdpaHost.open();
  await host.capture(capture, { force: true });
  await host.close();
}
if (!plan.resolveOnly) parts.push(watchRows);
const rows = [];
for (const part of parts) {
  const started = performance.now();
  rows.push(...(await part(plan)));
  const seconds = (performance.now() - started) / 1000;
  console.error(`${devices} devices: ${part.name} in ${seconds.toFixed(1)} s`);
}
console.log(JSON.stringify({ kernel: release(), rows }));
