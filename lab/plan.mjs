// SPDX-License-Identifier: Apache-2.0
// @ts-check
// What the guest is to do, as the two shell files that init reads.

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LabError } from './lab-error.mjs';

/**
 * @typedef {object} Plan
 * @property {string[]} writable folders of the host that the command may change
 * @property {string[]} visible folders of the host to be seen though they lie below /tmp or /run
 * @property {string} modroot the modules
 * @property {readonly string[]} vdpaModules the kernel's vDPA modules to load; none: no vDPA
 * @property {boolean | undefined} autoprobe of the vdpa bus; undefined: as the kernel has it
 * @property {Record<string, string | number> | false} nic the NIC's parameters; false: no NIC
 * @property {string | readonly string[]} command a bash script, or a program with its arguments
 * @property {Record<string, string>} env
 * @property {string} cwd
 */

/** Where the guest has file systems of its own; a folder of the host must not cover them. */
const GUEST_OWN = ['/tmp', '/run', '/var/tmp', '/dev', '/proc', '/sys'];

/** A word of the shell. @param {string} text */
export function quote(text) {
  if (text.includes('\0')) throw new LabError('a command, path or variable holds a NUL byte');
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** @param {string} path @param {string} above */
function isBelow(path, above) {
  return path === above || path.startsWith(above === '/' ? above : `${above}/`);
}

/**
 * The folders to bind: none twice, none below another, none over the guest's own.
 * @param {string[]} dirs
 */
export function bindable(dirs) {
  const possible = [...new Set(dirs)].filter((dir) => !GUEST_OWN.some((own) => isBelow(own, dir)));
  return possible.filter((dir) => !possible.some((other) => other !== dir && isBelow(dir, other)));
}

/**
 * Of the folders, those that the guest's own file systems would hide.
 * @param {string[]} dirs
 */
export function hidden(dirs) {
  return bindable(dirs.filter((dir) => GUEST_OWN.some((own) => isBelow(dir, own))));
}

/** @param {Plan} plan */
function planText(plan) {
  const lines = [
    ...plan.writable.map((dir) => `writable ${quote(dir)}`),
    ...plan.visible.map((dir) => `visible ${quote(dir)}`),
    `modules ${quote(plan.modroot)}`,
  ];
  if (plan.vdpaModules.length > 0) {
    lines.push(`load -a ${plan.vdpaModules.join(' ')}`);
    if (plan.autoprobe !== undefined) lines.push(`autoprobe ${plan.autoprobe ? 1 : 0}`);
  }
  if (plan.nic) {
    const parameters = Object.entries(plan.nic).map(([key, value]) => quote(`${key}=${value}`));
    lines.push(['load', 'labnic', ...parameters].join(' '));
  }
  return `${lines.join('\n')}\n`;
}

/** @param {Plan} plan @param {string[]} argv */
function commandText(plan, argv) {
  const env = Object.entries(plan.env).map(([name, value]) => {
    if (name === '' || name.includes('=')) throw new LabError(`bad variable name: ${quote(name)}`);
    return `${name}=${value}`;
  });
  return `cd ${quote(plan.cwd)} || exit 125
exec /usr/bin/env -i ${[...env, ...argv].map(quote).join(' ')}
`;
}

/**
 * Write the plan into the run directory.
 * @param {string} dir
 * @param {Plan} plan
 */
export function writePlan(dir, plan) {
  /** @type {string[]} */
  let argv;
  if (typeof plan.command === 'string') {
    // A file, not an argument: an argument is limited to 128 KiB.
    writeFileSync(join(dir, 'script'), `${plan.command}\n`);
    argv = ['/bin/bash', '/run/lab/script'];
  } else {
    argv = [...plan.command];
  }
  if (argv.length === 0 || argv[0] === '') throw new LabError('no command given');
  writeFileSync(join(dir, 'plan.sh'), planText(plan));
  writeFileSync(join(dir, 'command.sh'), commandText(plan, argv));
}

/** @param {string} program path of a program that the guest must be able to run */
export function programRoot(program) {
  return dirname(dirname(program));
}
