#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// @ts-check
// npm run lab -- [options] COMMAND...

import { parseArgs } from 'node:util';
import { LabError } from './lab-error.mjs';
import { machineNamed } from './machine.mjs';
import { lastLines } from './outcome.mjs';
import { runInLab } from './run.mjs';

const HELP = `usage: npm run lab -- [options] COMMAND [ARG...]

Run COMMAND as root in a kernel of its own, over this machine's file system: read only, but for the
checkout and the working directory, with an empty /tmp, /run, /var/tmp, /dev/shm and HOME. Its
output, standard error and exit status come back.

  --machine uml|qemu   which kernel: User-Mode Linux (uml, unless said otherwise), or the
                       distribution's own in QEMU, with two NUMA nodes, processors and an IOMMU
  --sh                 COMMAND is a bash script in one argument
  --timeout SECONDS    end everything after this time (600; 0: never)
  --memory MIB         memory of the guest (1024)
  --nic KEY=VALUE      parameter of the software NIC, repeatable (lab/README.md lists them)
  --no-nic             without the NIC
  --no-vdpa            load no vDPA module, and no NIC
  --no-autoprobe       no driver binds to a new vDPA device by itself
  --disk FILE          a disk, repeatable: /dev/ubda, /dev/ubdb, ... (QEMU: /dev/vda, ...)
  --env KEY=VALUE      a variable of the command's environment, repeatable
  --cwd DIR            working directory (the current one)
  --writable DIR       another folder that the command may change, repeatable
  --verbose            show the kernel's log afterwards
  --help               this text

Exit status: the command's; 124: the time limit; 125: the lab itself failed; 128 + N: signal N.
Build the lab first, once: node lab/build.mjs [--machine qemu]
`;

/** @param {string[]} pairs @param {string} option */
function keyValues(pairs, option) {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new LabError(`${option} wants KEY=VALUE: ${pair}`);
      return /** @type {[string, string]} */ ([pair.slice(0, at), pair.slice(at + 1)]);
    }),
  );
}

/** @param {string | undefined} text @param {string} option */
function number(text, option) {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new LabError(`${option} wants a number: ${text}`);
  }
  return value;
}

/** The options end where the command begins, so the command's own options are its own. */
/** @param {string[]} argv */
function parse(argv) {
  const list = {
    .../** @type {const} */ ({ type: 'string', multiple: true }),
    default: /** @type {string[]} */ ([]),
  };
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const text = /** @type {const} */ ({ type: 'string' });
  const options = {
    machine: text,
    sh: flag,
    timeout: text,
    memory: text,
    nic: list,
    'no-nic': flag,
    'no-vdpa': flag,
    'no-autoprobe': flag,
    disk: list,
    env: list,
    cwd: text,
    writable: list,
    verbose: flag,
    help: flag,
  };
  let end = 0;
  while (argv[end]?.startsWith('--') && argv[end] !== '--') {
    const name = /** @type {string} */ (argv[end]).slice(2);
    const known = /** @type {Record<string, { type: string }>} */ (options)[name];
    end += known?.type === 'string' ? 2 : 1;
  }
  const { values } = parseArgs({ args: argv.slice(0, end), options });
  const command = argv.slice(argv[end] === '--' ? end + 1 : end);
  return { values, command };
}

async function main() {
  const { values, command } = parse(process.argv.slice(2));
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const script = command[0];
  if (script === undefined) throw new LabError('no command given; --help explains');
  if (values.sh && command.length > 1) throw new LabError('--sh wants the script in one argument');
  if (values['no-nic'] && values.nic.length > 0) throw new LabError('--nic and --no-nic exclude');

  const abort = new AbortController();
  let status = 0;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      status = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal];
      abort.abort();
    });
  }
  // Whoever read our output has gone: there is nobody left to run for.
  process.stdout.on('error', () => abort.abort());
  const seconds = number(values.timeout, '--timeout');
  const parameters = keyValues(values.nic, '--nic');
  const result = await runInLab(values.sh ? script : command, {
    machine: values.machine === undefined ? undefined : machineNamed(values.machine).name,
    timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    memoryMiB: number(values.memory, '--memory'),
    nic: values['no-nic'] ? false : values.nic.length > 0 ? parameters : undefined,
    vdpa: !values['no-vdpa'],
    autoprobe: values['no-autoprobe'] ? false : undefined,
    disks: values.disk,
    env: keyValues(values.env, '--env'),
    cwd: values.cwd,
    writable: values.writable,
    signal: abort.signal,
    stdio: 'inherit',
  });
  if (values.verbose) process.stderr.write(result.kernelLog);
  if (result.error !== null) {
    if (result.status === 125 && !values.verbose) {
      process.stderr.write(`${lastLines(result.kernelLog)}\n`);
    }
    process.stderr.write(`lab: ${result.error}\n`);
  }
  return result.aborted ? status || result.status : result.status;
}

try {
  process.exitCode = await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`lab: ${message.trim().replace(/\s*\n\s*/g, ' ')}\n`);
  process.exitCode = 125;
}
