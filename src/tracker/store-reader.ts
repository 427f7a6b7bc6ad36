import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VdpaError } from '../errors.js';
import { type Connection, connect } from './sqlite-engine.js';
import { storeError } from './sqlite-error.js';
import { assertSoundLog } from './sqlite-log.js';
import type { Migrations } from './sqlite-migrations.js';
import { readChanges, readStore } from './sqlite-reading.js';
import { storeSchema } from './sqlite-schema.js';
import type { ChangesSince, OpenedStore } from './store.js';
import { storePath } from './store-path.js';

const busyMs = 2000;
const strayHoldings = `
  WITH held (claim, device) AS (
    SELECT claims.id, devices.value ->> 'deviceId'
    FROM claims, json_each(claims.body, '$.devices') AS devices
  )
  SELECT 'claim ' || claim || ' is kept as the owner of ' || device || ', which it does not have'
  FROM (SELECT claim, device FROM holdings EXCEPT SELECT * FROM held)
  UNION ALL
  SELECT 'claim ' || claim || ' has ' || device || ', and is not kept as its owner'
  FROM (SELECT * FROM held EXCEPT SELECT claim, device FROM holdings)`;
/** How often a store is copied anew because somebody wrote to it meanwhile. */
const copies = 5;

/**
 * A store as others read it, beside its owner or without one. Each call blocks its thread for the
 * time of the reading.
 */
export class StoreReader {
  /** The store's own, also when a copy of a later one is read. */
  readonly schema: number;
  /** Of the store itself, and of what is read: another when the store has an older schema. */
  readonly #own: Connection;
  readonly #db: Connection;
  readonly #file: string;
  readonly #copy: string | null;

  /** @param copy a folder that goes with the reader */
  constructor(own: Connection, db: Connection, file: string, schema: number, copy: string | null) {
    this.schema = schema;
    this.#own = own;
    this.#db = db;
    this.#file = file;
    this.#copy = copy;
  }

  /** Everything, as of now. @throws {VdpaError} */
  read(): OpenedStore {
    return this.#reading(() => readStore(this.#db, this.#file));
  }

  /**
   * As `Store.changes`. A store that has no owner, or an older schema, is read as it was when the reader
   * was opened.
   */
  changes(fromRevision: number): ChangesSince | null {
    return this.#reading(() => readChanges(this.#db, this.#file, fromRevision));
  }

  /** SQLite's own check of the whole file: what is broken, nothing when it is sound. */
  faults(): string[] {
    return this.#reading(() => {
      const lines = this.#own.prepare<[], string>('PRAGMA integrity_check(20)').pluck().all();
      return lines.filter((line) => line !== 'ok');
    });
  }

  /** Where the table that admits one owner of a device differs from the claims. */
  strayHoldings(): string[] {
    return this.#reading(() => this.#db.prepare<[], string>(strayHoldings).pluck().all());
  }

  close(): void {
    this.#db.close();
    this.#own.close();
    if (this.#copy !== null) rmSync(this.#copy, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw storeError(error, this.#file, 'read');
    }
  }
}

/**
 * Opens a store for reading. Needs no lock, keeps nobody from writing, and makes no file beside the
 * store.
 *
 * @throws {VdpaError} `STORE_NOT_FOUND`, `STORE_NOT_OPENED`, `STORE_CORRUPT`, `STORE_TOO_NEW`,
 *   `STORE_BUSY`, `STORE_FAILED`, `STORE_ENGINE_MISSING`
 */
export function openStoreReader(path: string, schema: Migrations = storeSchema): StoreReader {
  const { file, exists } = storePath(path);
  if (!exists) {
    if (existsSync(`${file}-wal`)) assertSoundLog(file);
    throw new VdpaError('STORE_NOT_FOUND', `there is no store ${file}`, { step: `open ${file}` });
  }
  let copy: string | null = null;
  try {
    assertSoundLog(file);
    // SQLite puts this file there for all who use the store, and the last of them removes it. Without
    // it even a reader would have to make it: so it reads a copy.
    copy = existsSync(`${file}-shm`) ? null : copyOf(file);
    const readonly = copy === null;
    const db = connect(copy === null ? file : join(copy, 'store'), { timeoutMs: busyMs, readonly });
    try {
      schema.assertKnown(db, file);
      const version = schema.versionOf(db);
      if (version === schema.version) return new StoreReader(db, db, file, version, copy);
      copy ??= temporaryFolder();
      const migrated = migratedCopy(db, join(copy, 'migrated'), schema);
      return new StoreReader(db, migrated, file, version, copy);
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    if (copy !== null) rmSync(copy, { recursive: true, force: true });
    throw storeError(error, file, 'read');
  }
}

/** What an older vdpa-host wrote is its owner's to bring up to date: a reader does so with a copy. */
function migratedCopy(db: Connection, path: string, schema: Migrations): Connection {
  db.prepare('VACUUM INTO ?').run(path);
  const copy = connect(path, { timeoutMs: busyMs });
  try {
    schema.migrate(copy);
    return copy;
  } catch (error) {
    copy.close();
    throw error;
  }
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'vdpa-host-store-'));
}

/** A folder with a copy of a store that nobody uses. Null: somebody began to. */
function copyOf(file: string): string | null {
  const folder = temporaryFolder();
  const log = `${file}-wal`;
  for (let round = 0; round < copies; round++) {
    const before = stateOf(file);
    copyFileSync(file, join(folder, 'store'));
    if (existsSync(log)) copyFileSync(log, join(folder, 'store-wal'));
    if (existsSync(`${file}-shm`)) break;
    if (stateOf(file) === before) return folder;
    rmSync(join(folder, 'store-wal'), { force: true });
  }
  rmSync(folder, { recursive: true, force: true });
  return null;
}

/** Differs when a file has been written in between. */
function stateOf(file: string): string {
  return [file, `${file}-wal`]
    .map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
    .map((stats) => stats && [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join())
    .join(' ');
}
