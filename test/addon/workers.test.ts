import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { Lease } from './support/lease.js';
import { descriptorsTo, distUrl, eventually, threads } from './support/process.js';

function host(): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({ address: '0000:65:00.0', totalVfs: 8, numVfs: 4 });
  tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
  return tree;
}

function start(root: string, mode: 'read' | 'leave' | 'storm' | 'stick', rounds = 1): Worker {
  return new Worker(new URL('./support/reader-worker.mjs', import.meta.url), {
    workerData: { distUrl, root, mode, rounds },
  });
}

/** The first message of a worker; fails when it ends or throws before. */
async function message(worker: Worker): Promise<unknown> {
  const [value] = await Promise.race([
    once(worker, 'message'),
    once(worker, 'exit').then(([code]) => {
      throw new Error(`the worker ended with ${code}`);
    }),
  ]);
  return value;
}

async function allGone(root: string, threadsBefore: number): Promise<void> {
  await eventually(
    () => descriptorsTo(root).length,
    (count) => count === 0,
  );
  await eventually(threads, (count) => count <= threadsBefore);
}

describe('worker threads', () => {
  test('read the same root at once with the main thread, and agree', async () => {
    using tree = host();
    await using own = await VdpaHost.open({ root: tree.root });
    const workers = Array.from({ length: 4 }, () => start(tree.root, 'read', 20));
    const answers = workers.map(message);
    for (let i = 0; i < 20; i++) expect((await own.inventory()).devices).toHaveLength(1);

    expect(await Promise.all(answers)).toEqual(
      Array.from({ length: 4 }, () => new Array(20).fill([1, 1, 10])),
    );
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test('read the live machine at once', async () => {
    const workers = Array.from({ length: 4 }, () => start('/', 'read', 5));
    const answers = await Promise.all(workers.map(message));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test('may exit with everything open and calls outstanding', async () => {
    using tree = host();
    const before = threads();
    const descriptors = descriptorsTo(tree.root).length;
    for (let round = 0; round < 5; round++) {
      const [code] = await once(start(tree.root, 'leave', 10), 'exit');
      expect(code).toBe(5);
    }
    expect(descriptors).toBe(0);
    await allGone(tree.root, before);
  });

  test('may be terminated in the middle of anything, 30 times', { timeout: 60_000 }, async () => {
    using tree = host();
    const before = threads();
    for (let round = 0; round < 30; round++) {
      const worker = start(tree.root, 'storm');
      await message(worker);
      await sleep(round % 10);
      await worker.terminate();
    }
    await allGone(tree.root, before);

    await using own = await VdpaHost.open({ root: tree.root });
    expect((await own.inventory()).devices).toHaveLength(1);
  });

  test('may be terminated before the addon has been loaded', async () => {
    using tree = host();
    for (let round = 0; round < 10; round++) {
      const worker = start(tree.root, 'storm');
      await once(worker, 'online');
      await sleep(round);
      await worker.terminate();
    }
  });

  test('may end while the kernel holds their call, which comes back to nobody', async () => {
    using tree = host();
    const before = threads();
    {
      await using _ = await Lease.take(join(tree.root, 'netlink/dev-dump.bin'));
      const worker = start(tree.root, 'stick', 60_000);
      expect(await message(worker)).toBe('asked');
      await worker.terminate();

      const patient = start(tree.root, 'stick', 20);
      const ended = once(patient, 'exit');
      await message(patient);
      expect(await message(patient)).toBe('KERNEL_TIMEOUT');
      expect(await ended).toEqual([0]);
      expect(descriptorsTo(tree.root)).not.toEqual([]);
    }
    await allGone(tree.root, before);
    await using own = await VdpaHost.open({ root: tree.root });
    expect((await own.inventory()).devices).toHaveLength(1);
  });
});
