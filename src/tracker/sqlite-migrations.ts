import { VdpaError } from '../errors.js';
import type { Connection } from './sqlite-engine.js';
import { corrupt } from './sqlite-error.js';

/**
 * A database's schema as a list of steps, of which each makes the next version of the one before it;
 * the first makes version 1 of an empty file. The file keeps its version in `user_version`, and in
 * `application_id` whose it is.
 */
export class Migrations {
  readonly #applicationId: number;
  readonly #steps: readonly string[];

  /** @param steps SQL each */
  constructor(applicationId: number, steps: readonly string[]) {
    this.#applicationId = applicationId;
    this.#steps = steps;
  }

  /** The latest. */
  get version(): number {
    return this.#steps.length;
  }

  /** Of a file; 0 when it is empty. */
  versionOf(db: Connection): number {
    return Number(db.pragma('user_version', { simple: true }));
  }

  /**
   * That the file has this schema, or an older one that can be migrated.
   *
   * @throws {VdpaError} `STORE_TOO_NEW`, `STORE_CORRUPT`
   */
  assertKnown(db: Connection, path: string): void {
    const version = this.versionOf(db);
    if (db.pragma('application_id', { simple: true }) !== this.#applicationId || version < 1) {
      throw corrupt(path, 'it is a database of another program');
    }
    if (version > this.version) {
      throw new VdpaError(
        'STORE_TOO_NEW',
        `the store ${path} was written by a later vdpa-host: it has schema ${version}, and this one knows ${this.version}; use a version that does`,
        { step: `open ${path}`, retry: 'after-fix' },
      );
    }
  }

  /**
   * Brings a file that is empty or has an older version up to date: each step whole or not at all, so
   * that whoever was killed in between goes on from there.
   *
   * @throws SQLite's own errors
   */
  migrate(db: Connection): void {
    while (this.versionOf(db) < this.version) {
      db.transaction(() => {
        // Another may have taken the step while this one waited for its turn.
        const version = this.versionOf(db);
        const step = this.#steps[version];
        if (step === undefined) return;
        db.exec(step);
        db.pragma(`application_id = ${this.#applicationId}`);
        db.pragma(`user_version = ${version + 1}`);
      }).immediate();
    }
  }
}
