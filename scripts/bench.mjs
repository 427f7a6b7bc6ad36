// @ts-check
// npm run bench: measures in the lab what the library is promised to cost, as ratios, and says which
// budgets are missed. --json prints the results; --output FILE says where they go.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { eventLoopRows } from '../bench/event-loop-rows.mjs';
import { importRows } from '../bench/import-rows.mjs';
import { fullSize, sizes } from '../bench/plan.mjs';
import { recoveryRows } from '../bench/recovery-rows.mjs';
import { resolveGrowthRows } from '../bench/resolve-growth.mjs';
import { missed } from '../bench/row.mjs';
import { storeRows } from '../bench/store-rows.mjs';
import { renderTable } from '../bench/table.mjs';
import { trackerRows } from '../bench/tracker-rows.mjs';
import { ensureLab } from '../lab/build.mjs';
import { cacheDir } from '../lab/cache.mjs';
import { ensureQemu } from '../lab/guest/qemu.mjs';
import { ensureLibvirt } from '../lab/libvirt/libvirt.mjs';
import { runInLab } from '../lab/run.mjs';
import { machineRelease, unpackFromSuite } from '../lab/suites.mjs';
import { ensurePackages } from './apt.mjs';
import { ensureBuilt } from './products.mjs';
import { part, root, run, StepFailed, script } from './steps.mjs';

/** @import { Row } from '../bench/row.mjs' */

const programs = join(root, 'build/bench');
/** The host of the full size, for what is measured outside the lab. */
const capture = join(programs, 'host.tar.gz');
const keptBytes = String(256 << 20);
const suite = join(root, 'bench/suite.mjs');
const guestSuite = join(root, 'bench/guest-suite.mjs');

/** The C programs, static: in the lab a dynamic one takes ten times as long to start. */
async function compilePrograms() {
  await ensurePackages(['gcc', 'libc6-dev', 'linux-libc-dev', 'strace'], 'to measure');
  mkdirSync(programs, { recursive: true });
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-static', '-pthread'];
  for (const name of ['netlink_dump', 'known_calls', 'uevent_listen']) {
    await run('gcc', [...flags, '-o', join(programs, name), join(root, `bench/c/${name}.c`)]);
  }
}

/** The peer of a watch, unpacked only: on many machines nothing needs it. */
async function unpackUdevadm() {
  const { env } = await unpackFromSuite(machineRelease(), ['udev']);
  const file = env.PATH.split(':')
    .map((folder) => join(folder, 'udevadm'))
    .find((path) => existsSync(path));
  if (file === undefined) throw new StepFailed('the package udev has no udevadm');
  return file;
}

/**
 * Rows that are measured in a lab of their own.
 *
 * @param {readonly string[]} program with its arguments
 * @param {Record<string, number>} nic
 * @returns {Promise<{ kernel: string, rows: Row[] }>}
 */
async function measure(program, nic) {
  const { status, error, stdout } = await runInLab([process.execPath, ...program], {
    nic,
    autoprobe: false,
    memoryMiB: 3072,
    // A page fault takes some 65 us here. So that the figures are not about those, the allocators of
    // all sides keep the memory that they are given back.
    env: {
      MALLOC_TRIM_THRESHOLD_: keptBytes,
      MALLOC_MMAP_THRESHOLD_: keptBytes,
      // Its HOME is not ours, and QEMU lies in our cache.
      VDPA_HOST_CACHE: cacheDir(),
    },
    timeoutMs: 600_000,
    onStderr: (chunk) => process.stderr.write(chunk),
  });
  if (error !== null) throw new StepFailed(error);
  if (status !== 0) throw new StepFailed(`the benchmarks in the lab ended with ${status}`);
  return JSON.parse(stdout);
}

await script(async () => {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      output: { type: 'string', default: join(root, 'build/bench.json') },
    },
  });
  await part('build', async () => {
    await ensureBuilt();
    await compilePrograms();
  });
  const udevadm = await part('lab', async () => {
    await ensureLab();
    await ensureQemu('release');
    await ensureLibvirt('release');
    return await unpackUdevadm();
  });
  let kernel = '';
  /** @type {Row[]} */
  const rows = [];
  for (const devices of sizes) {
    await part(`${devices} devices`, async () => {
      const program = [suite, String(devices), programs, udevadm, capture];
      const measured = await measure(program, { npf: 8, totalvfs: 255 });
      kernel = measured.kernel;
      rows.push(...measured.rows);
    });
  }
  await part('guests', async () => {
    rows.push(...(await measure([guestSuite], { npf: 2, totalvfs: 16 })).rows);
  });
  await part('event loop', async () => {
    rows.push(...(await eventLoopRows(capture, fullSize)));
  });
  await part('store', async () => {
    rows.push(...(await storeRows(join(root, 'build/bench/stores'))));
  });
  await part('tracker', async () => {
    rows.push(...(await trackerRows(join(root, 'build/bench/stores'))));
  });
  await part('recovery', async () => {
    rows.push(...(await recoveryRows(join(root, 'build/bench/stores'))));
  });
  await part('import', async () => {
    rows.push(...(await importRows()));
  });
  rows.push(...resolveGrowthRows(rows));

  const results = {
    node: process.version,
    labKernel: kernel,
    hostKernel: release(),
    rows: rows.toSorted((a, b) => a.name.localeCompare(b.name) || a.devices - b.devices),
  };
  const text = `${JSON.stringify(results, null, 2)}\n`;
  const file = resolve(values.output);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);

  const table = renderTable(results.rows);
  if (values.json) process.stdout.write(text);
  else console.log(`\nNode ${results.node}, lab kernel ${kernel}\n\n${table}`);
  console.error(`\nResults: ${relative(process.cwd(), file)}`);
  const failures = missed(rows);
  for (const { name, devices } of failures) console.error(`MISSED ${name} (${devices} devices)`);
  if (failures.length > 0) process.exitCode = 1;
});
