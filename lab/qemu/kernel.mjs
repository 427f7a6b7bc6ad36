// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The distribution's own kernel, unpacked and never installed: the image, the modules that the lab
// uses, and an initial RAM disk that reaches the host's file system.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { contentKey, install } from '../cache.mjs';
import { Steps, say } from '../step.mjs';
import { findUnpacked, machineRelease, unpackFromSuite } from '../suites.mjs';
import { dmarTable } from './dmar.mjs';

/** @import { Unpacked } from '../suites.mjs' */

/** The plain flavour: the cloud one has no 9p. */
const PACKAGES = ['linux-image-6.12-amd64', 'linux-headers-6.12-amd64'];
const initrd = join(import.meta.dirname, 'initrd.sh');
/** Change it when the steps below change what comes out. */
const RECIPE = '2';

/** What reaches the root file system, in the RAM disk, and makes disks devices from the start. */
const DISK_MODULES = ['9pnet_virtio', '9p', 'virtio_blk'];
/** What modprobe finds in the lab; each brings what it needs. The image's other 4,000 stay out. */
const LAB_MODULES = [
  ...['vhost_vdpa', 'virtio_vdpa', 'vduse', 'vhost_net'],
  ...['virtio_net', 'tun', 'dummy', 'ext4'],
  ...['vfio_pci', 'vfio_iommu_type1', 'igb', 'igbvf'],
];

/**
 * @typedef {object} QemuKernel
 * @property {string} dir the folder with `vmlinux`, `initrd` and `modules`
 * @property {string} packages the folder of the unpacked packages, with the headers
 * @property {string} key
 * @property {string} release
 */

const suite = () => `${machineRelease()}-security`;

/** @param {string} cache @param {Unpacked} packages */
function kernelDir(cache, packages) {
  const names = [...DISK_MODULES, ...LAB_MODULES];
  const disk = [readFileSync(initrd), dmarTable()];
  const key = contentKey(RECIPE, ...names, ...disk, basename(dirname(packages.dir)));
  return join(cache, `kernel-qemu-${key}`);
}

/** @param {string} dir @param {Unpacked} packages @returns {QemuKernel} */
function kernelAt(dir, packages) {
  return { dir, packages: packages.dir, key: basename(dir), release: releaseOf(packages) };
}

/** @param {Unpacked} packages */
function releaseOf(packages) {
  const name = readdirSync(join(packages.dir, 'boot')).find((file) => file.startsWith('vmlinuz-'));
  return String(name).slice('vmlinuz-'.length);
}

/**
 * @param {string} cache
 * @returns {QemuKernel | undefined}
 */
export function findKernel(cache) {
  const packages = findUnpacked(suite(), PACKAGES, cache);
  const dir = packages && kernelDir(cache, packages);
  return dir && existsSync(dir) ? kernelAt(dir, packages) : undefined;
}

/**
 * The files of modules with those they need, in an order in which they can be loaded.
 * @param {Steps} steps
 * @param {string} tree whose lib/modules has been through depmod
 * @param {string} release
 * @param {string[]} names
 */
function withNeeded(steps, tree, release, names) {
  const files = names.flatMap((name) => {
    const run = spawnSync('/sbin/modprobe', ['-d', tree, '-S', release, '--show-depends', name], {
      encoding: 'utf8',
    });
    const lines = [...(run.stdout ?? '').matchAll(/^insmod (\S+)/gm)].map(([, file]) => `${file}`);
    if (run.status !== 0) throw steps.failure(`the kernel has no module ${name}: ${run.stderr}`);
    return lines;
  });
  return [...new Set(files)];
}

/**
 * The compressed kernel in a boot image, whose header says where it is. QEMU starts the kernel
 * itself as well, and the guest's processor need not decompress it.
 * @param {Buffer} image
 */
export function payload(image) {
  const setupSectors = image.readUInt8(0x1f1);
  const offset = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  // Its last word is the size of what comes out.
  return image.subarray(offset, offset + image.readUInt32LE(0x24c) - 4);
}

/**
 * @param {Steps} steps
 * @param {string} temporary
 * @param {Unpacked} packages
 */
async function fill(steps, temporary, packages) {
  const release = releaseOf(packages);
  const source = join(packages.dir, 'lib/modules', release);
  // depmod's results must not go among the unpacked packages: others may be reading there.
  const tree = join(temporary, 'all');
  const all = join(tree, 'lib/modules', release);
  mkdirSync(all, { recursive: true });
  symlinkSync(join(source, 'kernel'), join(all, 'kernel'));
  const lists = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'];
  for (const list of lists) cpSync(join(source, list), join(all, list));
  await steps.run('/sbin/depmod', ['-b', tree, release]);

  // Without compression and signature: the guest's processor would take seconds over each.
  const plain = async (/** @type {string} */ file, /** @type {string} */ to) => {
    await steps.run('sh', ['-ec', 'xz -dc "$1" >"$2"; strip --strip-debug "$2"', 'sh', file, to]);
  };
  const modules = join(temporary, 'modules/lib/modules', release);
  mkdirSync(join(modules, 'kernel'), { recursive: true });
  for (const list of lists) cpSync(join(source, list), join(modules, list));
  for (const file of withNeeded(steps, tree, release, LAB_MODULES)) {
    await plain(file, join(modules, 'kernel', basename(file, '.xz')));
  }

  const disk = join(temporary, 'disk');
  for (const dir of ['bin', 'dev', 'proc', 'root', 'modules', 'kernel/firmware/acpi']) {
    mkdirSync(join(disk, dir), { recursive: true });
  }
  cpSync('/bin/busybox', join(disk, 'bin/busybox'));
  writeFileSync(join(disk, 'kernel/firmware/acpi/dmar.aml'), dmarTable());
  cpSync(initrd, join(disk, 'init'));
  chmodSync(join(disk, 'init'), 0o755);
  const needed = withNeeded(steps, tree, release, DISK_MODULES);
  for (const file of needed) await plain(file, join(disk, 'modules', basename(file, '.xz')));
  const order = needed.map((file) => `/modules/${basename(file, '.xz')}\n`).join('');
  writeFileSync(join(disk, 'modules/order'), order);
  const pack = 'find . | cpio --quiet -o -H newc >../initrd';
  await steps.run('bash', ['-o', 'pipefail', '-ec', pack], { cwd: disk });

  const image = readFileSync(join(packages.dir, 'boot', `vmlinuz-${release}`));
  writeFileSync(join(temporary, 'vmlinux.zst'), payload(image));
  const unzstd = ['--quiet', '--decompress', '--rm', 'vmlinux.zst'];
  await steps.run('zstd', unzstd, { cwd: temporary });
  for (const dir of [tree, disk]) rmSync(dir, { recursive: true });
}

/**
 * Unpack and prepare the kernel unless it is there. The caller holds the build lock.
 * @param {string} cache
 * @param {string} guard
 * @param {boolean} upgrade
 * @returns {Promise<QemuKernel>}
 */
export async function buildKernel(cache, guard, upgrade) {
  const packages = await unpackFromSuite(suite(), PACKAGES, { cache, upgrade });
  const dir = kernelDir(cache, packages);
  if (!existsSync(dir)) {
    say(`kernel: ${releaseOf(packages)}, choosing modules`);
    const steps = new Steps(join(cache, 'logs', 'kernel-qemu.log'), guard);
    await install(dir, (temporary) => fill(steps, temporary, packages));
    say('kernel: ready');
  }
  return kernelAt(dir, packages);
}
