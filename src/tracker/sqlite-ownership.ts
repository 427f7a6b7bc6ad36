import { SqliteDatabase } from './sqlite-database.js';
import { storeError } from './sqlite-error.js';
import type { OpenedStore } from './store.js';
import { StoreLock } from './store-lock.js';
import { assertWritable, storePath } from './store-path.js';

/** A store's file with the lock that makes it ours. */
export interface OwnedDatabase {
  readonly database: SqliteDatabase;
  readonly opened: OpenedStore;
  close(): void;
}

/**
 * Takes the store at a path, making it when there is none, and reads it.
 *
 * @throws {VdpaError} and then nothing is held
 */
export function ownDatabase(path: string): OwnedDatabase {
  let lock: StoreLock | undefined;
  let database: SqliteDatabase | undefined;
  const close = (): void => {
    database?.close();
    lock?.release();
  };
  try {
    const place = storePath(path);
    assertWritable(place);
    lock = StoreLock.take(place.file);
    // Looked for once more: whoever had the lock before may have made it.
    database = SqliteDatabase.open(storePath(path));
    return { database, opened: database.read(), close };
  } catch (error) {
    close();
    throw storeError(error, path, 'open');
  }
}
