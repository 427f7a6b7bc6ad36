// @ts-check
// npm test: everything, each fault at least once. npm run test:long: the stated counts as well.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureLab } from '../lab/build.mjs';
import { cacheDir } from '../lab/cache.mjs';
import { ensureGuest } from '../lab/guest/guest.mjs';
import { ensureQemu } from '../lab/guest/qemu.mjs';
import { ensureLibvirt } from '../lab/libvirt/libvirt.mjs';
import { lastLines } from '../lab/outcome.mjs';
import { runInLab } from '../lab/run.mjs';
import { checkNodeVersions } from './node-versions.mjs';
import { ensureAddon, ensureBuilt, ensureExample, ensureNativeTests } from './products.mjs';
import { part, printTimes, root, run, StepFailed, script, yielding } from './steps.mjs';

const long = process.argv.includes('--long');
const length = long ? 'long' : 'short';
const node = process.execPath;
/** The lab's NIC of most tests: two PFs. */
const smallNic = { npf: 2, totalvfs: 16 };
const reports = join(root, 'build/test-reports');
const totals = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const failures = [];

/**
 * Runs a part whose failure does not keep the others from running.
 *
 * @param {string} name
 * @param {() => Promise<void>} work
 */
async function check(name, work) {
  await part(name, async () => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StepFailed)) console.error(error);
      failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  });
}

/**
 * The arguments that run vitest projects and leave a report behind.
 *
 * @param {string} name of the report
 * @param {readonly string[]} projects
 */
function vitest(name, projects) {
  const selected = projects.flatMap((project) => ['--project', project]);
  return [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...selected,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${join(reports, `${name}.json`)}`,
  ];
}

/** Adds a report's numbers to the totals. @param {string} name */
function count(name) {
  const file = join(reports, `${name}.json`);
  if (!existsSync(file)) throw new StepFailed('the test runner left no report');
  const report = JSON.parse(readFileSync(file, 'utf8'));
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests;
  totals.skipped += report.numPendingTests + report.numTodoTests;
  if (report.numTotalTests === 0) throw new StepFailed('no test ran');
}

/**
 * @param {string} name
 * @param {readonly string[]} projects
 * @param {NodeJS.ProcessEnv} [env]
 */
async function hostTests(name, projects, env = {}) {
  try {
    await run(node, vitest(name, projects), {
      env: { ...process.env, VDPA_HOST_TEST: length, ...env },
      show: 'whole',
    });
  } finally {
    count(name);
  }
}

/**
 * @param {string} name
 * @param {readonly string[]} projects
 * @param {Record<string, string | number>} nic parameters of the NIC module
 * @param {'uml' | 'qemu'} [machine]
 */
async function labTests(name, projects, nic, machine = 'uml') {
  const command = [node, ...vitest(name, projects)];
  const { status, error, stdout, stderr, kernelLog } = await runInLab(command, {
    machine,
    nic,
    autoprobe: false,
    memoryMiB: 3072,
    // For what hangs: a busy machine may be five times slower than usual.
    timeoutMs: long ? 7_200_000 : 1_800_000,
    // Its HOME is not ours, and what guests are made of lies in our cache.
    env: { VDPA_HOST_TEST: length, VDPA_HOST_CACHE: cacheDir() },
  });
  process.stderr.write(stdout + stderr);
  if (error !== null) {
    console.error(`The end of the kernel's log:\n${lastLines(kernelLog)}`);
    throw new StepFailed(error);
  }
  count(name);
  if (status !== 0) throw new StepFailed(`vitest in the lab ended with ${status}`);
}

/** The doctest units, under the address and undefined-behaviour sanitisers. */
async function nativeUnits() {
  const output = await run('make', ['--silent', '-C', 'native/test', 'run-units'], {
    show: 'failure',
  });
  const [, passed = '0', failed = '0', skipped = '0'] =
    /test cases:\s+\d+ \|\s+(\d+) passed \|\s+(\d+) failed \|\s+(\d+) skipped/.exec(output) ?? [];
  if (Number(passed) === 0) throw new StepFailed('no unit ran');
  totals.passed += Number(passed);
  totals.failed += Number(failed);
  totals.skipped += Number(skipped);
  console.error(`${passed} units passed`);
}

/** Every fuzzer over its corpus, and on from there. */
async function fuzzers() {
  const seconds = `FUZZ_SECONDS=${long ? 120 : 2}`;
  await run('make', ['--silent', '-C', 'native/test', 'run-fuzz', seconds], {
    show: 'failure',
  });
}

/** The library that a sanitised addon needs in the process before anything else. */
async function sanitizerLibraries() {
  const names = ['libasan.so', 'libubsan.so'];
  const paths = await Promise.all(
    names.map((name) => run('g++', [`-print-file-name=${name}`], { show: 'failure' })),
  );
  return paths.map((path) => path.trim()).join(' ');
}

/** @typedef {[name: string, work: () => Promise<void>]} Part */

/**
 * What boots the lab, for two processors: a lab keeps to one.
 *
 * @type {readonly [Part[], Part[]]}
 */
const labParts = [
  [
    ['lab kernel, guests', () => labTests('lab-guest', ['lab-guest'], smallNic)],
    ['lab kernel, libvirt', () => labTests('lab-libvirt', ['lab-libvirt'], smallNic)],
  ],
  [
    ['lab kernel', () => labTests('lab', ['lab'], smallNic)],
    ['lab itself', () => hostTests('lab-runner', ['lab-runner'])],
    [
      'lab kernel, 8 x 255 VFs',
      () => labTests('lab-scale', ['lab-scale'], { npf: 8, totalvfs: 255 }),
    ],
  ],
];

/** @type {Part} */
const released = ['addon', () => hostTests('addon', ['addon'])];

/**
 * What runs beside the lab, in the time that it leaves.
 *
 * @type {Part[]}
 */
const otherParts = [
  [
    'addon, sanitised',
    async () => {
      const env = {
        VDPA_HOST_ADDON_BUILD: 'Debug',
        LD_PRELOAD: await sanitizerLibraries(),
        // Node itself leaks at exit by design, and its allocator answers NULL where asan would abort.
        ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1',
      };
      await hostTests('addon-sanitised', ['addon'], env);
    },
  ],
  [
    'units, types, conformance',
    () => hostTests('unit', ['unit', 'unit-faked', 'types', 'conformance']),
  ],
  // As it is shipped: the same tests, in a fraction of the time.
  ...(long ? [released] : []),
  ['other versions of Node', checkNodeVersions],
  ['native units', nativeUnits],
  ['fuzzers', fuzzers],
];

async function runParts() {
  const inTurn = async (/** @type {Part[]} */ parts) => {
    for (const [name, work] of parts) await check(name, work);
  };
  await Promise.all([...labParts.map(inTurn), yielding(() => inTurn(otherParts))]);
}

/** The distribution's kernel in QEMU: NUMA, an IOMMU and a second processor. */
async function qemuChecks() {
  // One PF on each node, and a third where no IOMMU serves.
  const nic = { npf: 3, totalvfs: 255, numa: '0,1,1', domain: '0,0,1' };
  await check('lab in QEMU', () => labTests('lab-qemu', ['lab-qemu'], nic, 'qemu'));
  await check('lab in QEMU itself', () => hostTests('lab-runner-qemu', ['lab-runner-qemu']));
}

await script(async () => {
  rmSync(reports, { recursive: true, force: true });
  await part('build', async () => {
    await ensureBuilt();
    await ensureExample();
    await ensureAddon('Debug');
    await ensureNativeTests();
  });
  await part('lab', async () => {
    await ensureLab();
    await ensureQemu('release');
    await ensureLibvirt('release');
    await ensureGuest();
    if (!long) return;
    await ensureLab({ machine: 'qemu' });
    await ensureQemu('backports');
    await ensureLibvirt('backports');
  });
  await runParts();
  // It has two processors, and so comes alone.
  if (long) await qemuChecks();

  printTimes();
  for (const failure of failures) console.error(`FAILED ${failure}`);
  // The one line that counts, from the runners' own reports.
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  if (failures.length > 0 || totals.failed > 0) process.exitCode = 1;
});
