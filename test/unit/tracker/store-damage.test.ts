import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { ownDatabase } from '../../../src/tracker/sqlite-ownership.js';
import { storeSchema } from '../../../src/tracker/sqlite-schema.js';
import { checkStore } from '../../../src/tracker/store-check.js';
import { closedStore, killedStore, sql } from '../../support/made-stores.js';
import { newStorePath } from '../../support/store-files.js';
import { deviceId } from '../../support/stored.js';

/** The error with which a store is refused. */
function refusalOf(path: string): VdpaError {
  try {
    ownDatabase(path).close();
  } catch (error) {
    if (error instanceof VdpaError) return error;
    throw error;
  }
  throw new Error('it opens');
}

describe('a damaged store is refused, with what to do:', () => {
  test.each<[string, () => string, (path: string) => void, RegExp]>([
    [
      'garbage',
      closedStore,
      (path) => writeFileSync(path, Buffer.alloc(20_000, 'garbage')),
      /not a database/,
    ],
    ['an empty file', closedStore, (path) => truncateSync(path, 0), /the file is empty/],
    [
      'half a file',
      closedStore,
      (path) => truncateSync(path, statSync(path).size / 2),
      /malformed/,
    ],
    [
      'a page of zeros',
      closedStore,
      (path) => {
        const fd = openSync(path, 'r+');
        writeSync(fd, Buffer.alloc(4096), 0, 4096, 4 * 4096);
        closeSync(fd);
      },
      /./,
    ],
    [
      'a log of garbage',
      killedStore,
      (path) => writeFileSync(`${path}-wal`, Buffer.alloc(9000, 'x')),
      /-wal does not begin as one/,
    ],
    [
      'a log with one wrong bit at its start',
      killedStore,
      (path) => {
        const log = readFileSync(`${path}-wal`);
        log.writeUInt8(log.readUInt8(17) ^ 1, 17);
        writeFileSync(`${path}-wal`, log);
      },
      /-wal does not begin as one/,
    ],
    ['a log without its file', killedStore, (path) => rmSync(path), /the file itself is not/],
    [
      "another program's database",
      closedStore,
      (path) => {
        rmSync(path);
        sql(path, 'CREATE TABLE notes (text)');
      },
      /of another program/,
    ],
    [
      'a record that is no JSON',
      closedStore,
      (path) => sql(path, `UPDATE devices SET body = '{' WHERE id = '${deviceId(7)}'`),
      /device pci\/0000:10:00\.7 is no JSON/,
    ],
    [
      'a record with a status that there is not',
      closedStore,
      (path) =>
        sql(
          path,
          `UPDATE devices SET body = json_set(body, '$.status', 'gone') WHERE id = '${deviceId(7)}'`,
        ),
      /device pci\/0000:10:00\.7: status: /,
    ],
    [
      'a free record with an owner',
      closedStore,
      (path) =>
        sql(
          path,
          `UPDATE devices SET body = json_set(body, '$.claimId', 'a') WHERE id = '${deviceId(7)}'`,
        ),
      /device pci\/0000:10:00\.7 is available with claim a/,
    ],
    [
      'a record of another device',
      closedStore,
      (path) => sql(path, `UPDATE devices SET id = 'x' WHERE id = '${deviceId(7)}'`),
      /device x calls itself pci/,
    ],
    [
      'a claim without a fence',
      closedStore,
      (path) => sql(path, "UPDATE claims SET body = json_remove(body, '$.fence')"),
      /claim a: fence: /,
    ],
    [
      'a store without its own row',
      closedStore,
      (path) => sql(path, 'DELETE FROM store'),
      /table "store" is empty/,
    ],
  ])('%s', (_, make, damage, words) => {
    const path = make();
    damage(path);
    const { code, outcome, message } = refusalOf(path);
    expect(code).toBe('STORE_CORRUPT');
    expect(outcome).toBe('unchanged');
    expect(message).toMatch(words);
    expect(message).toMatch(/stop the agent, keep a copy of the files/);
    expect(checkStore(path).faults[0]?.message).toMatch(words);
  });

  test('a log of zeros is one that never reached the disk, and sound', () => {
    const path = killedStore();
    writeFileSync(`${path}-wal`, Buffer.alloc(8192));
    const { opened, close } = ownDatabase(path);
    expect(opened.revision).toBe(2);
    close();
  });

  test('a later schema', () => {
    const path = closedStore();
    sql(path, 'PRAGMA user_version = 99');
    const { code, message } = refusalOf(path);
    expect(code).toBe('STORE_TOO_NEW');
    expect(message).toContain(`schema 99, and this one knows ${storeSchema.version}`);
  });
});

function made(path: string, make: (path: string) => unknown): string {
  make(path);
  return path;
}

describe('a path that cannot be a store is refused:', () => {
  test.each<[string, (path: string) => string, string, RegExp]>([
    ['a folder', (path) => made(path, mkdirSync), 'EISDIR', /is a folder: name a file/],
    ['a path in no folder', (path) => join(path, 'store'), 'ENOENT', /does not exist: create it/],
    [
      'a path below a file',
      (path) =>
        join(
          made(path, () => writeFileSync(path, '')),
          'store',
        ),
      'ENOTDIR',
      /is no folder/,
    ],
    [
      'a link to nothing',
      (path) => made(path, () => symlinkSync(`${path}-gone`, path)),
      'ENOENT',
      /is a link to nothing/,
    ],
    [
      'a file with two names',
      (path) => {
        writeFileSync(path, 'x');
        linkSync(path, `${path}2`);
        return path;
      },
      'EMLINK',
      /hard link/,
    ],
    ['a device', () => '/dev/null', 'EINVAL', /no plain file/],
  ])('%s', (_, make, errno, words) => {
    const path = make(newStorePath());
    expect(refusalOf(path)).toMatchObject({
      code: 'STORE_NOT_OPENED',
      errno,
      outcome: 'unchanged',
      message: expect.stringMatching(words),
    });
    expect(existsSync(`${path}.lock`)).toBe(false);
  });
});
