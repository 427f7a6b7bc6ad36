// @ts-check
// That one binary serves every Node we promise, and is built from the running Node's own headers.
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheDir } from '../lab/cache.mjs';
import { kept } from './kept.mjs';
import { addonSources, compilerVersion, nodePrefix } from './products.mjs';
import { root, run, StepFailed } from './steps.mjs';

/** Major versions other than the one that runs the rest of the tests. */
const majors = [22, 24];

/** What every Node has to do with the binary as it is; prints one line. */
const smoke = `
  import { Worker } from 'node:worker_threads';
  const [index] = process.argv.slice(1);
  const { VdpaHost } = await import(index);
  const look = async () => {
    const host = await VdpaHost.open({ timeoutMs: 5000 });
    const { pfs, devices, abi } = await host.inventory();
    const findings = await host.preflight();
    await host.close();
    return [pfs.length, devices.length, abi === null, findings.length].join();
  };
  const own = await look();
  const source = 'import { parentPort } from "node:worker_threads";' +
    'const { VdpaHost } = await import(' + JSON.stringify(index) + ');' +
    'const host = await VdpaHost.open(); await host.inventory(); parentPort.postMessage("read");' +
    'for (;;) { await host.inventory(); }';
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
  if ((await look()) !== own) throw new Error('the machine looks different after workers');
  console.log('Node ' + process.versions.node + ', Node-API ' + process.versions.napi);
`;

/**
 * Runs the built library on other versions of Node, and builds the addon without anybody's
 * settings.
 *
 * @throws {StepFailed}
 */
export async function checkNodeVersions() {
  const index = pathToFileURL(join(root, 'dist/index.js')).href;
  for (const major of majors) {
    const node = await nodeBinary(major);
    const said = await run(node, ['--input-type=module', '-e', smoke, index], {
      show: 'failure',
    }).catch((error) => {
      if (!(error instanceof StepFailed)) throw error;
      throw new StepFailed(`Node ${major} does not run the library: its words are above`);
    });
    console.error(`The addon works: ${said.trim()}`);
  }
  await kept('plain-build', {
    from: [...addonSources, 'package.json', 'scripts/node-versions.mjs'],
    words: [process.version, nodePrefix(), await compilerVersion('g++')],
    outputs: ['build/plain-build'],
    by: checkPlainBuild,
  });
  // Also when it was found out in an earlier run.
  console.error(await readFile(join(root, 'build/plain-build'), 'utf8'));
}

/**
 * Node itself, as npm has it: kept in the project's cache.
 *
 * @param {number} major
 */
async function nodeBinary(major) {
  const name = `node-linux-${process.arch}`;
  const directory = join(cacheDir(), `node-${major}-${process.arch}`);
  const binary = join(directory, 'node_modules', name, 'bin/node');
  if (!existsSync(binary)) {
    console.error(`Fetching Node ${major}`);
    const temporary = `${directory}.tmp-${process.pid}`;
    await mkdir(temporary, { recursive: true });
    try {
      await install(temporary, `node@${major}`);
      // The package's own script would put the binary of this machine in place; scripts may be off.
      if (!existsSync(join(temporary, 'node_modules', name))) {
        const manifest = join(temporary, 'node_modules/node/package.json');
        const version = await run(process.execPath, ['-p', `require('${manifest}').version`], {
          show: 'failure',
        });
        await install(temporary, `${name}@${version.trim()}`);
      }
      await rm(directory, { recursive: true, force: true });
      await rename(temporary, directory);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
  const version = (await run(binary, ['--version'], { show: 'failure' })).trim();
  if (!version.startsWith(`v${major}.`)) throw new StepFailed(`${binary} is Node ${version}`);
  return binary;
}

/** @param {string} directory @param {string} spec */
async function install(directory, spec) {
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  await run('npm', ['install', '--prefix', directory, ...flags, spec], {
    cwd: directory,
    show: 'failure',
  });
}

/** Builds what a package holds, in an environment that has a PATH and an empty HOME only. */
async function checkPlainBuild() {
  const directory = await mkdtemp(join(tmpdir(), 'vdpa-host-build-'));
  try {
    const home = join(directory, 'home');
    const copy = join(directory, 'package');
    await mkdir(home);
    for (const part of [...addonSources, 'package.json']) {
      await cp(join(root, part), join(copy, part), { recursive: true });
    }
    const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
    // Everything that could name other headers is absent; an unreachable mirror shows a download.
    const env = {
      PATH: [dirname(process.execPath), process.env['PATH']].join(':'),
      HOME: home,
      npm_config_disturl: 'http://127.0.0.1:1/',
    };
    const flags = [`--nodedir=${nodePrefix()}`, '--release', '--jobs=max'];
    await run(process.execPath, [gyp, 'rebuild', ...flags], {
      cwd: copy,
      env,
      show: 'failure',
    });
    const addon = join(copy, 'build/Release/vdpa_host.node');
    const look = `const { Host } = require('${addon}'); process.exit(typeof Host === 'function' ? 0 : 1)`;
    await run(process.execPath, ['-e', look], { env, show: 'failure' });
    // Its answer to a wrong command line: it runs.
    const said = await run(join(copy, 'build/Release/vdpa_host_helper'), [], {
      env,
      show: 'failure',
    });
    if (!said.startsWith('failed\t')) throw new StepFailed('the helper program does not answer');
    const told = `The addon builds with nothing but ${nodePrefix()}/include and a PATH`;
    await writeFile(join(root, 'build/plain-build'), told);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
