import { VdpaError } from '../errors.js';
import type { Connection } from './sqlite-engine.js';
import { corrupt } from './sqlite-error.js';

/** "vdpa": tells a store from the databases of other programs. */
const applicationId = 0x76647061;

/**
 * Step n makes schema n + 1 of schema n; the first makes a store of an empty file. Steps that have
 * been released are never changed. A document's form is part of the schema.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    forgotten INTEGER NOT NULL -- removals up to this revision are no longer listed
  ) STRICT;
  CREATE TABLE devices (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE claims (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE holdings (
    claim TEXT NOT NULL REFERENCES claims DEFERRABLE INITIALLY DEFERRED,
    device TEXT NOT NULL,
    PRIMARY KEY (claim, device)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX one_owner ON holdings (device);
  CREATE TABLE removals (
    place INTEGER PRIMARY KEY, -- in the order of removal
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('device', 'claim')),
    id TEXT NOT NULL
  ) STRICT;
  `,
];

export const schemaVersion = migrations.length;

/** The schema that a file has; 0 for an empty one. */
export function schemaOf(db: Connection): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/**
 * Whether the file is a store that this version can read, maybe after migration.
 *
 * @throws {VdpaError} `STORE_TOO_NEW`, `STORE_CORRUPT`
 */
export function assertOurs(db: Connection, path: string): void {
  const version = schemaOf(db);
  if (db.pragma('application_id', { simple: true }) !== applicationId || version < 1) {
    throw corrupt(path, 'it is a database of another program');
  }
  if (version > schemaVersion) {
    throw new VdpaError(
      'STORE_TOO_NEW',
      `the store ${path} was written by a later vdpa-host: it has schema ${version}, and this one knows ${schemaVersion}; use a version that does`,
      { step: `open ${path}`, retry: 'after-fix' },
    );
  }
}

/** Brings the schema up to date, all steps or none. */
export function migrate(db: Connection, epoch: string | null): void {
  if (schemaOf(db) === schemaVersion) return;
  db.transaction(() => {
    for (const step of migrations.slice(schemaOf(db))) db.exec(step);
    if (epoch !== null) db.prepare('INSERT INTO store VALUES (1, ?, 0, 0, 0)').run(epoch);
    db.pragma(`application_id = ${applicationId}`);
    db.pragma(`user_version = ${schemaVersion}`);
  }).immediate();
}
