import { accessSync, constants, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { VdpaError } from '../errors.js';
import { type Connection, connect } from './sqlite-engine.js';
import { sqliteCode, storeError } from './sqlite-error.js';
import { holderText, type StoreHolder, type StoreOwner } from './store-holder.js';
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
    const db = connected(file, true);
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
    rmSync(ownerFile(this.#file), { force: true });
    this.#db.close();
  }
}

/** Who holds the lock of the store at `file`. @throws {VdpaError} when that cannot be found out */
export function holderOf(file: string): StoreHolder {
  if (statSync(`${file}.lock`, { throwIfNoEntry: false }) === undefined) return null;
  // Who may not take the lock cannot try it, and has only the owner's word.
  if (!isWritable(`${file}.lock`)) return readOwner(file);
  const db = connected(file, false);
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

function connected(file: string, create: boolean): Connection {
  try {
    const db = connect(`${file}.lock`, { timeoutMs: lookMs, create });
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

function ownerFile(file: string): string {
  return `${file}.owner`;
}

function writeOwner(file: string): void {
  const owner: StoreOwner & { readonly started: string | null } = {
    pid: process.pid,
    started: startOf(process.pid),
    command: process.argv.join(' ').slice(0, 200),
    since: new Date().toISOString(),
  };
  try {
    writeFileSync(ownerFile(file), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  } catch {
    // A full disk: the lock holds all the same, only without a name.
    rmSync(ownerFile(file), { force: true });
  }
}

/** Null when it says nothing that holds: half written, or of a process that is gone. */
function readOwner(file: string): StoreOwner | null {
  try {
    const { pid, started, command, since } = JSON.parse(readFileSync(ownerFile(file), 'utf8'));
    const whole = [started, command, since].every((text) => typeof text === 'string');
    if (!Number.isSafeInteger(pid) || !whole || startOf(pid) !== started) return null;
    return { pid, command, since };
  } catch {
    return null;
  }
}

/** When a process started, in the kernel's own clock: process ids are used again. Null: no such process. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; the start is field 22.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
