// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The second machine: the distribution's kernel in QEMU, with two processors, two NUMA nodes and an
// IOMMU. QEMU emulates the processors in software, so KVM is not needed.

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { quote } from '../plan.mjs';
import { findUnpacked, machineRelease, unpackFromSuite } from '../suites.mjs';
import { buildKernel, findKernel } from './kernel.mjs';

/** @import { Kernel, Launch, Machine, MachineRun } from '../machine.mjs' */
/** @import { Unpacked } from '../suites.mjs' */
/** @import { QemuKernel } from './kernel.mjs' */

const PACKAGES = ['qemu-system-x86'];
const suite = () => `${machineRelease()}-backports`;

/** QEMU looks for these where its package would have been installed. */
const FIRMWARE = ['usr/share/qemu', 'usr/share/seabios'];

/** What QEMU itself may take beside the guest's memory, translated code among it. */
const TRANSLATED_MIB = 256;
const OWN_MIB = 2048;

/** A value in an option of QEMU's, whose comma would begin the next one. */
const value = (/** @type {string} */ text) => text.replaceAll(',', ',,');

/**
 * @param {string} tag
 * @param {string} dir
 * @param {string} more
 */
function share(tag, dir, more = '') {
  return [
    ...['-fsdev', `local,id=${tag},path=${value(dir)},security_model=none,multidevs=remap${more}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}

/** @param {number} mib @returns {string[]} half of the memory and a processor for each node */
function nodes(mib) {
  const sizes = [Math.ceil(mib / 2), Math.floor(mib / 2)];
  return sizes.flatMap((size, node) => [
    ...['-object', `memory-backend-ram,id=memory${node},size=${size}M`],
    ...['-numa', `node,nodeid=${node},cpus=${node},memdev=memory${node}`],
  ]);
}

/** @param {string} runDir */
const commandLine = (runDir) =>
  [
    ...['console=ttyS0', 'panic=-1', `labrun=${runDir}`],
    // Faster, and nobody to be protected from.
    ...['mitigations=off', 'nokaslr', 'audit=0'],
    // On a busy host the guest's processors stand still now and then, for no fault of the kernel's.
    ...['tsc=reliable', 'nowatchdog', 'rcupdate.rcu_cpu_stall_suppress=1'],
    'intel_iommu=on',
  ].join(' ');

/**
 * @param {QemuKernel} kernel
 * @param {Unpacked} qemu
 * @param {MachineRun} run
 * @returns {Launch}
 */
function launch(kernel, qemu, { runDir, memoryMiB, disks, writable }) {
  const shares = [runDir, ...writable].map((dir, index) => ({ dir, tag: `share${index}` }));
  const lines = shares.map(({ dir, tag }) => `share ${tag} ${quote(dir)} || return\n`);
  writeFileSync(join(runDir, 'shares.sh'), lines.join(''));
  const limit = (memoryMiB + TRANSLATED_MIB + OWN_MIB) * 2 ** 20;
  const argv = [
    ...['prlimit', `--as=${limit}`, join(qemu.dir, 'usr/bin/qemu-system-x86_64')],
    ...FIRMWARE.flatMap((dir) => ['-L', join(qemu.dir, dir)]),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-cpu', 'max', '-smp', '2,sockets=2'],
    ...['-accel', `tcg,thread=multi,tb-size=${TRANSLATED_MIB}`],
    ...['-m', `${memoryMiB}M`, ...nodes(memoryMiB)],
    // Before the devices that it is to serve.
    ...['-device', 'intel-iommu,intremap=off'],
    ...['-chardev', 'stdio,id=log,signal=off', '-serial', 'chardev:log'],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', 'socket,id=stdout,fd=3', '-device', 'virtserialport,nr=1,chardev=stdout'],
    ...['-chardev', 'socket,id=stderr,fd=4', '-device', 'virtserialport,nr=2,chardev=stderr'],
    ...share('root', '/', ',readonly=on'),
    ...shares.flatMap(({ dir, tag }) => share(tag, dir)),
    ...disks.flatMap((disk, index) => [
      ...['-drive', `if=none,id=disk${index},format=raw,file=${value(disk)}`],
      ...['-device', `virtio-blk-pci,drive=disk${index}`],
    ]),
    ...['-kernel', join(kernel.dir, 'vmlinux'), '-initrd', join(kernel.dir, 'initrd')],
    ...['-append', commandLine(runDir)],
  ];
  return { argv, env: { LD_LIBRARY_PATH: qemu.env.LD_LIBRARY_PATH } };
}

/** @param {QemuKernel} kernel @param {Unpacked} qemu @returns {Kernel} */
function described(kernel, qemu) {
  const headers = join(kernel.packages, 'usr/src', `linux-headers-${kernel.release}`);
  const common = headers.replace(/-amd64$/, '-common');
  return {
    key: kernel.key,
    release: kernel.release,
    folders: [kernel.dir, dirname(kernel.packages), dirname(qemu.dir)],
    modules: join(kernel.dir, 'modules'),
    // The headers' own Makefile names the place where the package would have been installed. Type
    // information for BPF would need one more tool.
    make: ['-C', headers, '-f', join(common, 'Makefile'), 'CONFIG_DEBUG_INFO_BTF_MODULES='],
    launch: (run) => launch(kernel, qemu, run),
  };
}

/** @type {Machine} */
export const qemu = {
  name: 'qemu',
  packages: ['gcc-12', 'xz-utils', 'zstd'],
  // A distribution's kernel has no simulators.
  vdpaModules: ['vhost_vdpa', 'virtio_vdpa'],
  leastMiB: 512,
  find: (cache) => {
    const kernel = findKernel(cache);
    const program = findUnpacked(suite(), PACKAGES, cache);
    return kernel && program && described(kernel, program);
  },
  build: async (cache, guard, upgrade) => {
    const program = await unpackFromSuite(suite(), PACKAGES, { cache, upgrade });
    return described(await buildKernel(cache, guard, upgrade), program);
  },
};
