import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { connectUnix } from '../../src/connect-unix.js';
import { memoryLockOf } from '../../src/guest/memory-lock.js';
import { passCharDevice, setMemoryLock, tryCharDevice } from '../../src/native.js';
import { descriptorOf } from '../../src/socket-peer.js';
import { rawAddon } from './support/native.js';

/** A char device that everybody may open, in place of one of vhost_vdpa. */
const devNull = { path: '/dev/null', major: 1, minor: 3 };

/** Tells what comes with each piece that is received: the bytes, and which file the descriptor is of. */
const receiver = `
import array, json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1]); s.listen(); print("listening", flush=True)
c, _ = s.accept()
while True:
    data, control, _, _ = c.recvmsg(65536, 1024)
    if not data: break
    fds = [fd for _, _, raw in control for fd in array.array("i", raw)]
    print(json.dumps([data.decode(), [os.readlink("/proc/self/fd/%d" % fd) for fd in fds]]), flush=True)
`;

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => error,
  );

describe('a char device', () => {
  test('goes over a stream with the line that speaks of it, and is open here no longer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-pass-'));
    const path = join(folder, 'sock');
    const child = spawn('python3', ['-c', receiver, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Not our sanitisers'.
      env: { ...process.env, LD_PRELOAD: '' },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('listening');
    const socket = await connectUnix(path);
    for (const line of ['one\n', 'two\n']) {
      await passCharDevice(descriptorOf(socket), line, devNull, 10_000);
      expect(JSON.parse((await lines.next()).value)).toEqual([line, ['/dev/null']]);
    }
    // Closed while it is under way: it goes all the same, and to nobody else.
    const passed = passCharDevice(descriptorOf(socket), 'three\n', devNull, 10_000);
    socket.destroy();
    await passed;
    expect(JSON.parse((await lines.next()).value)).toEqual(['three\n', ['/dev/null']]);
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  });

  test('that is not there, or another, is not opened', async () => {
    await tryCharDevice(devNull);
    expect(await failure(tryCharDevice({ ...devNull, minor: 4 }))).toMatchObject({
      errno: 'EBADFD',
      step: 'open dev/null',
    });
    expect(await failure(tryCharDevice({ ...devNull, path: '/dev/none' }))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
    expect(await failure(passCharDevice(0x7fffffff, 'x', devNull, 1000))).toMatchObject({
      errno: 'EBADF',
    });
  });
});

test('the limit of locked memory is that of the process that is named', async () => {
  const child = spawn('sleep', ['1000'], { env: { ...process.env, LD_PRELOAD: '' } });
  const pid = child.pid ?? 0;
  const before = memoryLockOf(pid);
  const lower = { soft: 4096, hard: before.hard };
  expect(setMemoryLock(pid, lower)).toEqual(before);
  expect(memoryLockOf(pid)).toEqual(lower);
  expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max locked memory\s+4096 /m);
  child.kill();
  await once(child, 'exit');
  expect(() => setMemoryLock(pid, before)).toThrow(expect.objectContaining({ errno: 'ESRCH' }));
});

test.each<['passCharDevice' | 'tryCharDevice' | 'setMemoryLock', unknown[]]>([
  ['passCharDevice', [-1, 'x', 'dev/null', 1, 3, 1000]],
  ['passCharDevice', [1, 7, 'dev/null', 1, 3, 1000]],
  ['passCharDevice', [1, 'x', 'dev/\0', 1, 3, 1000]],
  ['passCharDevice', [1, 'x', 'dev/null', 1, 3, Number.NaN]],
  ['tryCharDevice', ['dev/null', 1]],
  ['setMemoryLock', [1.5, 0, 0]],
  ['setMemoryLock', [1, -1, 0]],
  ['setMemoryLock', [1, 0, 2 ** 60]],
  ['setMemoryLock', [1, Number.NaN, 0]],
])('%s refuses arguments of another form: %j', (method, args) => {
  expect(() => rawAddon()[method](...args)).toThrow(TypeError);
});
