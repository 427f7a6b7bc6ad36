// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The first machine: the kernel as an ordinary process, over the host's file system.

import { join } from 'node:path';
import { buildKernel, findKernel } from './kernel.mjs';
import { memoryDir } from './memory.mjs';
import { onOneProcessor } from './processor.mjs';

/** @import { Kernel, Launch, Machine, MachineRun } from '../machine.mjs' */
/** @import { UmlKernel } from './kernel.mjs' */

/**
 * @param {string} linux the kernel
 * @param {MachineRun} run
 * @returns {Launch}
 */
function launch(linux, { runDir, memoryMiB, disks }) {
  const argv = [
    ...onOneProcessor(),
    linux,
    `mem=${memoryMiB}M`,
    ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro'],
    `init=${runDir}/init.sh`,
    `labrun=${runDir}`,
    ...[`uml_dir=${runDir}/`, 'umid=uml'],
    // The driver is built in and would make a dummy0 by itself.
    'dummy.numdummies=0',
    ...['con=null', 'con0=null,fd:2', 'con1=null,fd:3', 'con2=null,fd:4', 'ssl=null'],
    ...disks.map((disk, index) => `ubd${index}=${disk}`),
  ];
  return { argv, env: { TMPDIR: memoryDir(memoryMiB) } };
}

/** @param {UmlKernel} kernel @returns {Kernel} */
function described({ dir, key, release }) {
  return {
    key,
    release,
    folders: [dir],
    modules: join(dir, 'modules'),
    make: ['-C', join(dir, 'source'), 'ARCH=um'],
    launch: (run) => launch(join(dir, 'linux'), run),
  };
}

/** @type {Machine} */
export const uml = {
  name: 'uml',
  packages: ['bc', 'bison', 'flex', 'libelf-dev', 'libssl-dev', 'xz-utils'],
  vdpaModules: ['vdpa_sim_net', 'vdpa_sim_blk', 'vhost_vdpa', 'virtio_vdpa'],
  leastMiB: 64,
  find: (cache) => {
    const kernel = findKernel(cache);
    return kernel && described(kernel);
  },
  build: async (cache, guard, upgrade) => described(await buildKernel(cache, guard, { upgrade })),
};
