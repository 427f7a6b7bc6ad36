// @ts-check
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atMost, row } from './row.mjs';
import { countSystemCalls } from './system-calls.mjs';

/** @import { Plan } from './plan.mjs' */

/** @param {string} name */
function program(name) {
  return [join(import.meta.dirname, 'programs', name)];
}

/**
 * Has the counter count what is known: c/known_calls.c.
 *
 * @param {string} programs
 */
function checkCounter(programs) {
  const config = '/tmp/config';
  writeFileSync(config, 'x');
  const { byName, configFiles } = countSystemCalls(`${programs}/known_calls`, [config]);
  const expected = { readlinkat: 2000, openat: 500, read: 500, close: 500 };
  for (const [name, count] of Object.entries(expected)) {
    if (byName[name] !== count) {
      throw new Error(`the counter is wrong: ${byName[name]} of ${count} ${name}`);
    }
  }
  if (configFiles !== 500) {
    throw new Error(`the counter is wrong: ${configFiles} of 500 config files`);
  }
}

/**
 * System calls, counted by strace and not timed. All threads of the process count, and the first
 * inventory of a host counts whole.
 *
 * @param {Plan} plan
 */
export function systemCallRows({ devices, judged, programs }) {
  checkCounter(programs);
  const inventory = countSystemCalls(process.execPath, program('traced-inventory.mjs'));
  // At full size that takes two minutes, and shows nothing new.
  const script = judged ? null : countSystemCalls(process.execPath, program('traced-script.mjs'));
  const resolve = countSystemCalls(process.execPath, program('traced-resolve.mjs'));
  const messages = ['sendto', 'sendmsg', 'recvfrom', 'recvmsg'];
  const sent = messages.reduce((sum, name) => sum + (resolve.byName[name] ?? 0), 0);
  console.error(`${devices} devices, one inventory:`, inventory.byName);
  return [
    row({
      name: 'full inventory: system calls per VF and its device',
      devices,
      unit: 'calls',
      ours: inventory.total,
      theirs: script?.total ?? null,
      figure: inventory.total / devices,
      figureUnit: 'per VF',
      budget: judged ? atMost(6) : null,
    }),
    row({
      name: 'full inventory: files named config',
      devices,
      unit: 'files',
      ours: inventory.configFiles,
      theirs: script?.configFiles ?? null,
      figure: inventory.configFiles,
      figureUnit: 'files',
      budget: atMost(0),
    }),
    row({
      name: 'resolve: system calls per device',
      devices,
      unit: 'calls',
      ours: resolve.total,
      theirs: 2 * devices,
      figure: resolve.total / devices,
      figureUnit: 'per device',
      budget: null,
    }),
    row({
      name: 'resolve: netlink messages sent or received',
      devices,
      unit: 'calls',
      ours: sent,
      theirs: 0,
      figure: sent,
      figureUnit: 'calls',
      budget: atMost(0),
    }),
  ];
}
