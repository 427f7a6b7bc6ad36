import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { SqliteStore } from '../../support/built-store.js';
import { testStoreContract } from './store-contract.js';

/** The path of a store that is not there yet, in a folder that goes with the test. */
function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-store-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store');
}

testStoreContract('the SQLite store', () => new SqliteStore(newPath()));
