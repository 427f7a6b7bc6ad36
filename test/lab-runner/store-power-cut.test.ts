import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runInLab } from '../../lab/run.mjs';
import { ownDatabase } from '../../src/tracker/sqlite-ownership.js';
import { answeredSteps, lostSteps, storedSteps, stormProgram } from '../support/store-storm.js';
import { long } from '../support/test-length.js';
import { scratch } from './support.js';

// The kernel's process is killed while a store on its disk is being written, and the disk is mounted
// again in another kernel. What the dead kernel had not written to its disk, a file of this machine, is
// lost as in a power cut: all that was in its page cache and not waited for. (What the disk itself
// may lose is not shown: User-Mode Linux makes a flush an fsync of that file, and it survives.)

const lanes = 16;
const cuts = long ? 50 : 1;
const weakSync = new URL('../support/weak-sync.mjs', import.meta.url).href;
const machine = { nic: false as const, vdpa: false, memoryMiB: 512 };
const mount = 'mkdir /run/m && mount -t ext4 /dev/ubda /run/m';

function newDisk(folder: string): string {
  const disk = join(folder, 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, 64 << 20);
  execFileSync('/sbin/mkfs.ext4', ['-q', '-F', disk]);
  return disk;
}

/** Starts a storm on the disk and cuts the power once it has answered so many steps; what it said. */
async function stormUntilCut(
  disk: string,
  steps: number,
  env: Record<string, string> = {},
): Promise<string> {
  const power = new AbortController();
  let output = '';
  const { aborted, stderr } = await runInLab(
    `${mount} && exec "$NODE" ${stormProgram} /run/m/store ${lanes}`,
    {
      ...machine,
      disks: [disk],
      env: { NODE: process.execPath, ...env },
      signal: power.signal,
      onStdout: (chunk) => {
        output += chunk;
        if (output.split('\n').length > steps) power.abort();
      },
    },
  );
  expect(stderr).toBe('');
  expect(aborted).toBe(true);
  return output;
}

/** The steps that the store on the disk has after the power is back. */
async function stepsOn(disk: string, folder: string): Promise<number[]> {
  const copy = join(folder, 'copy');
  mkdirSync(copy, { recursive: true });
  const { status, stderr } = await runInLab(
    `${mount} && rm -f ${copy}/* && cp /run/m/store /run/m/store-wal ${copy}; umount /run/m`,
    { ...machine, disks: [disk], writable: [folder] },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { opened, close } = ownDatabase(join(copy, 'store'));
  close();
  return storedSteps(opened.state, lanes);
}

test(`${cuts} power cuts in a storm of commits lose nothing that was answered`, async () => {
  const folder = scratch();
  const disk = newDisk(folder);
  let answered: number[] = new Array(lanes).fill(0);
  for (let cut = 0; cut < cuts; cut++) {
    const output = await stormUntilCut(disk, 100 + Math.random() * 900);
    answered = answeredSteps(output, answered);
    const stored = await stepsOn(disk, folder);
    expect(lostSteps(answered, stored)).toBe(0);
    answered = stored;
  }
}, 1_800_000);

test('the same without waiting for the disk loses answered commits: the test can tell', async () => {
  const folder = scratch();
  const disk = newDisk(folder);
  let answered: number[] = new Array(lanes).fill(0);
  let lost = 0;
  // A cut right after a checkpoint, which does wait, would lose nothing.
  for (let cut = 0; lost === 0 && cut < 5; cut++) {
    const output = await stormUntilCut(disk, 500, { NODE_OPTIONS: `--import=${weakSync}` });
    answered = answeredSteps(output, answered);
    const stored = await stepsOn(disk, folder);
    lost = lostSteps(answered, stored);
    answered = stored;
  }
  expect(lost).toBeGreaterThan(0);
}, 1_800_000);
