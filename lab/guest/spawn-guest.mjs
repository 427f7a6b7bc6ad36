// SPDX-License-Identifier: Apache-2.0
// @ts-check
// A guest in QEMU, inside the lab.

import { spawn } from 'node:child_process';
import { LabError } from '../lab-error.mjs';
import { findGuest } from './guest.mjs';
import { findQemu } from './qemu.mjs';

/** @import { QemuSuite } from './qemu.mjs' */

/** MiB of a guest's memory. */
export const memoryMiB = 128;

/**
 * @typedef {object} GuestOptions
 * @property {readonly string[] | undefined} [monitors] paths of its QMP sockets
 * @property {QemuSuite | undefined} [qemu] which QEMU. release
 * @property {number | undefined} [ports] PCIe root ports. 2
 * @property {boolean | undefined} [boot] whether a Linux is booted; else nobody but the firmware runs
 * @property {boolean | undefined} [paused] whether nothing runs until `cont`
 * @property {string | undefined} [serial] where its console goes, in QEMU's words. stdio
 * @property {number | undefined} [memoryLock] bytes of locked memory that QEMU may have. No limit
 * @property {readonly string[] | undefined} [arguments] of QEMU; more of them
 */

/**
 * @typedef {object} GuestCommand
 * @property {string} program
 * @property {string[]} argv
 * @property {Record<string, string>} env what its environment needs
 */

/**
 * @param {GuestOptions} options
 * @returns {GuestCommand}
 * @throws {LabError} when the lab has no guest
 */
function guestCommand(options) {
  const { monitors = [], serial = 'stdio', qemu = 'release' } = options;
  const { ports = 2, boot = false, paused = false } = options;
  const program = findQemu(qemu);
  const kernel = boot ? findGuest() : null;
  if (program === undefined || kernel === undefined) throw new LabError('the lab has no guest');
  const argv = [
    `--memlock=${options.memoryLock ?? 'unlimited'}`,
    ...program.argv,
    ...['-machine', 'q35', '-accel', 'tcg,tb-size=32', '-cpu', 'max', '-m', `${memoryMiB}`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // PCIe's own hot-plug: without an operating system, that of ACPI never tells of a removal.
    ...['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'],
    // A guest that has come from elsewhere announces itself over the control queue, which the lab's NIC
    // never serves: it would wait there for good.
    ...['-global', 'virtio-net-device.guest_announce=off'],
    ...Array.from({ length: ports }, (_, port) => [
      '-device',
      `pcie-root-port,id=rp${port},chassis=${port + 1},slot=${port + 1}`,
    ]).flat(),
    ...monitors.flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`]),
    ...['-serial', serial],
    ...(paused ? ['-S'] : []),
    ...(kernel !== null
      ? [
          ...['-kernel', kernel.kernel, '-initrd', kernel.initrd, '-append'],
          'console=ttyS0 quiet panic=-1 nokaslr tsc=reliable',
        ]
      : []),
    ...(options.arguments ?? []),
  ];
  return { program: 'prlimit', argv, env: program.env };
}

/**
 * Starts it. Its console is the program's input and output, unless it goes elsewhere.
 *
 * @param {GuestOptions} options
 * @param {import('node:child_process').StdioOptions} stdio
 * @throws {LabError} when the lab has no guest
 */
export function spawnGuest(options, stdio) {
  const { program, argv, env } = guestCommand(options);
  return spawn(program, argv, { stdio, env: { ...process.env, ...env } });
}

/**
 * How whoever else starts it does so: a command line that needs nothing of its environment.
 *
 * @param {GuestOptions} options
 * @throws {LabError} when the lab has no guest
 */
export function guestCommandLine(options) {
  const { program, argv, env } = guestCommand(options);
  return ['env', ...Object.entries(env).map(([key, value]) => `${key}=${value}`), program, ...argv];
}
