import { readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { storeSchema } from '../../../src/tracker/sqlite-schema.js';
import { checkStore } from '../../../src/tracker/store-check.js';
import { openStoreReader } from '../../../src/tracker/store-reader.js';
import { SqliteStore } from '../../support/built-store.js';
import { closedStore, killedStore, sql } from '../../support/made-stores.js';
import { newStorePath, openingElsewhere } from '../../support/store-files.js';
import { adding, deviceId } from '../../support/stored.js';

describe('a reader', () => {
  test('reads beside the owner, and sees what is durable', async () => {
    const path = newStorePath();
    const store = new SqliteStore(path);
    await store.open();
    await store.commit([adding(0)]);
    const reader = openStoreReader(path);
    expect(reader.read().revision).toBe(1);
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.commit([adding(index + 1)])));
    expect(reader.read().state.devices).toHaveLength(21);
    expect(reader.changes(1)?.state.devices).toHaveLength(20);
    expect(checkStore(path)).toMatchObject({ faults: [], holder: { pid: process.pid } });
    reader.close();
    // To have looked has not taken the lock from the owner.
    expect(await openingElsewhere(path)).toBe('STORE_LOCKED');
    await store.close();
  });

  test.each([
    ['a store that was closed', closedStore],
    ['a store whose owner was killed', killedStore],
    [
      'a copied store without its shared memory',
      () => {
        const path = killedStore();
        rmSync(`${path}-shm`);
        return path;
      },
    ],
  ])('reads %s, and makes no file', (_, make) => {
    const path = make();
    const files = readdirSync(dirname(path));
    const reader = openStoreReader(path);
    expect(reader.read().state).toMatchObject({ claims: [{ value: { id: 'a' } }], fence: 1 });
    reader.close();
    expect(checkStore(path)).toMatchObject({ faults: [], holder: null });
    expect(readdirSync(dirname(path))).toEqual(files);
  });

  test('of no store says so', () => {
    expect(() => openStoreReader(newStorePath())).toThrow(
      expect.objectContaining({ code: 'STORE_NOT_FOUND' }),
    );
  });
});

describe('checking a store', () => {
  test.each<[string, string, RegExp]>([
    [
      'a record whose claim is gone',
      'DELETE FROM holdings; DELETE FROM claims',
      /pci\/0000:10:00\.0 is claimed for claim a, which is not there/,
    ],
    [
      'a claim whose device has no record',
      `DELETE FROM devices WHERE id = '${deviceId(0)}'`,
      /claim a has pci\/0000:10:00\.0, which has no record/,
    ],
    [
      'a claim whose device says otherwise',
      `UPDATE devices SET body = json_set(body, '$.status', 'available', '$.claimId', null) WHERE id = '${deviceId(0)}'`,
      /whose record says available/,
    ],
    [
      'a claim of another status',
      "UPDATE claims SET body = json_set(body, '$.status', 'allocated')",
      /is claimed, its claim a allocated/,
    ],
    [
      'a claim that lost its device',
      "UPDATE claims SET body = json_set(body, '$.devices', json('[]'))",
      /is kept as the owner of pci\/0000:10:00\.0, which it does not have/,
    ],
    ['a claim that is not kept as owner', 'DELETE FROM holdings', /and is not kept as its owner/],
    [
      'a fence that was never given',
      'UPDATE store SET fence = 0',
      /claim a has fence 1, the store's last is 0/,
    ],
  ])('finds %s', (_, damage, words) => {
    const path = closedStore();
    sql(path, damage);
    const { content, faults } = checkStore(path);
    expect(content).toMatchObject({ schema: storeSchema.version, revision: 2 });
    expect(faults.map(({ message }) => message).join('\n')).toMatch(words);
  });

  test('finds what a plain reading does not see', () => {
    const path = closedStore();
    // An index that disagrees with its table.
    sql(
      path,
      `PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, '(device)', '(claim)') WHERE name = 'one_owner'`,
    );
    expect(checkStore(path).faults.length).toBeGreaterThan(0);
  });
});
