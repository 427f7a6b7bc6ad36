import { once } from 'node:events';
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { holderOf, StoreLock } from '../../../src/tracker/store-lock.js';
import { SqliteStore } from '../../support/built-store.js';
import { newStorePath, openingElsewhere, ownerOf } from '../../support/store-files.js';
import { adding } from '../../support/stored.js';

test('a store that another process owns is locked, and the error names that process', async () => {
  const path = newStorePath();
  const owner = await ownerOf(path);
  const second = new SqliteStore(path);
  await expect(second.open()).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    outcome: 'unchanged',
    retry: 'later',
    message: expect.stringMatching(
      new RegExp(`belongs to process ${owner.pid} \\(.*node.*\\) since \\d{4}-\\d\\d-\\d\\dT`),
    ),
  });
  expect(holderOf(path)).toMatchObject({ pid: owner.pid });
});

test('killing its owner frees a store', async () => {
  const path = newStorePath();
  const owner = await ownerOf(path);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  expect(holderOf(path)).toBeNull();
  const next = new SqliteStore(path);
  await next.open();
  expect(holderOf(path)).toMatchObject({ pid: process.pid });
  await next.close();
  expect(holderOf(path)).toBeNull();
});

test('two stores of one process exclude each other, also by another name of the file', async () => {
  const path = newStorePath();
  const link = join(dirname(path), 'elsewhere', 'link');
  mkdirSync(dirname(link));
  symlinkSync(path, link);
  const first = new SqliteStore(path);
  await first.open();
  for (const name of [path, link]) {
    await expect(new SqliteStore(name).open()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(`process ${process.pid}, this one`),
    });
  }
  // Neither being refused nor looking has let go of the lock.
  expect(await openingElsewhere(path)).toBe('STORE_LOCKED');
  expect(holderOf(path)).toMatchObject({ pid: process.pid });
  await first.close();
  const second = new SqliteStore(link);
  await second.open();
  await second.close();
});

test('a terminated thread lets go of the lock, and its store says that it failed', async () => {
  const path = newStorePath();
  const started: Worker[] = [];
  process.once('worker', (worker) => started.push(worker));
  const store = new SqliteStore(path);
  await store.open();
  await store.commit([adding(0)]);
  const waiting = store.commit([adding(1)]).catch((error: unknown) => error);
  expect(started).toHaveLength(1);
  await started[0]?.terminate();
  // It may have been answered before.
  expect(await waiting).toSatisfy(
    (answer) =>
      Array.isArray(answer) || (answer.code === 'STORE_FAILED' && answer.outcome === 'unknown'),
  );
  await expect(store.commit([adding(2)])).rejects.toMatchObject({
    code: 'STORE_FAILED',
    outcome: 'unknown',
  });
  expect(holderOf(path)).toBeNull();
  await store.close();
  const { state } = await store.open();
  expect(state.devices.length).toBeGreaterThan(0);
  await store.close();
});

test('looking who holds the lock neither takes it nor makes it', () => {
  const path = newStorePath();
  expect(holderOf(path)).toBeNull();
  expect(statSync(`${path}.lock`, { throwIfNoEntry: false })).toBeUndefined();
  const lock = StoreLock.take(path);
  expect(holderOf(path)).toMatchObject({ pid: process.pid });
  expect(statSync(`${path}.lock`).size).toBe(0);
  lock.release();
  lock.release();
  const again = StoreLock.take(path);
  again.release();
});
