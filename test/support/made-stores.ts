import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { ownDatabase } from '../../src/tracker/sqlite-ownership.js';
import { encodeChange } from '../../src/tracker/store-change.js';
import { newStorePath } from './store-files.js';
import { adding, claiming, claimOn } from './stored.js';

/** A store that was closed, with 60 devices and a claim. */
export function closedStore(): string {
  const path = newStorePath();
  const { database, close } = ownDatabase(path);
  const devices = adding(...Array.from({ length: 60 }, (_, index) => index));
  database.commit([devices, claiming(claimOn('a', [0]), [[0, 1]])].map(encodeChange));
  close();
  return path;
}

/** The same with its log: its owner was killed. */
export function killedStore(): string {
  const path = closedStore();
  const { database, close } = ownDatabase(path);
  database.commit([{ devices: [], claims: [], operations: [] }]);
  const files = ['', '-wal', '-shm'].map((suffix) => path + suffix);
  const contents = files.map((file) => readFileSync(file));
  close();
  for (const [index, file] of files.entries()) writeFileSync(file, contents[index] ?? '');
  return path;
}

/** Does to a store what no vdpa-host would. */
export function sql(path: string, text: string): void {
  const db = new Database(path);
  db.unsafeMode();
  db.exec(text);
  db.close();
}
