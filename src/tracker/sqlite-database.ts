import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import type { ClaimId } from './claim.js';
import { type Connection, connect } from './sqlite-engine.js';
import { corrupt, storeError } from './sqlite-error.js';
import { assertSoundLog } from './sqlite-log.js';
import type { Migrations } from './sqlite-migrations.js';
import { readChanges, readStore, storeRowReader } from './sqlite-reading.js';
import { storeSchema } from './sqlite-schema.js';
import type { ChangeResult, ChangesSince, OpenedStore } from './store.js';
import { conflictOf, type EncodedChange, type StoredVersions } from './store-change.js';
import type { StorePath } from './store-path.js';

/** How long a transaction of somebody else (a person in the sqlite3 shell) is waited for. */
const busyMs = 2000;
/** How many removals `changes` knows. */
const keptRemovals = 10_000;

/**
 * The store's file, in the hands of its one owner, who holds the lock. Every call blocks its thread
 * until it is done.
 */
export class SqliteDatabase {
  readonly #db: Connection;
  readonly #path: string;
  readonly #statements: Statements;
  readonly #row: ReturnType<typeof storeRowReader>;
  readonly #versions: StoredVersions;

  /**
   * Opens the store, and makes it when there is none. One of an older schema is brought up to date.
   *
   * @throws {VdpaError}
   */
  static open(path: StorePath, schema: Migrations = storeSchema): SqliteDatabase {
    const { file, folder, exists } = path;
    try {
      assertSoundLog(file);
      if (!exists) create(file, schema);
      // The file's name is durable from here on, also when its maker was killed before it saw to that.
      syncFolder(folder);
      return new SqliteDatabase(connect(file, { timeoutMs: busyMs }), file, schema);
    } catch (error) {
      throw storeError(error, file, 'open');
    }
  }

  private constructor(db: Connection, path: string, schema: Migrations) {
    this.#db = db;
    this.#path = path;
    try {
      schema.assertKnown(db, path);
      configure(db);
      const faults = db.pragma('quick_check(1)', { simple: true });
      if (faults !== 'ok') throw corrupt(path, String(faults));
      schema.migrate(db);
      this.#statements = prepare(db);
      this.#row = storeRowReader(db, path);
    } catch (error) {
      db.close();
      throw error;
    }
    const { deviceVersion, claimVersion, operationVersion, holder } = this.#statements;
    this.#versions = {
      device: (id) => deviceVersion.get(id) ?? null,
      claim: (id) => claimVersion.get(id) ?? null,
      operation: (instance) => operationVersion.get(instance) ?? null,
      holder: (device) => holder.get(device) ?? null,
    };
  }

  /** Everything, checked. @throws {VdpaError} */
  read(): OpenedStore {
    try {
      return readStore(this.#db, this.#path);
    } catch (error) {
      throw storeError(error, this.#path, 'read');
    }
  }

  /** @throws {VdpaError} */
  changes(from: number): ChangesSince | null {
    try {
      return readChanges(this.#db, this.#path, from);
    } catch (error) {
      throw storeError(error, this.#path, 'read');
    }
  }

  /**
   * Makes all changes in one transaction, each unless it is in conflict. Durable on return.
   *
   * @throws {VdpaError} when none of them was stored (`outcome` unchanged), or nobody knows
   */
  commit(changes: readonly EncodedChange[]): ChangeResult[] {
    const { begin, commit, rollback, writeStore } = this.#statements;
    try {
      begin.run();
      const row = this.#row();
      let { revision, fence } = row;
      const results = changes.map((change): ChangeResult => {
        const conflict = conflictOf(change, this.#versions);
        if (conflict !== null) return { committed: false, conflict };
        this.#write(change, ++revision);
        for (const claim of change.claims) fence = Math.max(fence, claim.fence);
        return { committed: true, revision };
      });
      if (revision > row.revision) {
        const removing = changes.some(removes);
        writeStore.run(revision, fence, (removing ? this.#forget() : null) ?? row.forgotten);
      }
      commit.run();
      return results;
    } catch (error) {
      try {
        if (this.#db.inTransaction) rollback.run();
      } catch {
        // What broke the commit is what counts.
      }
      throw storeError(error, this.#path, 'commit to', true);
    }
  }

  /** Whether commits wait for the disk: 2 (FULL), on every connection. */
  get synchronous(): unknown {
    return this.#db.pragma('synchronous', { simple: true });
  }

  close(): void {
    this.#db.close();
  }

  #write({ devices, claims, operations }: EncodedChange, revision: number): void {
    const s = this.#statements;
    for (const { id, from, body } of devices) {
      if (body !== null) s.writeDevice.run(id, (from ?? 0) + 1, revision, body);
      else if (s.removeDevice.run(id).changes > 0) s.noteRemoval.run(revision, 'device', id);
    }
    // First all are let go: a device may pass from one claim of a change to another.
    for (const { id, from } of claims) if (from !== null) s.letGo.run(id);
    for (const { id, from, body, devices: held } of claims) {
      if (body !== null) s.writeClaim.run(id, (from ?? 0) + 1, revision, body);
      else if (s.removeClaim.run(id).changes > 0) s.noteRemoval.run(revision, 'claim', id);
      for (const device of held) s.hold.run(id as ClaimId, device);
    }
    for (const { id, from, body } of operations) {
      if (body !== null) s.writeOperation.run(id, (from ?? 0) + 1, revision, body);
      else if (s.removeOperation.run(id).changes > 0) s.noteRemoval.run(revision, 'operation', id);
    }
  }

  /** Drops the oldest removals over the number that is kept; the revision of the last that went. */
  #forget(): number | null {
    const { lastRemoval, forget } = this.#statements;
    const last = lastRemoval.get() ?? 0;
    const gone = last > keptRemovals ? forget.all(last - keptRemovals) : [];
    return gone.length === 0 ? null : Math.max(...gone);
  }
}

function removes({ devices, claims, operations }: EncodedChange): boolean {
  return [devices, claims, operations].some((writes) => writes.some(({ body }) => body === null));
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: Connection) {
  const upsert = (table: string) =>
    db.prepare<[string, number, number, string]>(
      `INSERT INTO ${table} (id, version, revision, body) VALUES (?, ?, ?, ?) ON CONFLICT (id)
       DO UPDATE SET version = excluded.version, revision = excluded.revision, body = excluded.body`,
    );
  const version = (table: string) =>
    db.prepare<[string], number>(`SELECT version FROM ${table} WHERE id = ?`).pluck();
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    deviceVersion: version('devices'),
    claimVersion: version('claims'),
    operationVersion: version('operations'),
    holder: db.prepare<[string], string>('SELECT claim FROM holdings WHERE device = ?').pluck(),
    writeDevice: upsert('devices'),
    writeClaim: upsert('claims'),
    writeOperation: upsert('operations'),
    removeDevice: db.prepare<[string]>('DELETE FROM devices WHERE id = ?'),
    removeClaim: db.prepare<[string]>('DELETE FROM claims WHERE id = ?'),
    removeOperation: db.prepare<[string]>('DELETE FROM operations WHERE id = ?'),
    hold: db.prepare<[string, string]>('INSERT INTO holdings (claim, device) VALUES (?, ?)'),
    letGo: db.prepare<[string]>('DELETE FROM holdings WHERE claim = ?'),
    noteRemoval: db.prepare<[number, string, string]>(
      'INSERT INTO removals (revision, kind, id) VALUES (?, ?, ?)',
    ),
    lastRemoval: db.prepare<[], number>('SELECT max(place) FROM removals').pluck(),
    forget: db
      .prepare<[number], number>('DELETE FROM removals WHERE place <= ? RETURNING revision')
      .pluck(),
    writeStore: db.prepare<[number, number, number]>(
      'UPDATE store SET revision = ?, fence = ?, forgotten = ?',
    ),
  };
}

/** @throws {Error} when the connection is not as durable as it must be */
function configure(db: Connection): void {
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode !== 'wal') throw new Error(`the journal mode stays ${mode}`);
  // On every connection: the file does not keep it, and better-sqlite3 comes with NORMAL for WAL.
  db.pragma('synchronous = FULL');
  const synchronous = db.pragma('synchronous', { simple: true });
  if (synchronous !== 2) throw new Error(`synchronous stays ${synchronous}`);
  db.pragma('trusted_schema = OFF');
  db.pragma('cell_size_check = ON');
  db.pragma('temp_store = MEMORY');
  // A burst of commits does not leave its log's size behind for good.
  db.pragma(`journal_size_limit = ${16 << 20}`);
}

/**
 * Makes an empty store under another name and moves it into place: the file is never there without
 * what must be in it, so an empty one is a damaged one.
 */
function create(file: string, schema: Migrations): void {
  const draft = `${file}.new`;
  const remains = [draft, `${draft}-journal`, `${draft}-wal`, `${draft}-shm`];
  for (const path of remains) rmSync(path, { force: true });
  try {
    // Its owner's alone; the files that SQLite puts beside it get the same mode.
    closeSync(openSync(draft, 'wx', 0o600));
    const db = connect(draft, { timeoutMs: busyMs });
    try {
      configure(db);
      schema.migrate(db);
      db.prepare('INSERT INTO store VALUES (1, ?, 0, 0, 0)').run(randomUUID());
    } finally {
      // Empties the log into the file, with a sync, and removes it.
      db.close();
    }
    renameSync(draft, file);
  } catch (error) {
    for (const path of remains) rmSync(path, { force: true });
    throw error;
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
