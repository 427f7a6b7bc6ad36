import { SqliteStore } from '../../support/built-store.js';
import { newStorePath } from '../../support/store-files.js';
import { testStoreContract } from './store-contract.js';

testStoreContract('the SQLite store', () => new SqliteStore(newStorePath()));
