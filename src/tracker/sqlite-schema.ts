import { Migrations } from './sqlite-migrations.js';

/** "vdpa": tells a store from the databases of other programs. */
export const applicationId = 0x76647061;

/** Steps that have been released are never changed. A document's form is part of the schema. */
export const storeSteps: readonly string[] = [
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
  // A claim says in which guest its devices are.
  `UPDATE claims SET body = json_set(body, '$.guest', NULL);`,
  // What is being done with an instance, by the instance.
  `
  CREATE TABLE operations (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE removals RENAME TO earlier_removals;
  CREATE TABLE removals (
    place INTEGER PRIMARY KEY, -- in the order of removal
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('device', 'claim', 'operation')),
    id TEXT NOT NULL
  ) STRICT;
  INSERT INTO removals SELECT place, revision, kind, id FROM earlier_removals;
  DROP TABLE earlier_removals;
  `,
];

export const storeSchema = new Migrations(applicationId, storeSteps);
