import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { distUrl, runModule } from './support/process.js';

let folder: string;
let tree: CapturedHost;
let host: VdpaHost;
const count = 10;
beforeAll(() => {
  tree = new CapturedHost();
  tree.pf({ address: '0000:65:00.0', totalVfs: 16, numVfs: count });
  for (let vf = 0; vf < count; vf++) {
    tree.vdpa(`vdpa${vf}`, tree.pciPath(tree.vfAddress('0000:65:00.0', vf + 1)));
  }
});
afterAll(() => tree[Symbol.dispose]());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
  host = await VdpaHost.open({ root: tree.root });
});
afterEach(async () => {
  await host.close();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** All that is in the folder. */
const files = (): string[] => readdirSync(folder).sort();

describe('the file of a capture', () => {
  test("is its owner's alone", async () => {
    const file = join(folder, 'host.tar.gz');
    await host.capture(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(files()).toEqual(['host.tar.gz']);
  });

  test('is no other than what tar programs read', async () => {
    const file = join(folder, 'host.tar.gz');
    await host.capture(file);
    mkdirSync(join(folder, 'tree'));
    execFileSync('tar', ['-xzf', file, '-C', join(folder, 'tree')], { stdio: 'pipe' });
    const again = join(folder, 'again.tar.gz');
    execFileSync('tar', ['-czf', again, '--format=gnu', '-C', join(folder, 'tree'), '.']);

    const original = await host.inventory();
    for (const root of [join(folder, 'tree'), again]) {
      await using replay = await VdpaHost.open({ root });
      expect(await replay.inventory()).toEqual(original);
    }
  });

  test('that is there already is left alone, unless it is to be replaced', async () => {
    const file = join(folder, 'host.tar.gz');
    writeFileSync(file, 'precious');
    await expect(host.capture(file)).rejects.toMatchObject({
      code: 'CAPTURE_EXISTS',
      outcome: 'unchanged',
      retry: 'after-fix',
    });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    await host.capture(file, { force: true });
    await using replay = await VdpaHost.open({ root: file });
    expect((await replay.inventory()).devices).toHaveLength(count);
    expect(files()).toEqual(['host.tar.gz']);
  });

  test.each(['folder', 'link', 'dangling', 'fifo'])(
    'never takes the place of a %s',
    async (kind) => {
      const file = join(folder, kind);
      writeFileSync(join(folder, 'target'), 'precious');
      if (kind === 'folder') mkdirSync(file);
      if (kind === 'link') symlinkSync('target', file);
      if (kind === 'dangling') symlinkSync('nowhere', file);
      if (kind === 'fifo') execFileSync('mkfifo', [file]);
      const before = lstatSync(file);
      await expect(host.capture(file, { force: true })).rejects.toMatchObject({
        code: 'CAPTURE_EXISTS',
        message: expect.stringContaining('no plain file'),
      });
      expect(lstatSync(file).ino).toBe(before.ino);
      expect(files()).toEqual([kind, 'target'].sort());
      expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('precious');
    },
  );

  test.each([
    ['a folder that is not there', 'missing/host.tar.gz', 'ENOENT'],
    ['what is no folder', 'file/host.tar.gz', 'ENOTDIR'],
    ['a name that is too long', `${'x'.repeat(256)}`, 'ENAMETOOLONG'],
  ])('can not be in %s', async (_, name, errno) => {
    writeFileSync(join(folder, 'file'), '');
    await expect(host.capture(join(folder, name))).rejects.toMatchObject({
      code: 'CAPTURE_NOT_WRITTEN',
      errno,
      message: expect.stringContaining(folder),
    });
    expect(files()).toEqual(['file']);
  });

  test('that grows beyond what the process may write is an error, and nothing is left', async () => {
    const command = `ulimit -f 1; exec "$0" dist/cli/main.js capture "$1" --root "$2" --json`;
    const file = join(folder, 'host.tar.gz');
    const { status, stderr } = ended('bash', '-c', command, process.execPath, file, tree.root);
    expect(status).toBe(1);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'CAPTURE_NOT_WRITTEN',
      errno: 'EFBIG',
      outcome: 'unchanged',
    });
    expect(files()).toEqual([]);
  });

  test('is whole or not there at all when the call is aborted, at whatever moment', async () => {
    const reasons = new Set<unknown>();
    for (let moment = 0; moment < 25; moment++) {
      const file = join(folder, 'host.tar.gz');
      const controller = new AbortController();
      const capture = host.capture(file, { signal: controller.signal });
      void turns(moment * moment).then(() => controller.abort('enough'));
      const outcome = await capture.then(
        () => 'done',
        (reason) => reason,
      );
      reasons.add(outcome);
      if (outcome === 'done') {
        await using replay = await VdpaHost.open({ root: file });
        expect((await replay.inventory()).devices).toHaveLength(count);
        rmSync(file);
      }
      expect(files()).toEqual([]);
    }
    expect([...reasons].filter((reason) => reason !== 'done')).toEqual(['enough']);
  });
});

describe('a host that is being captured', () => {
  test('answers other calls meanwhile, and is not closed before it is done', async () => {
    const file = join(folder, 'host.tar.gz');
    const capture = host.capture(file);
    expect((await host.inventory()).devices).toHaveLength(count);
    await turns(1);
    await Promise.all([capture, host.close()]);
    expect(existsSync(file)).toBe(true);
    await expect(host.capture(join(folder, 'more'))).rejects.toMatchObject({ code: 'CLOSED' });
    expect(files()).toEqual(['host.tar.gz']);
  });
});

describe('what a capture is unpacked to', () => {
  test('is private, and gone when the host is closed or the process ends in whatever way', async () => {
    const file = join(folder, 'host.tar.gz');
    await host.capture(file);
    const temporary = join(folder, 'tmp');
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
    const source = `
      import { VdpaHost } from ${JSON.stringify(distUrl)};
      import { readdirSync, statSync } from 'node:fs';
      const [, file, temporary, end] = process.argv;
      const unpacked = () => readdirSync(temporary).filter((name) => /-capture-/.test(name));
      const host = await VdpaHost.open({ root: file });
      for (const name of unpacked()) {
        console.log((statSync(temporary + '/' + name).mode & 0o777).toString(8));
      }
      await host.close();
      console.log(unpacked().length);
      await VdpaHost.open({ root: file });
      console.log(unpacked().length);
      if (end === 'exit') process.exit();
      if (end === 'error') throw new Error('oops');
    `;
    for (const end of ['nothing', 'exit', 'error']) {
      const { stdout } = await runModule(source, file, temporary, end);
      expect([end, stdout]).toEqual([end, '700\n0\n1\n']);
      expect(readdirSync(temporary).filter((name) => /-capture-/.test(name))).toEqual([]);
    }
  }, 30_000);
});

function ended(program: string, ...args: readonly string[]) {
  try {
    execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });
    return { status: 0, stderr: '' };
  } catch (error) {
    return error as { readonly status: number; readonly stderr: string };
  }
}

/** So many turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((done) => setImmediate(done));
}
