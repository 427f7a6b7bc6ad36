// @ts-check
import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * The files of a folder of the checkout with all below it, in order; of a file, itself.
 *
 * @param {string} path relative to the checkout
 * @returns {string[]}
 */
export function filesBelow(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`));
}

/** A step's command failed; its own output has already said why. */
export class StepFailed extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'StepFailed';
  }
}

/** Errors whose message is for people and says all. */
const toldErrors = ['StepFailed', 'PackagesError', 'LabError'];

/** Whether what is being done leaves the processor to others. @type {AsyncLocalStorage<boolean>} */
const patient = new AsyncLocalStorage();

/**
 * Does work whose commands take only the processor time that others leave.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function yielding(work) {
  return await patient.run(true, work);
}

/**
 * Runs a command to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, show?: 'live' | 'whole' | 'failure' }} [options]
 *   when its output is shown: as it comes, in one piece at its end (for what runs beside others), or
 *   only when it fails
 * @returns {Promise<string>} what it printed to stdout, unless that was shown live
 */
export async function run(command, args, { cwd = root, env = process.env, show = 'live' } = {}) {
  const how = show === 'live' ? 'inherit' : 'pipe';
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', how, how] });
  if (patient.getStore() && child.pid !== undefined) {
    setPriority(child.pid, constants.priority.PRIORITY_LOW);
  }
  /** @type {Buffer[]} */
  const stdout = [];
  /** @type {Buffer[]} */
  const everything = [];
  child.stdout?.on('data', (chunk) => {
    stdout.push(chunk);
    everything.push(chunk);
  });
  child.stderr?.on('data', (chunk) => everything.push(chunk));
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  if (show === 'whole' || status !== 0) process.stderr.write(Buffer.concat(everything));
  if (status === 0) return Buffer.concat(stdout).toString();
  throw new StepFailed(`${command} ${args.join(' ')}: ended with ${status}`);
}

/** @type {{ name: string, seconds: number }[]} */
const parts = [];

/**
 * Runs one named part and remembers how long it took.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function part(name, work) {
  const started = performance.now();
  console.error(`== ${name}`);
  try {
    return await work();
  } finally {
    parts.push({ name, seconds: (performance.now() - started) / 1000 });
  }
}

/** Prints how long each part took. */
export function printTimes() {
  const width = Math.max(...parts.map(({ name }) => name.length));
  console.error('\nSeconds per part:');
  for (const { name, seconds } of parts) {
    console.error(`  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(7)}`);
  }
}

/**
 * The main function of a script: a failed step or a refusal ends it with status 1 and one line,
 * anything unexpected with its stack.
 *
 * @param {() => Promise<void>} main
 */
export async function script(main) {
  try {
    await main();
  } catch (error) {
    const told = error instanceof Error && toldErrors.includes(error.name);
    console.error(told ? error.message : error);
    process.exitCode = 1;
  }
}
