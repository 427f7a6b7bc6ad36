import type { DeviceId } from '../host/device-id.js';
import type { ClaimId, InstanceId } from './claim.js';
import type { Connection } from './sqlite-engine.js';
import { corrupt } from './sqlite-error.js';
import type { ChangesSince, OpenedStore, StoreState, Versioned } from './store.js';
import { readClaim, readDeviceRecord, readOperation } from './store-form.js';

interface DocumentRow {
  readonly id: string;
  readonly version: number;
  readonly body: string;
}

/** The store's own row. */
interface StoreRow {
  readonly epoch: string;
  readonly revision: number;
  readonly fence: number;
  readonly forgotten: number;
}

/** Reads the store's own row. Prepared once, as every commit begins with it. */
export function storeRowReader(db: Connection, path: string): () => StoreRow {
  const read = db.prepare<[], StoreRow>('SELECT epoch, revision, fence, forgotten FROM store');
  return () => {
    const row = read.get();
    if (row === undefined) throw corrupt(path, 'its table "store" is empty');
    return row;
  };
}

/** Everything, as of one moment. */
export function readStore(db: Connection, path: string): OpenedStore {
  return db.transaction(() => {
    const { epoch, revision, fence } = storeRowReader(db, path)();
    return { epoch, revision, state: readState(db, fence, 0) };
  })();
}

/** @returns null when what was removed since that revision is no longer known */
export function readChanges(db: Connection, path: string, from: number): ChangesSince | null {
  return db.transaction(() => {
    const { revision, fence, forgotten } = storeRowReader(db, path)();
    if (from < forgotten || from > revision) return null;
    const removed = (kind: 'device' | 'claim' | 'operation'): string[] =>
      db
        .prepare<[number, string], string>(
          `SELECT DISTINCT id FROM removals WHERE revision > ? AND kind = ?
           AND id NOT IN (SELECT id FROM ${kind}s)`,
        )
        .pluck()
        .all(from, kind);
    return {
      revision,
      state: readState(db, fence, from),
      removedDevices: removed('device') as DeviceId[],
      removedClaims: removed('claim') as ClaimId[],
      removedOperations: removed('operation') as InstanceId[],
    };
  })();
}

function readState(db: Connection, fence: number, from: number): StoreState {
  return {
    devices: documents(db, 'devices', from, readDeviceRecord),
    claims: documents(db, 'claims', from, readClaim),
    operations: documents(db, 'operations', from, readOperation),
    fence,
  };
}

function documents<T>(
  db: Connection,
  table: 'devices' | 'claims' | 'operations',
  from: number,
  read: (id: string, body: string) => T,
): Versioned<T>[] {
  return db
    .prepare<[number], DocumentRow>(`SELECT id, version, body FROM ${table} WHERE revision > ?`)
    .all(from)
    .map(({ id, version, body }) => ({ version, value: read(id, body) }));
}
