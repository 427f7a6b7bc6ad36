import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import { ConflictingStore } from '../../support/conflicting-store.js';
import { adding, deviceId } from '../../support/stored.js';
import { testStoreContract } from './store-contract.js';

testStoreContract('the store in memory', () => new MemoryStore());
testStoreContract(
  'a store that conflicts nothing',
  () => new ConflictingStore(new MemoryStore(), []),
);

describe('a store that is told to conflict', () => {
  test('leaves out that change of that commit, and no other', async () => {
    const store = new ConflictingStore(new MemoryStore(), [{ commit: 1, change: 1 }]);
    await store.open();
    expect(await store.commit([adding(0), adding(1)])).toMatchObject([
      { committed: true },
      { committed: true },
    ]);
    expect(await store.commit([adding(2), adding(3), adding(4)])).toEqual([
      { committed: true, revision: 3 },
      { committed: false, conflict: deviceId(3) },
      { committed: true, revision: 4 },
    ]);
  });
});
