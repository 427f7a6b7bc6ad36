import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { SqliteDatabase } from '../../../src/tracker/sqlite-database.js';
import { ownDatabase } from '../../../src/tracker/sqlite-ownership.js';
import { encodeChange } from '../../../src/tracker/store-change.js';
import { storePath } from '../../../src/tracker/store-path.js';
import { closedStore } from '../../support/made-stores.js';
import { newStorePath, outputOf, storeProcess } from '../../support/store-files.js';
import { adding } from '../../support/stored.js';

describe('the file of a store', () => {
  test('waits for the disk with every commit, on every connection', () => {
    const path = newStorePath();
    for (let round = 0; round < 3; round++) {
      const database = SqliteDatabase.open(storePath(path));
      expect(database.synchronous).toBe(2);
      database.close();
    }
  });

  test("is its owner's alone, and so is everything beside it", () => {
    const path = newStorePath();
    const { database, close } = ownDatabase(path);
    database.commit([encodeChange(adding(0))]);
    const modes = readdirSync(dirname(path)).map((name) => [
      name,
      (statSync(join(dirname(path), name)).mode & 0o077).toString(8),
    ]);
    close();
    expect(modes).toEqual(
      ['store', 'store-shm', 'store-wal', 'store.lock', 'store.owner'].map((name) => [name, '0']),
    );
  });

  test('is made anew over what a killed maker left', () => {
    const path = newStorePath();
    writeFileSync(`${path}.new`, 'half');
    writeFileSync(`${path}.new-wal`, 'half');
    const { opened, close } = ownDatabase(path);
    expect(opened.revision).toBe(0);
    close();
    expect(readdirSync(dirname(path)).toSorted()).toEqual(['store', 'store.lock']);
  });

  test('is busy while another program writes, and goes on when that ends', () => {
    const path = closedStore();
    const database = SqliteDatabase.open(storePath(path));
    const shell = new Database(path);
    shell.exec('BEGIN IMMEDIATE');
    expect(() => database.commit([{ devices: [], claims: [], operations: [] }])).toThrow(
      expect.objectContaining({ code: 'STORE_BUSY', outcome: 'unchanged', retry: 'later' }),
    );
    shell.exec('ROLLBACK');
    expect(database.commit([{ devices: [], claims: [], operations: [] }])).toEqual([
      { committed: true, revision: 3 },
    ]);
    shell.close();
    database.close();
  });

  test('that may not grow any more is full: nothing was stored, and what there is stays', async () => {
    const path = closedStore();
    const [write] = adding(0).devices;
    const script = `
      const store = new SqliteStore(path);
      await store.open();
      const to = ${JSON.stringify(write?.to)};
      to.device.extra.long = 'x'.repeat(30000);
      const put = (n) => {
        const device = { ...to.device, id: 'pci/new' + n };
        const write = { id: device.id, from: null, to: { ...to, device } };
        return store.commit([{ devices: [write], claims: [] }]);
      };
      let stored = 0;
      let failure = null;
      while (failure === null) await put(stored).then(() => stored++, (error) => (failure = error));
      const { code, outcome, errno } = failure;
      const { revision } = await store.changes(0);
      console.log(JSON.stringify({ failure: [code, outcome, errno], stored, revision }));
      await store.close();`;
    const said = await outputOf(storeProcess(path, script, 'prlimit', '--fsize=300000'));
    const { failure, stored, revision } = JSON.parse(said);
    expect(failure).toEqual(['STORE_FULL', 'unchanged', 'EFBIG']);
    expect(stored).toBeGreaterThan(0);
    expect(revision).toBe(stored + 2);
    const { opened, close } = ownDatabase(path);
    expect(opened.state.devices).toHaveLength(60 + stored);
    close();
    expect(readdirSync(dirname(path)).toSorted()).toEqual(['store', 'store.lock']);
  });

  test('forgets the oldest removals, and then says so', () => {
    const path = newStorePath();
    const database = SqliteDatabase.open(storePath(path));
    const write = (from: number | null, body: string | null) => ({ id: 'x', from, body });
    const [making, removing] = [write(null, '{}'), write(1, null)].map((device) => ({
      devices: [device],
      claims: [],
      operations: [],
    }));
    if (making === undefined || removing === undefined) throw new Error('no changes');
    for (let round = 0; round < 4; round++) {
      database.commit(Array.from({ length: 6000 }, (_, index) => (index % 2 ? removing : making)));
    }
    // 12,000 removals, every second revision; the first 2,000 are forgotten.
    expect(database.changes(3999)).toBeNull();
    expect(database.changes(4000)).toMatchObject({ revision: 24_000, removedDevices: ['x'] });
    database.close();
  });
});
