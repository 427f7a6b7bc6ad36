// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Run one command in the lab and bring back what came of it.

import { copyFileSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { boot } from './boot.mjs';
import { findLab } from './build.mjs';
import { checkout } from './cache.mjs';
import { LabError } from './lab-error.mjs';
import { machineNamed } from './machine.mjs';
import { checkMemory } from './memory.mjs';
import { nicParameters } from './nic.mjs';
import { outcome } from './outcome.mjs';
import { bindable, hidden, programRoot, writePlan } from './plan.mjs';
import { makeRunDir, sweepRunDirs } from './rundir.mjs';

/** @import { Lab } from './build.mjs' */
/** @import { Output } from './boot.mjs' */
/** @import { Machine } from './machine.mjs' */

/**
 * @typedef {object} LabOptions
 * @property {Machine['name'] | undefined} [machine] which kernel: User-Mode Linux (uml, the
 *   default), or the distribution's own in QEMU (qemu)
 * @property {number | undefined} [timeoutMs] end everything after this time; 0: never. 600,000
 * @property {number | undefined} [memoryMiB] the guest's memory. 1,024
 * @property {false | Record<string, string | number> | undefined} [nic] the NIC module's
 *   parameters; false: no NIC. The default is the NIC as it comes, when vDPA is there
 * @property {boolean | undefined} [vdpa] load the kernel's vDPA modules. true
 * @property {boolean | undefined} [autoprobe] of the vdpa bus; the kernel's own default is true
 * @property {readonly string[] | undefined} [disks] host files: /dev/ubda, /dev/ubdb,
 *   ...; in QEMU /dev/vda, /dev/vdb, ...
 * @property {Record<string, string> | undefined} [env] variables beside the lab's own
 * @property {string | undefined} [cwd] the working directory; it and the checkout are writable
 * @property {readonly string[] | undefined} [writable] more folders of the host to be writable
 * @property {AbortSignal | undefined} [signal] ends everything
 * @property {((chunk: Buffer) => void) | undefined} [onStdout] gets the output as it comes
 * @property {((chunk: Buffer) => void) | undefined} [onStderr]
 * @property {'capture' | 'inherit' | undefined} [stdio] inherit: pass the output on, keep nothing
 * @property {string | undefined} [cache] where the lab was built
 */

/**
 * @typedef {object} LabResult
 * @property {number} status the command's; 128 + N: ended by signal N; 124: time limit; 130:
 *   aborted; 125: the lab failed (see error)
 * @property {NodeJS.Signals | null} signal that ended the command
 * @property {string} stdout
 * @property {string} stderr
 * @property {Buffer} stdoutBytes
 * @property {Buffer} stderrBytes
 * @property {boolean} timedOut
 * @property {boolean} aborted
 * @property {string | null} error why there is no status of the command
 * @property {string} kernelLog
 * @property {number} elapsedMs
 */

const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * @param {LabOptions} options
 * @param {Lab} lab
 */
function chooseNic(options, lab) {
  const vdpa = options.vdpa ?? true;
  const nic = options.nic ?? (vdpa ? {} : false);
  if (!nic) return false;
  if (!vdpa) throw new LabError('the NIC needs the vDPA modules');
  const known = nicParameters(lab.nic);
  for (const [key, value] of Object.entries(nic)) {
    if (!known.includes(key)) {
      throw new LabError(`the NIC has no parameter ${key}; it has ${known.join(', ')}`);
    }
    if (!/^[\w.,:-]+$/.test(String(value))) {
      throw new LabError(`bad value of the NIC's ${key}: ${value}`);
    }
  }
  return nic;
}

/** @param {string} path @param {string} what */
function folder(path, what) {
  try {
    const real = realpathSync(path);
    if (statSync(real).isDirectory()) return real;
  } catch {
    // The message below says it.
  }
  throw new LabError(`${what} is not a folder: ${path}`);
}

/** @param {readonly string[]} disks @param {string} runDir */
function linkDisks(disks, runDir) {
  return disks.map((disk, index) => {
    let real;
    try {
      real = realpathSync(disk);
    } catch {
      throw new LabError(`there is no disk file ${disk}`);
    }
    // A link, as a comma or a colon in the name would be taken for a separator.
    const link = join(runDir, `disk${index}`);
    symlinkSync(real, link);
    return link;
  });
}

/**
 * Run a command as root in a kernel of its own, over this machine's file system.
 *
 * @param {string | readonly string[]} command a bash script, or a program with its arguments
 * @param {LabOptions} [options]
 * @returns {Promise<LabResult>}
 * @throws {LabError} when the lab is not built or the options make no sense
 */
export async function runInLab(command, options = {}) {
  const machine = machineNamed(options.machine ?? 'uml');
  const lab = findLab(options.cache, machine.name);
  if (!lab) throw new LabError(`the lab is not built: run \`${buildCommand(machine)}\``);
  const memoryMiB = options.memoryMiB ?? 1024;
  checkMemory(memoryMiB, machine.leastMiB);
  const cwd = folder(options.cwd ?? process.cwd(), 'the working directory');
  const writable = bindable([
    realpathSync(checkout),
    cwd,
    ...(options.writable ?? []).map((dir) => folder(dir, 'a writable folder')),
  ]);
  const nic = chooseNic(options, lab);

  sweepRunDirs();
  const runDir = makeRunDir();
  try {
    writePlan(runDir, {
      writable,
      visible: hidden([realpathSync(lab.cache), programRoot(process.execPath)]),
      modroot: join(realpathSync(lab.nic), 'root'),
      vdpaModules: (options.vdpa ?? true) ? machine.vdpaModules : [],
      autoprobe: options.autoprobe,
      nic,
      command,
      cwd,
      env: {
        PATH: [
          '/run/bin',
          ...lab.path,
          join(programRoot(process.execPath), 'bin'),
          STANDARD_PATH,
        ].join(':'),
        HOME: '/run/home',
        LANG: 'C.UTF-8',
        TERM: 'dumb',
        USER: 'root',
        VDPA_LAB: '1',
        ...options.env,
      },
    });
    copyFileSync(join(import.meta.dirname, 'init.sh'), join(runDir, 'init.sh'));
    copyFileSync(join(import.meta.dirname, machine.name, 'guest.sh'), join(runDir, 'guest.sh'));
    copyFileSync(lab.supervise, join(runDir, 'supervise'));
    /** @type {Output} */
    const output = {
      inherit: options.stdio === 'inherit',
      onStdout: options.onStdout,
      onStderr: options.onStderr,
    };
    const disks = linkDisks(options.disks ?? [], runDir);
    const ended = await boot({
      guard: lab.guard,
      launch: lab.kernel.launch({ runDir, memoryMiB, disks, writable }),
      runDir,
      timeoutMs: options.timeoutMs ?? 600_000,
      signal: options.signal,
      output,
    });
    return outcome(ended, readResult(runDir), options.timeoutMs ?? 600_000);
  } finally {
    rmSync(runDir, { recursive: true, force: true });
  }
}

/** @param {Machine} machine */
function buildCommand({ name }) {
  return `node lab/build.mjs${name === 'uml' ? '' : ` --machine ${name}`}`;
}

/** @param {string} runDir */
function readResult(runDir) {
  try {
    return readFileSync(join(runDir, 'result'), 'utf8').trim();
  } catch {
    return '';
  }
}
