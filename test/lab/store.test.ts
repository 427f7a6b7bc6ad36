import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OpenedStore } from '../../src/tracker/store.js';
import { checkStore } from '../../src/tracker/store-check.js';
import { openStoreReader } from '../../src/tracker/store-reader.js';
import { SqliteStore } from '../support/built-store.js';
import { outputOf, storeProcess } from '../support/store-files.js';
import { adding, claiming, claimOn, releasing } from '../support/stored.js';

// What a store meets on real file systems, which only root can bring about.

const image = '/tmp/store-disk';
const disk = '/tmp/store-mount';
const filler = join(disk, 'filler');
let path = '';

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Takes all room on the disk that there is. */
function fill(): void {
  const fd = openSync(filler, 'a');
  for (let size = 1 << 16; size >= 512; ) {
    try {
      writeSync(fd, Buffer.alloc(size, 1));
    } catch {
      size /= 2;
    }
  }
  closeSync(fd);
}

beforeAll(() => {
  run('truncate', '--size=8M', image);
  run('/sbin/mkfs.ext4', '-q', '-F', image);
  mkdirSync(disk, { recursive: true });
  // By two commands: `mount -o loop` keeps the device open, and this kernel mounts no such device.
  run('/sbin/losetup', '/dev/loop0', image);
  run('mount', '-t', 'ext4', '/dev/loop0', disk);
});
afterAll(() => {
  run('umount', disk);
  run('/sbin/losetup', '-d', '/dev/loop0');
  rmSync(image);
});
beforeEach(() => {
  path = join(mkdtempSync(join(disk, 'test-')), 'store');
});

function stateOf(store: string): OpenedStore {
  using reader = openStoreReader(store);
  return reader.read();
}

describe('on a full disk', () => {
  test('a commit is refused whole, what was answered stays, and with room again it goes on', async () => {
    const store = new SqliteStore(path);
    await store.open();
    await store.commit([adding(0)]);
    fill();
    let revision = 1;
    const refused = await (async () => {
      for (let version = 1; ; version += 2) {
        const claim = claimOn(`c${version}`, [0], version);
        const change = [claiming(claim, [[0, version]]), releasing(claim, [[0, version + 1]])];
        try {
          revision = (await store.commit(change)).length + revision;
        } catch (error) {
          return { error, change };
        }
      }
    })();
    expect(refused.error).toMatchObject({
      code: 'STORE_FULL',
      errno: 'ENOSPC',
      outcome: 'unchanged',
      retry: 'later',
    });
    const before = await store.changes(0);
    expect(before?.revision).toBe(revision);
    expect(before?.state.claims).toEqual([]);
    expect(stateOf(path).revision).toBe(revision);
    // Each time anew, and in no doubt.
    await expect(store.commit(refused.change)).rejects.toMatchObject({ code: 'STORE_FULL' });

    rmSync(filler);
    expect(await store.commit(refused.change)).toEqual([
      { committed: true, revision: revision + 1 },
      { committed: true, revision: revision + 2 },
    ]);
    await store.close();
    const { state, ...rest } = await store.open();
    expect(rest.revision).toBe(revision + 2);
    expect(state.devices).toHaveLength(1);
    expect(checkStore(path).faults).toEqual([]);
    await store.close();
  });

  test('no store is made, and nothing of it is left', async () => {
    fill();
    const store = new SqliteStore(path);
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE_FULL', outcome: 'unchanged' });
    expect(readdirSync(dirname(path))).toEqual(['store.lock']);
    rmSync(filler);
    expect((await store.open()).revision).toBe(0);
    await store.close();
  });
});

describe('where it may not be written', () => {
  afterEach(() => run('mount', '-o', 'remount,rw', disk));

  test('a store is refused as read-only, and read all the same', async () => {
    const store = new SqliteStore(path);
    await store.open();
    await store.commit([adding(0)]);
    await store.close();
    run('mount', '-o', 'remount,ro', disk);
    await expect(store.open()).rejects.toMatchObject({
      code: 'STORE_NOT_OPENED',
      errno: 'EROFS',
      message: expect.stringContaining('read-only'),
    });
    expect(stateOf(path).revision).toBe(1);
    expect(checkStore(path).faults).toEqual([]);
  });

  test("another user's folder, or lock, is refused, and nothing is made there", async () => {
    const folder = dirname(path);
    const [open, closed, locked] = ['open', 'closed', 'locked'].map((name) => join(folder, name));
    if (open === undefined || closed === undefined || locked === undefined) throw new Error();
    chmodSync(folder, 0o755);
    mkdirSync(open, { mode: 0o755 });
    mkdirSync(closed, { mode: 0o700 });
    mkdirSync(locked);
    chmodSync(locked, 0o777);
    // SQLite would open this for reading, lock nothing, and be a second owner.
    writeFileSync(join(locked, 'store.lock'), '', { mode: 0o644 });
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const script = `
      for (const name of ['open', 'closed', 'locked']) {
        const store = new SqliteStore(path + '/' + name + '/store');
        const { code, errno, message } = await store.open().catch((reason) => reason);
        console.log(code, errno, message);
      }`;
    const said = (await outputOf(storeProcess(folder, script, ...nobody))).split('\n');
    expect(said).toEqual([
      expect.stringMatching(/^STORE_NOT_OPENED EACCES .* may not write there: run as its owner/),
      expect.stringMatching(/^STORE_NOT_OPENED EACCES .* cannot be entered: run as its owner/),
      expect.stringMatching(
        /^STORE_NOT_OPENED EACCES .*\.lock may not be written: run as its owner/,
      ),
      '',
    ]);
    expect([open, closed, locked].map((name) => readdirSync(name))).toEqual([
      [],
      [],
      ['store.lock'],
    ]);
  });
});

describe('when the clock goes back ten years', () => {
  const now = Math.floor(Date.now() / 1000);
  afterEach(() => run('date', '-s', `@${now}`));

  test('revisions, fences and what changed since go on as before', async () => {
    const store = new SqliteStore(path);
    await store.open();
    await store.commit([adding(0, 1), claiming(claimOn('a', [0], 7), [[0, 1]])]);
    run('date', '-s', `@${now - 315_000_000}`);
    expect(new Date().getFullYear()).toBeLessThan(new Date(now * 1000).getFullYear());
    expect(await store.commit([claiming(claimOn('b', [1], 8), [[1, 1]])])).toEqual([
      { committed: true, revision: 3 },
    ]);
    expect((await store.changes(2))?.state.claims).toMatchObject([{ value: { id: 'b' } }]);
    await store.close();
    expect(await store.open()).toMatchObject({ revision: 3, state: { fence: 8 } });
    await store.close();
  });
});
