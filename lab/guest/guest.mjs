// SPDX-License-Identifier: Apache-2.0
// @ts-check
// A small guest for QEMU inside the lab: the distribution's kernel for clouds, and a RAM disk whose one
// program tells of its network interfaces. It is never installed.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ensurePackages } from '../../scripts/apt.mjs';
import { cacheDir, contentKey, install, touch } from '../cache.mjs';
import { LabError } from '../lab-error.mjs';
import { withLock } from '../lock.mjs';
import { payload } from '../qemu/kernel.mjs';
import { Steps, say } from '../step.mjs';
import { findUnpacked, machineRelease, unpackFromSuite } from '../suites.mjs';

/** @import { Unpacked } from '../suites.mjs' */

const KERNEL = ['linux-image-cloud-amd64'];
const MODULES = ['virtio_pci', 'virtio_net'];
/** Change it when the steps below change what comes out. */
const RECIPE = '1';

/**
 * @typedef {object} Guest
 * @property {string} kernel for QEMU's `-kernel`
 * @property {string} initrd
 */

/** @param {string} cache @param {Unpacked} packages */
function guestDir(cache, packages) {
  const init = readFileSync(join(import.meta.dirname, 'init.sh'));
  return join(
    cache,
    `guest-${contentKey(RECIPE, init, ...MODULES, basename(dirname(packages.dir)))}`,
  );
}

/** @param {string} [cache] @returns {Guest | undefined} */
export function findGuest(cache = cacheDir()) {
  const packages = findUnpacked(machineRelease(), KERNEL, cache);
  const dir = packages && guestDir(cache, packages);
  return dir && existsSync(dir)
    ? { kernel: join(dir, 'vmlinux'), initrd: join(dir, 'initrd') }
    : undefined;
}

/**
 * The modules with those they need, in an order in which they can be loaded.
 * @param {Steps} steps
 * @param {string} root
 * @param {string} release
 */
function modulesIn(steps, root, release) {
  const files = MODULES.flatMap((name) => {
    const run = spawnSync('/sbin/modprobe', ['-d', root, '-S', release, '--show-depends', name], {
      encoding: 'utf8',
    });
    if (run.status !== 0) throw steps.failure(`the kernel has no module ${name}: ${run.stderr}`);
    return [...run.stdout.matchAll(/^insmod (\S+)/gm)].map(([, file]) => `${file}`);
  });
  return [...new Set(files)];
}

/** @param {Steps} steps @param {string} temporary @param {Unpacked} packages */
async function fill(steps, temporary, packages) {
  const image = readdirSync(join(packages.dir, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new LabError('the kernel package has no kernel');
  const release = image.slice('vmlinuz-'.length);
  // depmod's results must not go among the unpacked packages: others may be reading there.
  const tree = join(temporary, 'tree');
  cpSync(join(packages.dir, 'lib/modules', release), join(tree, 'lib/modules', release), {
    recursive: true,
  });
  await steps.run('/sbin/depmod', ['-b', tree, release]);
  const disk = join(temporary, 'disk');
  for (const dir of ['bin', 'dev', 'proc', 'sys', 'modules']) {
    mkdirSync(join(disk, dir), { recursive: true });
  }
  cpSync('/bin/busybox', join(disk, 'bin/busybox'));
  cpSync(join(import.meta.dirname, 'init.sh'), join(disk, 'init'));
  chmodSync(join(disk, 'init'), 0o755);
  const modules = modulesIn(steps, tree, release);
  for (const file of modules) {
    const target = join(disk, 'modules', basename(file));
    await steps.run('strip', ['--strip-debug', '-o', target, file]);
  }
  const order = modules.map((file) => `/modules/${basename(file)}\n`).join('');
  writeFileSync(join(disk, 'modules/order'), order);
  const pack = 'find . | cpio --quiet -o -H newc >../initrd';
  await steps.run('bash', ['-o', 'pipefail', '-ec', pack], { cwd: disk });
  // Unpacked: the emulated processor would take seconds over it.
  writeFileSync(
    join(temporary, 'vmlinux.lz4'),
    payload(readFileSync(join(packages.dir, 'boot', image))),
  );
  await steps.run('lz4', ['-dqf', 'vmlinux.lz4', 'vmlinux'], { cwd: temporary });
  rmSync(join(temporary, 'vmlinux.lz4'));
  for (const dir of [tree, disk]) rmSync(dir, { recursive: true });
}

/** Makes it unless it is there. @param {string} [cache] */
export async function ensureGuest(cache = cacheDir()) {
  if (findGuest(cache) !== undefined) return;
  ensurePackages(['binutils', 'busybox-static', 'cpio', 'kmod', 'lz4'], "the lab's guest", say);
  const packages = await unpackFromSuite(machineRelease(), KERNEL, { cache });
  await withLock(join(cache, 'build.lock'), say, async () => {
    const dir = guestDir(cache, packages);
    if (existsSync(dir)) return touch(dir);
    say('guest: making its RAM disk');
    const steps = new Steps(join(cache, 'logs', 'guest.log'));
    await install(dir, (temporary) => fill(steps, temporary, packages));
  });
}
