import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SqliteDatabase } from '../../../src/tracker/sqlite-database.js';
import { Migrations } from '../../../src/tracker/sqlite-migrations.js';
import { applicationId, storeSteps } from '../../../src/tracker/sqlite-schema.js';
import { encodeChange } from '../../../src/tracker/store-change.js';
import { storePath } from '../../../src/tracker/store-path.js';
import { openStoreReader } from '../../../src/tracker/store-reader.js';
import { closedStore, killedStore, sql } from '../../support/made-stores.js';
import { newStorePath } from '../../support/store-files.js';
import { adding } from '../../support/stored.js';

// The schema of today is the older one of a later version that is made up.

const later = (...steps: readonly string[]): Migrations =>
  new Migrations(applicationId, [...storeSteps, ...steps]);
/** Both change what is read: the epoch, and each document. */
const second = "UPDATE store SET epoch = 'second ' || epoch";
const third = `ALTER TABLE devices ADD COLUMN note TEXT;
  UPDATE devices SET body = json_set(body, '$.device.productId', 'ffff')`;

const today = storeSteps.length;

function versionOf(path: string): unknown {
  const db = new Database(path, { readonly: true });
  const version = db.pragma('user_version', { simple: true });
  db.close();
  return version;
}

describe('a store of an older schema', () => {
  test.each([
    ['that was closed', closedStore],
    ['whose owner was killed', killedStore],
  ])('%s is brought up to date by its owner, step by step', (_, make) => {
    const path = make();
    const database = SqliteDatabase.open(storePath(path), later(second, third));
    const { epoch, state } = database.read();
    expect(epoch).toMatch(/^second /);
    expect(state.devices).toHaveLength(60);
    expect(state.claims).toHaveLength(1);
    expect(state.devices.every(({ value }) => value.device.productId === 'ffff')).toBe(true);
    expect(database.commit([encodeChange(adding(99))])).toMatchObject([{ committed: true }]);
    database.close();
    expect(versionOf(path)).toBe(today + 2);
    // Only once.
    const again = SqliteDatabase.open(storePath(path), later(second, third));
    expect(again.read().epoch).toBe(epoch);
    again.close();
  });

  test('keeps the steps that were made when a later one fails, and goes on from there', () => {
    const path = closedStore();
    const broken = `${third}; INSERT INTO nowhere VALUES (1)`;
    expect(() => SqliteDatabase.open(storePath(path), later(second, broken))).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED', outcome: 'unchanged' }),
    );
    expect(versionOf(path)).toBe(today + 1);
    const database = SqliteDatabase.open(storePath(path), later(second, third));
    expect(database.read().epoch).toMatch(/^second [^ ]*$/);
    database.close();
  });

  test.each([
    ['that was closed', closedStore],
    ['whose owner was killed', killedStore],
  ])('%s is read as the later one, and stays as it is', (_, make) => {
    const path = make();
    const files = readdirSync(dirname(path));
    const temporary = dirname(newStorePath());
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const reader = openStoreReader(path, later(second, third));
    expect(reader.schema).toBe(today);
    expect(reader.faults()).toEqual([]);
    expect(reader.strayHoldings()).toEqual([]);
    const { epoch, state } = reader.read();
    expect(epoch).toMatch(/^second /);
    expect(state.devices[0]?.value.device.productId).toBe('ffff');
    reader.close();
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(dirname(path))).toEqual(files);
    expect(versionOf(path)).toBe(today);
  });

  test('is read beside an older owner that goes on', () => {
    const path = closedStore();
    const owner = SqliteDatabase.open(storePath(path));
    const reader = openStoreReader(path, later(second));
    expect(reader.read().epoch).toMatch(/^second /);
    expect(owner.commit([encodeChange(adding(99))])).toMatchObject([{ committed: true }]);
    reader.close();
    expect(owner.read().state.devices).toHaveLength(61);
    owner.close();
    expect(versionOf(path)).toBe(today);
  });
});

test('a new store has the latest schema', () => {
  const path = newStorePath();
  SqliteDatabase.open(storePath(path), later(second)).close();
  expect(versionOf(path)).toBe(today + 1);
});

test('a later schema is refused by owner and reader, with what to do', () => {
  const path = closedStore();
  sql(path, `PRAGMA user_version = ${today + 1}`);
  const tooNew = expect.objectContaining({
    code: 'STORE_TOO_NEW',
    outcome: 'unchanged',
    retry: 'after-fix',
    message: expect.stringContaining(
      `it has schema ${today + 1}, and this one knows ${today}; use a version that does`,
    ),
  });
  expect(() => SqliteDatabase.open(storePath(path))).toThrow(tooNew);
  expect(() => openStoreReader(path)).toThrow(tooNew);
  expect(versionOf(path)).toBe(today + 1);
});

test('a claim of a store from before guests were kept is in none', () => {
  const path = closedStore();
  withoutOperations(path);
  sql(path, "UPDATE claims SET body = json_remove(body, '$.guest'); PRAGMA user_version = 1");
  const database = SqliteDatabase.open(storePath(path));
  expect(database.read().state.claims.map(({ value }) => value.guest)).toEqual([null]);
  database.close();
});

test('a store from before operations were kept has none, and knows what was removed', () => {
  const path = closedStore();
  sql(path, "INSERT INTO removals (revision, kind, id) VALUES (1, 'device', 'gone')");
  withoutOperations(path);
  sql(path, 'PRAGMA user_version = 2');
  const database = SqliteDatabase.open(storePath(path));
  expect(database.read().state.operations).toEqual([]);
  expect(database.changes(0)).toMatchObject({ removedDevices: ['gone'], removedOperations: [] });
  database.close();
  expect(versionOf(path)).toBe(today);
});

/** As schema 2 had it. */
function withoutOperations(path: string): void {
  sql(
    path,
    `DROP TABLE operations;
     ALTER TABLE removals RENAME TO later_removals;
     CREATE TABLE removals (
       place INTEGER PRIMARY KEY, revision INTEGER NOT NULL,
       kind TEXT NOT NULL CHECK (kind IN ('device', 'claim')), id TEXT NOT NULL
     ) STRICT;
     INSERT INTO removals SELECT * FROM later_removals;
     DROP TABLE later_removals`,
  );
}
