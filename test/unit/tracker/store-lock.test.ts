import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
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

test('who may read nothing is not told that nobody owns it', async () => {
  const path = newStorePath();
  chmodSync(dirname(path), 0o755);
  const store = new SqliteStore(path);
  await store.open();
  const module = new URL('../../../dist/tracker/store-lock.js', import.meta.url).href;
  const look = `const { holderOf } = await import('${module}'); console.log(holderOf('${path}'))`;
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const asNobody = () => {
    const argv = [...nobody, process.execPath, '--input-type=module', '-e', look];
    return execFileSync('setpriv', argv, { encoding: 'utf8' }).trim();
  };
  expect(asNobody()).toBe('unknown');
  await store.close();
  expect(asNobody()).toBe('null');
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

describe('what others may have put beside a store', () => {
  test.each(['.owner', '.owner.new'])('a link at %s is not followed', (suffix) => {
    const path = newStorePath();
    const target = join(dirname(path), 'target');
    writeFileSync(target, 'mine');
    symlinkSync(target, path + suffix);
    const lock = StoreLock.take(path);
    expect(readFileSync(target, 'utf8')).toBe('mine');
    expect(holderOf(path)).toMatchObject({ pid: process.pid });
    expect(statSync(`${path}.owner`).mode & 0o777).toBe(0o600);
    lock.release();
    expect(readFileSync(target, 'utf8')).toBe('mine');
    expect(readdirSync(dirname(path)).toSorted()).toEqual(['store.lock', 'target']);
  });

  test('a pipe that is called as the owner is waited for by nobody', async () => {
    const path = newStorePath();
    const owner = await ownerOf(path);
    execFileSync('sh', ['-c', 'rm "$0" && mkfifo "$0"', `${path}.owner`]);
    expect(holderOf(path)).toBe('unknown');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    StoreLock.take(path).release();
  });

  test('a folder that is called as the owner keeps nobody out', () => {
    const path = newStorePath();
    mkdirSync(`${path}.owner`);
    const lock = StoreLock.take(path);
    expect(holderOf(path)).toBe('unknown');
    lock.release();
    expect(holderOf(path)).toBeNull();
  });

  test('a link at the lock is refused: others would lock another file', () => {
    const path = newStorePath();
    writeFileSync(join(dirname(path), 'target'), '');
    symlinkSync(join(dirname(path), 'target'), `${path}.lock`);
    const refused = expect.objectContaining({ code: 'STORE_NOT_OPENED' });
    expect(() => StoreLock.take(path)).toThrow(refused);
    expect(() => holderOf(path)).toThrow(refused);
  });

  test('a lock that others may read, and so hold, is so no longer', () => {
    const path = newStorePath();
    writeFileSync(`${path}.lock`, '');
    chmodSync(`${path}.lock`, 0o644);
    const lock = StoreLock.take(path);
    expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
    lock.release();
  });
});

test('of many that make the lock at once, one gets it', async () => {
  const path = newStorePath();
  const stores = Array.from({ length: 4 }, () => new SqliteStore(path));
  const elsewhere = openingElsewhere(path);
  const opened = await Promise.allSettled(stores.map((store) => store.open()));
  const there = await elsewhere;
  expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
  expect(['open', 'STORE_LOCKED']).toContain(there);
  for (const store of stores) await store.close();
  expect(readdirSync(dirname(path)).toSorted()).toEqual(['store', 'store.lock']);
});
