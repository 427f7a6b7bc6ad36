import { randomUUID } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  openSync,
  unlinkSync,
} from 'node:fs';
import { VdpaError } from '../errors.js';
import { type Connection, connect } from './sqlite-engine.js';
import { sqliteCode, storeError } from './sqlite-error.js';
import { holderText, type StoreHolder } from './store-holder.js';
import { isOwnerHidden, readOwner, removeOwner, writeOwner } from './store-owner.js';
import { notOpened } from './store-path.js';

/** Who looks whether the lock is held holds it for that moment; nobody is turned away for that. */
const lookMs = 500;

/**
 * The lock of a store: the kernel gives it back when its holder dies, however that happens.
 *
 * It is a transaction in an empty SQLite database of its own, and with that a POSIX lock on that file,
 * which SQLite keeps apart also for connections of one process. Such locks go when their process
 * closes any descriptor of the file: so nothing but SQLite ever opens it, and the owner's name is in
 * another file.
 */
export class StoreLock {
  readonly #db: Connection;
  readonly #file: string;

  /** @throws {VdpaError} `STORE_LOCKED` with its holder's name */
  static take(file: string): StoreLock {
    makeLockFile(file);
    const db = connected(file);
    try {
      // SQLite opens what it may not write for reading, and then locks nothing.
      if (!isWritable(`${file}.lock`)) {
        const why = `its lock ${file}.lock may not be written: run as its owner`;
        throw notOpened(file, why, 'EACCES');
      }
      db.prepare('BEGIN IMMEDIATE').run();
      writeOwner(file);
    } catch (error) {
      db.close();
      if (sqliteCode(error) === 'SQLITE_BUSY') throw locked(file);
      throw storeError(error, `${file}.lock`, 'lock');
    }
    return new StoreLock(db, file);
  }

  private constructor(db: Connection, file: string) {
    this.#db = db;
    this.#file = file;
  }

  release(): void {
    if (!this.#db.open) return;
    // While it is still ours: it might be the next owner's.
    removeOwner(this.#file);
    this.#db.close();
  }
}

/** Who holds the lock of the store at `file`. @throws {VdpaError} when that cannot be found out */
export function holderOf(file: string): StoreHolder {
  if (!isLockFile(file)) return null;
  // Who may not take the lock cannot try it, and has only the owner's word.
  if (!isWritable(`${file}.lock`)) {
    return readOwner(file) ?? (isOwnerHidden(file) ? 'unknown' : null);
  }
  const db = connected(file);
  try {
    db.prepare('BEGIN IMMEDIATE').run();
    return null;
  } catch (error) {
    if (sqliteCode(error) === 'SQLITE_BUSY') return readOwner(file) ?? 'unknown';
    throw storeError(error, `${file}.lock`, 'look at');
  } finally {
    db.close();
  }
}

const ownersAlone = 0o600;

/**
 * Its owner's alone: whoever may read it can lock it, and keep the owner out. SQLite would make it for
 * all to read. It comes into place whole and closed, as closing it would let go of a lock on it.
 */
function makeLockFile(file: string): void {
  const path = `${file}.lock`;
  const draft = `${path}.${randomUUID()}`;
  try {
    if (isLockFile(file)) {
      const { mode, uid } = lstatSync(path);
      if ((mode & 0o777) !== ownersAlone && uid === process.geteuid?.())
        chmodSync(path, ownersAlone);
      return;
    }
    closeSync(openSync(draft, 'wx', ownersAlone));
    try {
      linkSync(draft, path);
    } finally {
      unlinkSync(draft);
    }
  } catch (error) {
    // Another made it at the same time.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw storeError(error, path, 'make');
  }
}

/** Whether it is there. @throws {VdpaError} `STORE_NOT_OPENED` when something else is: a link would lead to a lock that others do not look at */
function isLockFile(file: string): boolean {
  const path = `${file}.lock`;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile()) return stats !== undefined;
  throw notOpened(file, `its lock ${path} is no plain file: remove it`, 'EINVAL');
}

function connected(file: string): Connection {
  try {
    const db = connect(`${file}.lock`, { timeoutMs: lookMs });
    // Nothing is ever written to it, so no journal lies beside it.
    db.pragma('journal_mode = MEMORY');
    return db;
  } catch (error) {
    throw storeError(error, `${file}.lock`, 'open');
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function locked(file: string): VdpaError {
  const holder = readOwner(file) ?? 'unknown';
  return new VdpaError('STORE_LOCKED', `the store ${file} belongs to ${holderText(holder)}`, {
    step: `lock ${file}.lock`,
    retry: 'later',
  });
}
