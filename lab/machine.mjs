// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What the lab can run a command in, and what each such machine has to offer.

import { LabError } from './lab-error.mjs';
import { qemu } from './qemu/qemu.mjs';
import { uml } from './uml/uml.mjs';

/**
 * A kind of machine. Its folder also has `guest.sh`, its part of init.
 * @typedef {object} Machine
 * @property {'uml' | 'qemu'} name also of its folder
 * @property {string[]} packages of the system, that building and running it need
 * @property {string[]} vdpaModules what is loaded, in this order: of the drivers of the vdpa bus
 *   the first one registered takes new devices
 * @property {number} leastMiB of memory
 * @property {(cache: string) => Kernel | undefined} find its kernel, if it is built
 * @property {(cache: string, guard: string, upgrade: boolean) => Promise<Kernel>} build the kernel,
 *   unless it is there; upgrade: ask for a newer one. The caller holds the build lock
 */

/**
 * A machine's kernel, built.
 * @typedef {object} Kernel
 * @property {string} key what tells it from every other one
 * @property {string} release
 * @property {string[]} folders of the cache that it needs
 * @property {string} modules the folder in which its lib/modules is
 * @property {string[]} make the arguments of `make` that build a module against it
 * @property {(run: MachineRun) => Launch} launch
 */

/**
 * What a run asks of its machine.
 * @typedef {object} MachineRun
 * @property {string} runDir
 * @property {number} memoryMiB
 * @property {string[]} disks paths of files
 * @property {string[]} writable folders of the host, the run directory apart
 */

/**
 * The program that is the machine. It finds the kernel's console on descriptors 1 and 2, and sends
 * the command's output to 3 and its standard error to 4.
 * @typedef {object} Launch
 * @property {string[]} argv
 * @property {Record<string, string>} env beside PATH and HOME
 */

/** @type {Record<string, Machine>} */
const MACHINES = { uml, qemu };

/** @param {string} name */
export function machineNamed(name) {
  const machine = Object.hasOwn(MACHINES, name) ? MACHINES[name] : undefined;
  if (machine) return machine;
  throw new LabError(`no machine ${name}; there are ${Object.keys(MACHINES).join(', ')}`);
}
