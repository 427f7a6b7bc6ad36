import Database from 'better-sqlite3';
import { VdpaError } from '../errors.js';

/** Connections to SQLite, and what went wrong when there is no SQLite to connect to. */
export type Connection = Database.Database;

/**
 * Opens an existing database.
 *
 * @param path
 * @param options timeoutMs: how long to wait for locks of others
 * @throws {VdpaError} `STORE_ENGINE_MISSING`
 * @throws SQLite's own errors
 */
export function connect(
  path: string,
  options: { readonly timeoutMs: number; readonly readonly?: boolean },
): Connection {
  const { timeoutMs, readonly = false } = options;
  try {
    return new Database(path, { timeout: timeoutMs, readonly, fileMustExist: true });
  } catch (error) {
    if (error instanceof Database.SqliteError || error instanceof TypeError) throw error;
    throw new VdpaError(
      'STORE_ENGINE_MISSING',
      'better-sqlite3 is not built for this Node: run `npm rebuild better-sqlite3 --ignore-scripts=false`',
      { cause: error, retry: 'after-fix' },
    );
  }
}
